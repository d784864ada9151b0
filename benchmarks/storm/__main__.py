"""`python -m benchmarks.storm`: raise the storm, print what was done and what came of it, write `storm.json`."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from types import FrameType

import click

from benchmarks.contestant import ROOT
from benchmarks.errors import BenchmarkError
from benchmarks.machine import describe_machine, load_average, today
from benchmarks.storm import course, plain, report


@click.command()
@click.option("--duration-s", type=click.FloatRange(5), default=600, show_default=True, help="How long it lasts.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the schedule.")
@click.option("--results", type=click.Path(path_type=Path), default=ROOT / "benchmarks" / "results", help="A folder.")
@click.option("--cache", type=click.Path(path_type=Path), default=ROOT / ".cache" / "storm", help="Kept for next time.")
@click.option("--compare", is_flag=True, help="The same over plain Celery, too.")
def main(duration_s: float, seed: int, results: Path, cache: Path, compare: bool) -> None:
    """Strike a whole system for minutes, and audit every job that it has taken."""
    signal.signal(signal.SIGTERM, _stop)
    cache = cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    about = {
        "date": today(),
        "machine": describe_machine(),
        "load_average": round(load_average(), 1),
        "seed": seed,
        "duration_s": duration_s,
    }
    try:
        course.build_models(cache / "models")
        # Beside the cache, not in /tmp: that may be memory, where writing to disk costs nothing.
        with tempfile.TemporaryDirectory(prefix="run-", dir=cache) as folder:
            store, run = cache / "models", Path(folder)
            outcome = course.run(seed, duration_s, run / "celeriac", store, click.echo)
            click.echo("\n".join(report.lines(outcome)))
            peer = plain.run(seed, duration_s, run / "plain", store, click.echo) if compare else None
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from None
    figures = report.document(outcome)
    if peer:
        click.echo("\n".join(report.comparison(figures, peer)))
        figures["plain_celery"] = peer
    report.write_json(results / "storm.json", about, figures)
    if not outcome.is_clean:
        raise SystemExit(1)


def _stop(number: int, frame: FrameType | None) -> None:
    # As Ctrl-C does: every `with` block ends its processes.
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
