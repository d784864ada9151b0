"""The same storm over plain Celery: what its users have when the same goes wrong, with its default settings."""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson
import psutil
import redis
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from benchmarks.contestant import ROOT
from benchmarks.storm.answers import Answers
from benchmarks.storm.course import Plan, Say, rage
from benchmarks.storm.crew import Crew
from benchmarks.storm.cut import cut
from benchmarks.storm.lineup import MARK, Lineup, broker_of
from benchmarks.storm.plain_traffic import TASK, PlainTraffic, read_results
from benchmarks.storm.schedule import BROKER, MODELS, WORKERS, Action, Deed, schedule
from benchmarks.storm.sums import poisonous_rows, rows_of
from tasks.broker import connect

_APP = "benchmarks.storm.plain_app"

#: After so long without a new result none will come.
_QUIET_S = 10.0

#: How long the workers may take to be all there again, and the clients to be answered.
_READY_S = 60.0


def run(plan: Plan, folder: Path, store: Path, answers: Answers, say: Say) -> dict[str, int]:
    """Run the schedule over plain Celery; API and keeper, which it does not have, are spared.

    Returns:
        How many jobs it took, how many processes were killed, how many jobs never get a result, how many have none yet,
        and of these how many get one after an hour at the earliest and how many wait for workers, and how many got a
        wrong one.

    Raises:
        BenchmarkError: the system cannot be started.
    """
    lineup = _lineup(folder, store)
    say("Starting plain Celery's broker and four workers.")
    with (
        Crew(lineup) as crew,
        Celery(broker=lineup.url, backend=lineup.url, set_as_current=False) as app,
        ThreadPoolExecutor(1) as mischief,
    ):
        traffic = PlainTraffic(app)
        chance = random.Random(plan.seed)

        def want(action: Action, family: Sequence[psutil.Process]) -> None:
            mischief.submit(_do, app, lineup.url, traffic, chance.random(), action, family)

        traffic.start()
        say(f"The storm begins: {plan.duration_s:.0f} s with seed {plan.seed}.")
        rage(schedule(plan.seed, plan.duration_s), plan.duration_s, crew, want)
        say("The storm is over. Waiting for the last results.")
        traffic.stop()
        crew.calm()
        # Workers that answer no more, as happens after a cut connection, are a part of what came of it.
        crew.tend_until(lineup.is_ready, _READY_S)
        crew.tend_until(traffic.has_stopped, _READY_S)
        traffic.give_up()
        with contextlib.closing(connect(lineup.url)) as client:
            results = _await_results(crew, client, list(traffic.sent), plan.calm_s)
            missing = set(traffic.sent) - set(results)
            late, stuck = missing & _fetched(client), missing & _queued(client)
    wrong = sum(not np.array_equal(given, answers.of(*traffic.sent[job_id])) for job_id, given in results.items())
    kills = sum(number for (deed, _), number in crew.done.items() if deed is Deed.KILL)
    return {
        "jobs": len(traffic.sent),
        "kills": kills,
        "lost": len(missing - late - stuck),
        "non_terminal": len(late | stuck),
        "late": len(late),
        "stuck": len(stuck),
        "wrong": wrong,
    }


def _await_results(crew: Crew, client: redis.Redis, job_ids: Sequence[str], calm_s: float) -> Mapping[str, Any]:
    """The results, once all are there or no more come."""
    results: Mapping[str, Any] = {}
    deadline_s = time.monotonic() + calm_s
    while time.monotonic() < deadline_s:
        before, results = len(results), read_results(client, job_ids)
        if len(results) in (before, len(job_ids)):
            break
        crew.tend_until(lambda: False, _QUIET_S)
    return results


def _fetched(client: redis.Redis) -> set[str]:
    """The tasks that dead workers had fetched: kombu gives them to others after its visibility timeout, an hour."""
    return {orjson.loads(entry)[0]["headers"]["id"] for entry in cast(list[bytes], client.hvals("unacked"))}


def _queued(client: redis.Redis) -> set[str]:
    """The tasks that nobody has fetched."""
    entries = [entry for model in MODELS for entry in cast(list[bytes], client.lrange(model, 0, -1))]
    return {orjson.loads(entry)["headers"]["id"] for entry in entries}


def _lineup(folder: Path, store: Path) -> Lineup:
    url, broker = broker_of(folder)
    environment = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2", "REDIS_URL": url, MARK: str(folder / "var")}
    commands = {BROKER: broker, **{name: _worker(name, store) for name in WORKERS}}
    app = Celery(broker=url, set_as_current=False)

    def is_ready() -> bool:
        with contextlib.suppress(OperationalError, RedisError, OSError):
            return len(app.control.ping(timeout=1.0) or ()) == len(WORKERS)
        return False

    return Lineup(folder, url, 0, commands, environment, is_ready)


def _worker(name: str, store: Path) -> list[str]:
    model = name.split("-")[1]
    command = ["env", f"STORM_MODEL={store / model / '1'}", sys.executable, "-m", "celery", "-A", _APP, "worker"]
    return [*command, "--pool", "solo", "-Q", model, "-n", f"{name}@storm", "--loglevel", "INFO"]


def _do(
    app: Celery, url: str, traffic: PlainTraffic, chance: float, action: Action, family: Sequence[psutil.Process]
) -> None:
    """Cut connections, or slip in what is not counted as a job. A broker that is away suffers neither."""
    if action.deed is Deed.CUT:
        with contextlib.closing(connect(url)) as client:
            cut(client, action.target, family)
    elif action.deed is Deed.POISON:
        app.send_task(TASK, [poisonous_rows().tolist()], queue=action.target)
    elif action.deed is Deed.UNDECODABLE:
        # Celery's messages hold the input itself: what is cut off is an array whose last row is shorter.
        app.send_task(TASK, [[*rows_of(2).tolist(), [0.0]]], queue=action.target)
    elif action.deed is Deed.DUPLICATE and (job_id := traffic.some_job(action.target, chance)):
        app.send_task(TASK, [rows_of(traffic.sent[job_id][1]).tolist()], task_id=job_id, queue=action.target)
