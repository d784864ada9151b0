"""Ends a process with its parent: `python -m tasks.supervisor.leash SIGNAL [PARENT] -- COMMAND…` becomes COMMAND.

Linux sends a process the signal that it asked for (PR_SET_PDEATHSIG) when its parent dies, however that happened;
asked for before exec, it still holds for the program that follows. Other systems have no such thing: there a service
outlives a supervisord that was killed by SIGKILL.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

#: From <linux/prctl.h>.
PR_SET_PDEATHSIG = 1


def end_with_parent(number: signal.Signals) -> None:
    """Have the kernel send this process `number` when its parent ends. A parent that is gone already goes unnoticed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number))


def is_orphan() -> bool:
    """Whether the parent that started this process has ended already.

    A process that does not lead its session shares it with the parent that started it; a parent in another one is
    the init process, which adopts orphans.
    """
    own = os.getsid(0)
    return own != os.getpid() and os.getsid(os.getppid()) != own


def main(arguments: list[str]) -> None:
    """Become the command, on a leash; does not return.

    PARENT is the process id of the parent meant. Without it that is the leader of the session, which supervisord is
    for all that it starts.
    """
    divider = arguments.index("--")
    name, *parent = arguments[:divider]
    command = arguments[divider + 1 :]
    end_with_parent(signal.Signals[f"SIG{name}"])
    # Checked after the request, so that a parent that ended before it is noticed too.
    if os.getppid() != (int(parent[0]) if parent else os.getsid(0)):
        raise SystemExit("The process that started this one has ended; nothing is started.")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
