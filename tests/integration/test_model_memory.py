from __future__ import annotations

import redis

from tasks.job import Job, new_job_id
from tasks.job_store import JobStore
from tasks.model_memory import Demand, ModelMemory
from tasks.model_registry import ModelRegistry, ModelStatus
from tests.http_api import publish_models
from tests.stand_in_worker import StandInWorker


def test_demand_is_told_of_models_with_and_without_jobs(client: redis.Redis, job_store: JobStore) -> None:
    jobs = [Job(id=new_job_id(), model="digits", version=1) for _ in range(4)]
    for job in jobs:
        job_store.submit(job, b"payload")
    worker = StandInWorker(job_store)
    worker.succeed(worker.start(jobs[0].id), {})
    worker.start(jobs[1].id)
    told = ModelMemory(client).demand(["digits", "nobody"])
    assert told == {"digits": Demand(unfinished=3, running=1, ended=1), "nobody": Demand(0, 0, 0)}


def test_a_new_start_of_the_system_forgets_what_models_waited_for_but_not_their_memory(
    client: redis.Redis, registry: ModelRegistry
) -> None:
    publish_models(registry)
    memory = ModelMemory(client)
    memory.publish({"pairs": "a job", "new": "a job"}, {"pairs": 300})
    memory.publish({"new": None}, {"pairs": 350})
    assert registry.get("pairs").waits_for == "a job"
    registry.expect(["pairs"])
    record = registry.get("pairs")
    assert (record.waits_for, record.memory_bytes, record.status) == (None, 350, ModelStatus.READY)
