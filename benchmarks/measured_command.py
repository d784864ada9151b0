"""The command `celeriac` as it is, and what its process took: `python -m benchmarks.measured_command INTO ARGS`.

It tells by itself: what the system keeps of a process that has ended counts its parent's memory too.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from client.cli import main as celeriac


def peak_bytes() -> int:
    """The most memory that this process has had, resident (proc(5), VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Run the command; whatever becomes of it, INTO says what it took."""
    into, sys.argv = Path(sys.argv[1]), ["celeriac", *sys.argv[2:]]
    try:
        celeriac()
    finally:
        into.write_text(json.dumps({"peak_bytes": peak_bytes(), "cpu_s": time.process_time()}))


if __name__ == "__main__":
    main()
