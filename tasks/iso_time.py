"""Times of Redis as people and programs read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso_time(time_us: int | None) -> str | None:
    """RFC 3339 in UTC, to the microsecond, such as `2026-11-22T09:30:00.000001Z`; None for None."""
    # Not through a float of seconds, which would round the microseconds.
    if time_us is None:
        return None
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat(timespec="microseconds").replace("+00:00", "Z")
