"""A clock that is wrong, for a child process: Python imports `sitecustomize` before anything else.

What asks the operating system without Python, TensorFlow for example, is told the right time.
"""

from __future__ import annotations

from pathlib import Path

_SITECUSTOMIZE = """
import datetime
import time

OFF_S = {off_s}
_time, _time_ns, _Datetime = time.time, time.time_ns, datetime.datetime


class _Anyone(type):
    def __instancecheck__(cls, instance):
        return isinstance(instance, _Datetime)


class datetime_off(_Datetime, metaclass=_Anyone):
    @classmethod
    def now(cls, tz=None):
        return _Datetime.now(tz) + datetime.timedelta(seconds=OFF_S)

    @classmethod
    def utcnow(cls):
        return _Datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=OFF_S)


time.time = lambda: _time() + OFF_S
time.time_ns = lambda: _time_ns() + OFF_S * 1_000_000_000
datetime.datetime = datetime_off
"""


def shift_clock(folder: Path, off_s: int) -> str:
    """What has to stand in PYTHONPATH for a process whose clock is so many seconds ahead."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE.format(off_s=off_s))
    return str(folder)
