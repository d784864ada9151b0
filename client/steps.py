"""Procedures: generators that say what is to be sent, and for how long to pause, and never do it themselves.

So each is written once. A driver performs its steps, with threads or with asyncio; see `client.driver`.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import httpx

from client.call import Call

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Pause:
    """Do nothing for so long, in s."""

    for_s: float


@dataclass(frozen=True)
class Take:
    """Send the next of the rows that are to be mapped, or `END`."""


@dataclass(frozen=True)
class Emit:
    """Hand this to whom the stream is for, and go on when the next is wanted."""

    value: Any


@dataclass(frozen=True)
class Listen:
    """Make this call and read no more than the head of its reply, which is the answer; a refusal is read whole."""

    call: Call


@dataclass(frozen=True)
class Hear:
    """Read the next part of what is listened to: bytes, none at the end."""


class End:
    """Of the type of `END`."""


#: What a `Take` is answered with when there are no more.
END = End()

#: A call is answered with its reply, or with a `ClientError` thrown; a pause with None.
Steps: TypeAlias = Generator[Call | Pause, httpx.Response | None, _Answer]

#: As `Steps`; beside its calls it takes rows, emits values, and listens to one reply at a time.
Stream: TypeAlias = Generator[Call | Pause | Take | Emit | Listen | Hear, Any, None]


def sending(call: Call) -> Steps[httpx.Response]:
    """The reply to one call.

    Raises:
        ClientError: The driver had none.
    """
    reply = yield call
    if reply is None:
        raise TypeError("A driver answers a call with its reply.")
    return reply
