"""How several processes share the tests: a file's tests stay together, and so do all those with made-up requests.

The latter count their requests together, see `test_fuzz_total.py`. It could be told by marks, but pytest-xdist 3.8
does not heed them beside pytest 9.2.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler import LoadFileScheduling

MADE_UP_REQUESTS = "test_fuzz_"


class FileScheduling(LoadFileScheduling):
    """Gives each process a file at a time."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return MADE_UP_REQUESTS if PurePosixPath(file).name.startswith(MADE_UP_REQUESTS) else file
