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
from benchmarks.storm import answers, course, plain, report
from benchmarks.storm.course import Plan


@click.command()
@click.option("--duration-s", type=click.FloatRange(5), default=600, show_default=True, help="How long it lasts.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the schedule.")
@click.option("--calm-s", type=click.FloatRange(1), default=300, show_default=True, help="For the last jobs to end.")
@click.option("--results", type=click.Path(path_type=Path), default=ROOT / "benchmarks" / "results", help="A folder.")
@click.option("--cache", type=click.Path(path_type=Path), default=ROOT / ".cache" / "storm", help="Kept for next time.")
@click.option("--compare", is_flag=True, help="The same over plain Celery, too.")
def main(duration_s: float, seed: int, calm_s: float, results: Path, cache: Path, compare: bool) -> None:
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
    plan = Plan(seed, duration_s, calm_s)
    try:
        # Beside the cache, not in /tmp: that may be memory, where writing to disk costs nothing.
        with tempfile.TemporaryDirectory(prefix="run-", dir=cache) as folder:
            store, run = cache / "models", Path(folder)
            right = answers.prepare(store, run / "answers")
            outcome = course.run(plan, run / "celeriac", store, right, click.echo)
            click.echo("\n".join(report.lines(outcome)))
            figures = {**about, **report.document(outcome)}
            report.write_json(results / "storm.json", figures)
            if compare:
                figures["plain_celery"] = plain.run(plan, run / "plain", store, right, click.echo)
                click.echo("\n".join(report.comparison(figures, figures["plain_celery"])))
                report.write_json(results / "storm.json", figures)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from None
    if not outcome.is_clean:
        raise SystemExit(1)


def _stop(number: int, frame: FrameType | None) -> None:
    # As Ctrl-C does: every `with` block ends its processes.
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
