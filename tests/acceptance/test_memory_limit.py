"""A store that is larger than the memory for it: three models, of which two fit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import pytest

from tasks.supervisor.memory_plan import IDLE_S, MemoryUse, Standing
from tests.system import Running, eventually, running
from tests.tiny_models import add_linear
from tests.worker_models import add_willing, willing_inputs

#: A worker of a tiny model takes 300 MB of its own, and 360 MB that all share (tensorflow-cpu 2.21).
LIMIT_MB = 1150
#: What a worker may take between two looks of the supervisor.
TOLERANCE = 1.05

#: The last in the store, so the last to be tried.
SLOW = "slow"
MODELS = ("first", "second", SLOW)
BATCH_S = 4
ROWS = {"instances": [[1.0, 2.0, 3.0]]}


def gives_way_at_once(use: MemoryUse, now_s: float) -> bool:
    """The real rule, but that busy workers need not serve for a while first."""
    return use.standing is Standing.READY and (use.is_busy or now_s - use.used_s >= IDLE_S)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("memory")
    add_linear(folder / "store", "first")
    add_linear(folder / "store", "second")
    add_willing(folder / "store", SLOW, "[batching]\nmax_batch_size = 1\n")
    settings = {
        "CELERIAC_MEMORY_LIMIT_MB": str(LIMIT_MB),
        # Less than a batch takes: a worker that gives way must not be ended when it is over.
        "CELERIAC_STOP_GRACE_S": "1",
        "CELERIAC_PARALLEL_BATCHES": "1",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryUse, "may_give_way", gives_way_at_once)
        with running(folder / "store", folder / "var", **settings) as system:
            yield system


def models(system: Running) -> dict[str, dict[str, Any]]:
    with system.http() as http:
        return {model["name"]: model for model in http.get("/v1/models").json()["models"]}


def submit(system: Running, model: str, body: dict[str, Any]) -> str:
    with system.http() as http:
        answer = http.post(f"/v1/models/{model}/jobs", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def slow_rows(wait_s: float) -> dict[str, Any]:
    arrays = willing_inputs(1, wait_ms=round(wait_s * 1000))
    return {"inputs": {name: array.tolist() for name, array in arrays.items()}}


@contextmanager
def watched_mb() -> Iterator[list[float]]:
    """What all workers take together, measured all the time by the kernel's own count of unshared memory."""
    seen: list[float] = [0.0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.3):
            seen.append(_workers_mb())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def _workers_mb() -> float:
    own, shared = [0], [0]
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if any(f"model.{name}" in process.cmdline() for name in MODELS):
                memory = process.memory_full_info()
                own.append(memory.uss)
                shared.append(memory.rss - memory.uss)
    return (sum(own) + max(shared)) / 1e6


def test_a_store_larger_than_the_memory_is_served_whole(system: Running) -> None:
    # Given that each model was tried once, and one had to go again
    assert not system.given_up
    shown = models(system)
    [out] = [name for name, model in shown.items() if model["status"] == "evicted"]
    [inside] = {"first", "second"} - {out}
    assert shown[out]["waits_for"] == "a job, which starts its worker"
    assert all(model["memory_bytes"] > 100e6 and model["signature"] for model in shown.values())
    assert shown[SLOW]["workers"][0]["device"].startswith("CPU")

    # When all have jobs, one of them amid a batch that lasts longer than a worker's grace
    def out_waits_for_memory() -> bool:
        return "can make room" in (models(system)[out]["waits_for"] or "")

    with watched_mb() as seen:
        jobs = [submit(system, SLOW, slow_rows(wait_s)) for wait_s in (BATCH_S, 0, 0)]
        jobs += [submit(system, model, ROWS) for model in (inside, out, out)]
        eventually(out_waits_for_memory, 10)
        with system.http() as http:
            assert http.get("/readyz").status_code == 200
        records = [system.finished(job_id) for job_id in jobs]

    # Then none fails, none is begun twice, and the memory is kept
    assert [(record["status"], record["attempt"]) for record in records] == [("succeeded", 1)] * len(jobs)
    assert f"worker-{SLOW} is stopped to make room for {out}; its next job starts it again." in system.said
    assert f"worker-{out} is started, as jobs wait for it." in system.said
    assert LIMIT_MB / 2 < max(seen) < LIMIT_MB * TOLERANCE
    assert not [line for line in system.said if "died" in line]
