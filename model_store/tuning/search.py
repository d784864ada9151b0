"""A search for the fastest variant of a model: those still in it, what was measured, and why the others are out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter

from model_store.errors import VariantUnfit
from model_store.program import Program
from model_store.tuning.choice import Trial
from model_store.tuning.trial import FEWEST_CALLS, Compared, Prepare, compare_at


class Search:
    """The state of one search.

    Attributes:
        programs: The variants still in it; "plain" always stays, as the measure of the others.
        trials: What was measured of them.
        dropped: Why variants are out, in words that follow the model's name.
        faulty: Those that are out since they gave other answers than the plain graph.
        obstacle: Why nothing can be compared with the plain graph; None where it can.
        is_cut_short: Whether the limit has kept a variant from being made, or all from being compared.
        is_open: Whether any variant may come out of it. Else one is wanted, and the limit stops neither making it nor
            comparing it once.
    """

    def __init__(self, plain: Program, prepare: Callable[[Program], Prepare], limit_s: float, is_open: bool) -> None:
        self.programs = {"plain": plain}
        self.trials: list[Trial] = []
        self.dropped: dict[str, str] = {}
        self.faulty: list[str] = []
        self.obstacle: str | None = None
        self.is_cut_short = False
        self.is_open = is_open
        self._prepare = prepare
        self._until_s = perf_counter() + limit_s

    def left_s(self) -> float:
        """Seconds until the limit; negative beyond it."""
        return self._until_s - perf_counter()

    def has_time(self, needed_s: float) -> bool:
        """Whether so much time is left."""
        return needed_s <= self.left_s()

    def add(self, name: str, needed_s: float, make: Callable[[], Program]) -> None:
        """Make a variant, unless that fails or takes about so long that the limit would be passed."""
        if self.is_open and not self.has_time(needed_s):
            self.is_cut_short = True
            left_s = max(0.0, self.left_s())
            self.dropped[name] = f"was not tried: making it takes about {needed_s:.1f} s, and {left_s:.1f} s are left"
            return
        try:
            self.programs[name] = make()
        except VariantUnfit as error:
            self.dropped[name] = str(error)

    def compare(self, sizes: Iterable[int], call_ms: float) -> None:
        """Compare all variants with each of these numbers of rows, ascending, as far as the time goes.

        Args:
            sizes: Numbers of rows.
            call_ms: What a call with the first of them takes about.
        """
        before = None
        for rows in sizes:
            expected_ms = call_ms if before is None else call_ms * rows / before
            is_due = before is None and not self.is_open
            if not is_due and not self.has_time(expected_ms / 1000 * FEWEST_CALLS * len(self.programs)):
                self.is_cut_short |= before is None
                return
            plain = self.compare_at(rows).trials.get("plain")
            if plain is None:
                return
            before, call_ms = rows, plain.call_ms

    def compare_at(self, rows: int) -> Compared:
        """Compare all variants with one number of rows, anew where that was done before."""
        prepares = {name: self._prepare(program) for name, program in self.programs.items()}
        compared = compare_at(rows, prepares, self.left_s)
        older = [trial for trial in self.trials if trial.rows != rows or trial.variant not in compared.trials]
        self.trials = [*older, *compared.trials.values()]
        self.obstacle = compared.faults.get("plain", self.obstacle)
        for name, fault in compared.faults.items():
            self.drop(name, fault)
        self.faulty += compared.differing
        return compared

    def drop(self, name: str, reason: str) -> None:
        """Take a variant out, with all that was measured of it; the plain graph stays."""
        if name != "plain":
            self.dropped[name] = reason
            self.programs.pop(name, None)
            self.trials = [trial for trial in self.trials if trial.variant != name]

    def keep(self, *names: str) -> None:
        """Let go of all other variants, and with them of their constants and variables."""
        self.programs = {name: program for name, program in self.programs.items() if name in names}
