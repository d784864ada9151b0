from __future__ import annotations

from typing import Any

import pytest
import redis

from api.drain_rates import SAMPLES_KEPT, DrainRates
from tasks.broker import connect
from tasks.errors import BrokerUnavailable
from tasks.job import Job, new_job_id
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry


def submit(job_store: JobStore, model: str = "digits") -> str:
    job_id = new_job_id()
    job_store.submit(Job(id=job_id, model=model, version=1), b"")
    return job_id


def test_the_rate_of_a_model_is_known_after_two_looks_at_a_queue_that_holds_jobs(
    job_store: JobStore, registry: ModelRegistry
) -> None:
    rates = DrainRates(registry)
    jobs = [submit(job_store) for _ in range(10)]
    assert rates.rate("digits") is None
    rates.sample(now_s=100)
    assert rates.rate("digits") is None
    for job_id in jobs[:4]:
        job_store.cancel(job_id)
    rates.sample(now_s=102)
    assert rates.rate("digits") == 2.0
    # What ended before the last minute counts no more
    for second in range(SAMPLES_KEPT):
        rates.sample(now_s=104 + 2 * second)
    assert rates.rate("digits") == 0.0


def test_models_that_nobody_sends_jobs_to_are_not_looked_at(client: redis.Redis, registry: ModelRegistry) -> None:
    rates = DrainRates(registry)
    client.config_resetstat()
    rates.sample(now_s=100)
    told: dict[str, Any] = client.info("commandstats")
    assert "cmdstat_zcard" not in told


def test_a_broker_that_is_away_leaves_the_rates_as_they_were() -> None:
    rates = DrainRates(ModelRegistry(connect("redis://127.0.0.1:1/0")))
    rates.rate("digits")
    with pytest.raises(BrokerUnavailable):
        rates.sample(now_s=100)
    assert rates.rate("digits") is None
