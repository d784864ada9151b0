"""Showing how far a run is: a bar on a terminal, else a line every few seconds. Always on standard error."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Protocol

import click
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from client.backfill.summary import duration
from client.backfill.tally import Tally

_LINE_EVERY_S = 5.0

#: The same trouble is told again after so long.
_TOLD_AGAIN_S = 30.0


class Progress(Protocol):
    """What a run is shown on."""

    def show(self, tally: Tally) -> None:
        """The counts are these now; called several times a second."""

    def tell(self, sentence: str) -> None:
        """Say something once."""

    def close(self) -> None:
        """There will be no more."""


class _Teller:
    """Says a sentence, and not the same again so soon."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told_s: dict[str, float] = {}

    def tell(self, sentence: str) -> None:
        now_s = monotonic()
        if now_s - self._told_s.get(sentence, -_TOLD_AGAIN_S) >= _TOLD_AGAIN_S:
            self._say(sentence)
            self._told_s[sentence] = now_s


class Lines:
    """For logs and pipes."""

    def __init__(self, every_s: float = _LINE_EVERY_S) -> None:
        self._every_s = every_s
        self._shown_s = monotonic()
        self._teller = _Teller(self._print)

    def show(self, tally: Tally) -> None:
        """Print a line when it is time for one."""
        now_s = monotonic()
        if now_s - self._shown_s >= self._every_s:
            self._shown_s = now_s
            self._print(line(tally, now_s))

    def tell(self, sentence: str) -> None:
        """Print it."""
        self._teller.tell(sentence)

    def close(self) -> None:
        """Nothing is left open."""

    def _print(self, text: str) -> None:
        # A log whose disk is full, or whose reader has left, is no reason to stop.
        with suppress(OSError):
            click.echo(text, err=True)


class Bar:
    """For terminals."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=8, transient=False)
        self._live.start()
        self._teller = _Teller(lambda sentence: self._live.console.print(sentence, highlight=False, markup=False))

    def show(self, tally: Tally) -> None:
        """Draw the bar anew."""
        shown = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=tally.total, completed=tally.settled, width=30, pulse=tally.total is None)
        shown.add_row(bar, line(tally, monotonic()))
        self._live.update(shown)

    def tell(self, sentence: str) -> None:
        """Print it above the bar."""
        self._teller.tell(sentence)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._live.stop()


def line(tally: Tally, now_s: float) -> str:
    """The counts as a line: rows done, failed, rows/s, time left, queue depth."""
    of_total = f" of {tally.total:,} rows ({_percent(tally)})" if tally.total else " rows"
    parts = [f"{tally.settled:,}{of_total}"]
    failed = tally.found_failed + tally.failed
    if failed:
        parts.append(f"{failed:,} failed")
    parts.append(f"{tally.rows_per_s(now_s):,.0f} rows/s")
    left_s = tally.left_s(now_s)
    if left_s is not None:
        parts.append(f"{duration(left_s)} left")
    if tally.queued is not None:
        parts.append(f"{tally.queued:,} jobs queued")
    if tally.rows_per_job:
        parts.append(f"{tally.rows_per_job:,} rows a job")
    return ", ".join(parts)


def _percent(tally: Tally) -> str:
    # Not 100 before the last row is written.
    return f"{int(100 * tally.settled / max(1, tally.total or 1))} %"
