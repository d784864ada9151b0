"""Services that stop while clients are at work: the supervisor starts them again, and no client is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable

import psutil
import pytest

from tasks import keys
from tasks.model_registry import ModelRegistry
from tests.http_clients import clients
from tests.system import Running, eventually

MODEL = "linear-pb"


def first_of(system: Running, *words: str) -> int:
    """The pid of the service whose command line holds these words; not one of its children."""
    var = str(system.settings.var)
    found = {one.pid: one for one in psutil.process_iter() if _is_ours(one, var) and set(words) <= set(one.cmdline())}
    [pid] = [pid for pid, one in found.items() if one.ppid() not in found]
    return pid


def _is_ours(process: psutil.Process, var: str) -> bool:
    try:
        return process.environ().get("CELERIAC_VAR") == var
    except psutil.Error:
        return False


PIDS: dict[str, Callable[[Running], int]] = {
    "api": lambda system: first_of(system, "-m", "api"),
    f"worker-{MODEL}": lambda system: ModelRegistry(system.redis()).get(MODEL).workers[0].pid,
    "keeper": lambda system: first_of(system, "celery", "-B"),
    "flower": lambda system: first_of(system, "celery", "flower"),
    "broker": lambda system: system.redis().info("server")["process_id"],
}

#: Those that no client has to do with.
UNNOTICED = ("keeper", "flower")


def ends(system: Running) -> int:
    """How many jobs have ended; each end counts."""
    return sum(map(int, system.redis().hvals(keys.finished(MODEL))))


@pytest.mark.parametrize(
    ("service", "number"), [*((service, signal.SIGTERM) for service in PIDS), ("flower", signal.SIGKILL)]
)
def test_a_service_that_is_stopped_under_load_costs_its_clients_a_retry_at_most(
    system: Running, service: str, number: signal.Signals
) -> None:
    ended = ends(system)
    with clients(system.url, MODEL, lambda number: {"x": [[number] * 3]}) as working:
        working.await_more()
        # When the service is told to stop, or killed
        said = len(system.said)
        psutil.Process(PIDS[service](system)).send_signal(number)
        # Then it is started again, and the clients go on
        eventually(lambda: f"{service} is ready again." in system.said[said:], 90)
        working.await_more()
    assert working.surprises == []
    assert working.retries == [] or service not in UNNOTICED
    jobs = system.job_store().find_many(list(working.records))
    assert {(job.status, job.attempt) for job in jobs if job} == {("succeeded", 1)}
    assert None not in jobs
    # And no request has become two jobs, however often it was sent
    assert len(jobs) == len(working.requests) == ends(system) - ended
