"""How much may wait, before submissions are refused; pure."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.settings import Settings

#: More than there can be, and what a double of Lua's still counts in ones.
_ENDLESS = 2**53


@dataclass(frozen=True, kw_only=True)
class Caps:
    """Beyond these a submission is refused. By default there are none.

    Attributes:
        queued_jobs: Of one model.
        queued_bytes: Of the inputs of one model's jobs that have not ended: an input is kept until then. One that is
            larger is taken when there is no other.
        memory_percent: Of the server's `maxmemory`, in use for whatever; None, or without `maxmemory`: not looked at.
    """

    queued_jobs: int = _ENDLESS
    queued_bytes: int = _ENDLESS
    memory_percent: int | None = None


NO_CAPS = Caps()


def caps_of(settings: Settings) -> Caps:
    """Those that an operator has set."""
    return Caps(
        queued_jobs=settings.max_queued_jobs,
        queued_bytes=settings.max_queued_bytes,
        memory_percent=settings.max_memory_percent,
    )
