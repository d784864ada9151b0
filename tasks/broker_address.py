"""Where the broker is: `REDIS_URL`, or the address that the embedded server wrote into `CELERIAC_VAR`."""

from __future__ import annotations

import time
from pathlib import Path

from tasks.errors import BrokerAddressUnknown
from tasks.settings import Settings


def embedded_address_file(settings: Settings) -> Path:
    """The file that holds the embedded server's URL, password included; readable by its owner alone."""
    return settings.var / "broker" / "url"


def broker_url(settings: Settings) -> str:
    """The URL of the broker and job store.

    Raises:
        BrokerAddressUnknown: `REDIS_URL` is not set and no embedded server has been started.
    """
    if settings.redis_url:
        return settings.redis_url
    try:
        return embedded_address_file(settings).read_text().strip()
    except FileNotFoundError:
        raise BrokerAddressUnknown(
            f"REDIS_URL is not set and there is no embedded server's address in {settings.var}. "
            "Set REDIS_URL, or start the embedded server with `celeriac up` or `honcho start broker`."
        ) from None


def wait_for_broker_url(settings: Settings, timeout_s: float = 30.0) -> str:
    """Like `broker_url`, but gives an embedded server that starts at the same time a moment to write its address.

    Raises:
        BrokerAddressUnknown: no address after `timeout_s`.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            return broker_url(settings)
        except BrokerAddressUnknown:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.1)
