"""A backfill that is killed again and again: `python -m tests.backfill_kills OUTPUT ROWS ordered|unordered`.

Each time a fresh process resumes it, writes rows whose answers anyone can check, and gets SIGKILL at a random moment:
twenty times between the rows, five times while it completes the output. The last process is left alone. Prints how many
were killed. With `full BYTES` instead of the order one process goes on where no file may be larger than that.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from client.errors import ClientError
from tests.backfill_run import Run, settle

CHUNK_ROWS = 5
FLUSH_CHUNKS = 4
KILLS_BETWEEN_ROWS = 20
KILLS_AT_THE_END = 5
#: How long completing an output of some thousand rows takes, about.
END_S = 0.02

CHUNK, END = b"c", b"e"


def go_on(
    output: Path, rows: int, is_ordered: bool, tell: Callable[[bytes], object], flush_chunks: int = FLUSH_CHUNKS
) -> None:
    """Do all that is left, out of order; `tell` hears of each chunk, and when the output is about to be completed."""
    run = Run(output, is_ordered=is_ordered)
    if not run.state.is_finished:
        written = {first for island in run.state.islands for first in range(island.first, island.end, CHUNK_ROWS)}
        todo = [first for first in range(run.state.position, rows, CHUNK_ROWS) if first not in written]
        for done in range(0, len(todo), flush_chunks):
            for first in reversed(todo[done : done + flush_chunks]):
                settle(run, first, CHUNK_ROWS)
                tell(CHUNK)
            run.recorder.flush()
        tell(END)
        run.recorder.finish()
    run.close()


def killed_after(told: Callable[[bytes], bool], delay_s: float, output: Path, rows: int, is_ordered: bool) -> bool:
    """Whether a process that goes on was killed, `delay_s` after `told` was content with what it had told."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(reading)
            go_on(output, rows, is_ordered, lambda what: os.write(writing, what))
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while (what := pipe.read(1)) and not told(what):
            pass
        time.sleep(delay_s)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0, "it failed of itself"
    return os.WIFSIGNALED(status)


def count_to(number: int) -> Callable[[bytes], bool]:
    """Content once it has heard of so many chunks."""
    left = [number]

    def told(what: bytes) -> bool:
        left[0] -= 1
        return left[0] < 0

    return told


def main(output: Path, rows: int, is_ordered: bool) -> None:
    """Kill, and then let it finish."""
    moments = random.Random(rows)
    killed = 0
    for _ in range(KILLS_BETWEEN_ROWS):
        chunks = moments.randrange(rows // CHUNK_ROWS // KILLS_BETWEEN_ROWS)
        killed += killed_after(count_to(chunks), moments.uniform(0, 0.002), output, rows, is_ordered)
    for _ in range(KILLS_AT_THE_END):
        killed += killed_after(END.__eq__, moments.uniform(0, END_S), output, rows, is_ordered)
    go_on(output, rows, is_ordered, lambda what: None)
    print(killed)  # noqa: T201


def run_into(limit_bytes: int, output: Path, rows: int) -> int:
    """Go on where no file may have more bytes than that; prints what went wrong."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    try:
        # One flush, so that the checkpoint stays smaller than the output.
        go_on(output, rows, True, lambda what: None, flush_chunks=rows)
    except ClientError as error:
        print(error)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    if sys.argv[3] == "full":
        sys.exit(run_into(int(sys.argv[4]), Path(sys.argv[1]), int(sys.argv[2])))
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "ordered")
