"""The processes under the storm, each a real one, started again when it ends; all of them end with the block."""

from __future__ import annotations

import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable

import psutil

from benchmarks.errors import BenchmarkError
from benchmarks.storm.lineup import MARK, Lineup
from benchmarks.storm.member import Member
from benchmarks.storm.schedule import API, API_CHILD, Action, Deed

START_TIMEOUT_S = 120.0

_SIGNALS = {Deed.KILL: signal.SIGKILL, Deed.STOP: signal.SIGSTOP, Deed.RESTART: signal.SIGTERM}


class Crew:
    """All processes by name, over the folder of a `Lineup`.

    Attributes:
        lineup: who they are.
        members: the processes.
        done: how many of each deed have met a living process.
    """

    def __init__(self, lineup: Lineup) -> None:
        self.lineup = lineup
        self.done: Counter[tuple[Deed, str]] = Counter()
        logs = lineup.folder / "logs"
        logs.mkdir()
        self.members = {name: Member(name, argv, lineup.environment, logs) for name, argv in lineup.commands.items()}
        self._stopped: dict[str, list[psutil.Process]] = {}

    def __enter__(self) -> Crew:
        try:
            for member in self.members.values():
                member.start()
            self.await_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.calm()
        # The broker is the first: it ends last, so that the others can finish what they do.
        for member in reversed(self.members.values()):
            member.stop()
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if one.environ().get(MARK) == self.lineup.mark:
                    one.kill()

    def await_ready(self) -> None:
        """Wait until every worker is ready to serve.

        Raises:
            BenchmarkError: not in time.
        """
        if not self.tend_until(self.lineup.is_ready, START_TIMEOUT_S):
            raise BenchmarkError(f"Not all workers are ready within {START_TIMEOUT_S:.0f} s; see their logs.")

    def tend_until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Start again whoever ends, until a condition holds; gives whether it came to that."""
        deadline_s = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline_s:
                return False
            self.revive()
            time.sleep(0.05)
        return True

    def revive(self) -> None:
        """Start again whoever has ended."""
        for member in self.members.values():
            member.revive()

    def strike(self, action: Action) -> None:
        """Do one of the deeds that a process suffers: kill, stop, let go on, restart."""
        if action.deed is Deed.GO_ON:
            self._resume(action.target)
        elif action.target == API_CHILD:
            self._strike_child(action.deed)
        elif action.target in self.members and self._strike_member(self.members[action.target], action.deed):
            self.done[action.deed, action.target] += 1

    def family(self, target: str) -> list[psutil.Process]:
        """The living processes behind a name."""
        member = self.members.get(API if target == API_CHILD else target)
        if member is None:
            return []
        return member.children() if target == API_CHILD else member.alone()

    def calm(self) -> None:
        """Let everybody who is stopped go on."""
        for name in list(self._stopped):
            self._resume(name)

    def _strike_member(self, member: Member, deed: Deed) -> bool:
        if deed is Deed.RESTART:
            return member.restart()
        if deed is Deed.STOP:
            self._stopped.setdefault(member.name, []).extend(self.family(member.name))
        return member.signal(_SIGNALS[deed])

    def _strike_child(self, deed: Deed) -> None:
        for child in self.family(API_CHILD)[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(_SIGNALS[deed])
                self.done[deed, API_CHILD] += 1
                if deed is Deed.STOP:
                    self._stopped.setdefault(API_CHILD, []).append(child)

    def _resume(self, name: str) -> None:
        for one in self._stopped.pop(name, []):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.resume()
