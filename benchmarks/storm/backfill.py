"""`python -m benchmarks.storm.backfill`: one backfill, killed again and again with workers and broker, and an audit."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import click

from benchmarks.contestant import ROOT
from benchmarks.errors import BenchmarkError
from benchmarks.machine import describe_machine, load_average, today
from benchmarks.storm import answers
from benchmarks.storm.backfill_audit import MODEL, Faults, audit, input_lines
from benchmarks.storm.crew import Crew
from benchmarks.storm.lineup import Lineup, celeriac
from benchmarks.storm.report import write_json
from benchmarks.storm.schedule import BROKER, WORKERS, WORKERS_PER_MODEL, Action, Deed, worker
from tasks.broker import connect
from tasks.errors import BrokerUnavailable
from tasks.model_registry import ModelRegistry

BACKFILL = "backfill"

#: Killed sooner than this after its start, a backfill has not read its checkpoint.
_LEAST_LIFE_S = 2.0

#: Of the finished jobs, so that the broker keeps them all the time.
_RESULT_TTL_S = 7200

#: Exit codes that end a backfill: all rows have answers, or some failed.
_ENDED = (0, 2)

#: Two: one works while the other starts again.
_OURS = tuple(worker(MODEL, number) for number in range(WORKERS_PER_MODEL))


class Backfill:
    """The command, started again whenever it was killed.

    Attributes:
        lives: How often it was started.
    """

    def __init__(self, lineup: Lineup, input: Path, output: Path) -> None:
        command = ["backfill", str(input), "--model", MODEL, "--output", str(output)]
        url = f"http://127.0.0.1:{lineup.port}"
        self._argv = [sys.executable, "-c", "from client.cli import main; main()", *command, "--url", url]
        self._environment = dict(lineup.environment)
        self._log = lineup.folder / "logs" / "backfill.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self.lives = 0

    def __enter__(self) -> Backfill:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def revive(self) -> int | None:
        """Start it when it is not there; its exit code when it has ended by itself."""
        code = None if self._process is None else self._process.poll()
        if code in _ENDED:
            return code
        if self._process is None or code is not None:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(self._argv, cwd=ROOT, env=self._environment, stdout=log, stderr=log)
            self._started_s = time.monotonic()
            self.lives += 1
        return None

    def kill(self) -> bool:
        """SIGKILL, once it has lived long enough; whether it met it alive."""
        is_alive = self._process is not None and self._process.poll() is None
        if not is_alive or time.monotonic() - self._started_s < _LEAST_LIFE_S:
            return False
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        return True


@click.command()
@click.option("--rows", type=click.IntRange(1000), default=120_000, show_default=True, help="Of the input.")
@click.option("--backfill-kills", type=click.IntRange(0), default=20, show_default=True)
@click.option("--worker-kills", type=click.IntRange(0), default=20, show_default=True)
@click.option("--broker-kills", type=click.IntRange(0), default=3, show_default=True)
@click.option("--every-s", type=click.FloatRange(0.5), default=4.0, show_default=True, help="Between two kills.")
@click.option("--limit-s", type=click.FloatRange(10), default=1200, show_default=True, help="For all of it.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the kills' order.")
@click.option("--results", type=click.Path(path_type=Path), default=ROOT / "benchmarks" / "results", help="A folder.")
@click.option("--cache", type=click.Path(path_type=Path), default=ROOT / ".cache" / "storm", help="Kept for next time.")
def main(
    rows: int,
    backfill_kills: int,
    worker_kills: int,
    broker_kills: int,
    every_s: float,
    limit_s: float,
    seed: int,
    results: Path,
    cache: Path,
) -> None:
    """Kill a backfill, its workers and its broker during one run, and look for each row."""
    cache.resolve().mkdir(parents=True, exist_ok=True)
    kills = _kills(random.Random(seed), backfill_kills, worker_kills, broker_kills)
    with tempfile.TemporaryDirectory(prefix="backfill-", dir=cache.resolve()) as scratch:
        folder = Path(scratch)
        try:
            answers.prepare(cache.resolve() / "models", folder / "answers")
            done, lives, duration_s, faults = _run(folder, cache.resolve() / "models", rows, kills, every_s, limit_s)
        except BenchmarkError as error:
            raise click.ClickException(str(error)) from None
    told = {
        "date": today(),
        "machine": describe_machine(),
        "load_average": round(load_average(), 1),
        "rows": rows,
        "kills": dict(done),
        "lives_of_the_backfill": lives,
        "duration_s": round(duration_s, 1),
        "faults": asdict(faults),
    }
    write_json(results / "backfill-storm.json", told)
    click.echo(f"{rows:,} rows in {duration_s:.0f} s; killed: {dict(done)}; {asdict(faults)}")
    if not faults.is_clean or done.total() < len(kills):
        raise SystemExit(1)


def _kills(chance: random.Random, backfills: int, workers: int, brokers: int) -> list[str]:
    targets = [BACKFILL] * backfills + [_OURS[number % len(_OURS)] for number in range(workers)] + [BROKER] * brokers
    chance.shuffle(targets)
    return targets


def _run(
    folder: Path, store: Path, rows: int, kills: list[str], every_s: float, limit_s: float
) -> tuple[Counter[str], int, float, Faults]:
    given, output = folder / "rows.jsonl", folder / "answers.jsonl"
    given.write_text("".join(f"{line}\n" for line in input_lines(rows)))
    lineup = _ours(celeriac(folder / "system", store, _RESULT_TTL_S))
    done: Counter[str] = Counter()
    with Crew(lineup) as crew, Backfill(lineup, given, output) as backfill:
        began_s = next_s = time.monotonic()
        waiting = list(kills)
        while backfill.revive() is None:
            now_s = time.monotonic()
            if now_s - began_s > limit_s:
                raise BenchmarkError(f"The backfill did not end within {limit_s:.0f} s; see its log.")
            crew.revive()
            if waiting and now_s >= next_s + every_s and _strike(waiting[-1], crew, backfill):
                done[waiting.pop()] += 1
                next_s = now_s
            time.sleep(0.02)
        lives = backfill.lives
    duration_s = time.monotonic() - began_s
    if waiting:
        click.echo(f"The backfill ended before {len(waiting)} kills; give it more --rows.", err=True)
    errors = output.with_name(f"{output.name}.errors.jsonl")
    with output.open() as answered, errors.open() as failed:
        return done, lives, duration_s, audit(answered, failed, rows)


def _strike(target: str, crew: Crew, backfill: Backfill) -> bool:
    if target == BACKFILL:
        return backfill.kill()
    action = Action(0.0, Deed.KILL, target)
    before = crew.done[Deed.KILL, target]
    crew.strike(action)
    return crew.done[Deed.KILL, target] > before


def _ours(lineup: Lineup) -> Lineup:
    """The same without the workers of the other model."""
    registry = ModelRegistry(connect(lineup.url))
    commands = {name: argv for name, argv in lineup.commands.items() if name not in WORKERS or name in _OURS}

    def is_ready() -> bool:
        with suppress(BrokerUnavailable):
            return any(one.name == MODEL and len(one.workers) >= len(_OURS) for one in registry.all())
        return False

    return replace(lineup, commands=commands, is_ready=is_ready)


if __name__ == "__main__":
    main()
