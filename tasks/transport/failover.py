"""What kombu does when the broker does not answer: nothing that loses our transport."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

#: The name that `stay` is known by to kombu.
STAY = "celeriac-stay"


def stay(urls: Sequence[str]) -> Iterator[str]:
    """For `broker_failover_strategy`: name the first host again and again.

    Each attempt to connect asks all sentinels anyway. kombu's own strategies go from URL to URL, and with a URL comes
    its scheme's transport in place of `broker_transport` (`kombu/connection.py` `switch`, read in 5.7.0); a host alone
    leaves everything else as it is.
    """
    return itertools.repeat(urlsplit(urls[0]).hostname or "")
