"""Pausing a model over HTTP: who may, what is told of it, and what goes on meanwhile. No worker is needed."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from api.drain import LONGEST_RETRY_S
from api.services import services_of
from tasks import keys
from tasks.caps import Caps
from tasks.job_end import DONE
from tasks.job_store import JobStore
from tasks.model_memory import Demand, ModelMemory
from tasks.model_registry import ModelRegistry
from tests.http_api import error_type, make_http, publish_models, submit
from tests.stand_in_worker import StandInWorker
from tests.valkey import Valkey

ROW = {"instances": [[1, 2, 3, 4]]}


def pause(http: FlaskClient, verb: str = "pause", model: str = "digits") -> Any:
    answer = http.post(f"/v1/models/{model}:{verb}")
    assert answer.status_code == 200, answer.text
    return answer.json


def test_a_model_is_paused_and_resumed_and_says_so(http: FlaskClient) -> None:
    # When it is paused twice and resumed twice, then each answer is the model as it is now
    assert [pause(http, verb)["paused"] for verb in ("pause", "pause", "resume", "resume")] == [
        True,
        True,
        False,
        False,
    ]
    card = pause(http)
    assert card == http.get("/v1/models/digits").json
    assert (card["status"], len(card["workers"])) == ("ready", 1)
    assert {model["name"]: model["paused"] for model in http.get("/v1/models").json["models"]} == {
        "boxes": False,
        "digits": True,
        "pairs": False,
    }
    metrics = http.get("/metrics").text
    assert 'celeriac_model_paused{model="digits"} 1.0' in metrics
    assert 'celeriac_model_paused{model="pairs"} 0.0' in metrics


@pytest.mark.parametrize("verb", ["pause", "resume"])
@pytest.mark.parametrize("model", ["none", "NONE", "digits:pause", "%0A"])
def test_a_model_that_nobody_knows_is_404(http: FlaskClient, client: redis.Redis, verb: str, model: str) -> None:
    assert error_type(http.post(f"/v1/models/{model}:{verb}"), 404) == "model_not_found"
    assert not client.exists(keys.PAUSED)


def test_jobs_of_a_paused_model_are_accepted_and_say_what_they_wait_for(http: FlaskClient, job_store: JobStore) -> None:
    begun = submit(http)
    worker = StandInWorker(job_store)
    running = worker.start(begun)
    pause(http)
    assert not http.get(f"/v1/jobs/{begun}").json["paused"]
    answer = http.post("/v1/models/digits/jobs", json=ROW)
    assert (answer.status_code, answer.json["paused"], answer.json["queue_position"]) == (202, True, 0)
    waiting = answer.json["id"]
    assert http.get(f"/v1/jobs/{waiting}").json["paused"]
    # One that has ended waits for nothing, nor does another model's
    assert worker.succeed(running, {}) == DONE
    assert not http.get(f"/v1/jobs/{begun}").json["paused"]
    other = http.post("/v1/models/pairs/jobs", json={"instances": [{"a": [1, 2], "b": 3}]}).json
    assert not other["paused"]
    pause(http, "resume")
    assert not http.get(f"/v1/jobs/{waiting}").json["paused"]


def test_jobs_of_a_paused_model_are_cancelled_and_expire(
    http: FlaskClient, client: redis.Redis, job_store: JobStore
) -> None:
    pause(http)
    cancelled, late = submit(http), submit(http, json=ROW, query_string="expires_in_s=0.001")
    assert http.delete(f"/v1/jobs/{cancelled}").json["status"] == "cancelled"
    client.zadd(keys.DEADLINES, {late: 1})
    assert job_store.expire_overdue() == 1
    assert http.get(f"/v1/jobs/{late}").json["status"] == "expired"


def test_a_full_queue_that_is_paused_says_so_and_asks_for_the_longest_pause(
    client: redis.Redis, registry: ModelRegistry
) -> None:
    publish_models(registry)
    http = make_http(JobStore(client, 3600, Caps(queued_jobs=1)), registry)
    rates = services_of(http.application).rates
    first = submit(http)
    pause(http)
    rates.sample(now_s=100)
    answer = http.post("/v1/models/digits/jobs", json=ROW)
    assert error_type(answer, 429) == "queue_full"
    assert answer.json["error"]["message"].endswith("The model is paused.")
    assert answer.headers["Retry-After"] == str(LONGEST_RETRY_S)
    # Once it is resumed, the time in which it was paused counts for nothing
    pause(http, "resume")
    http.delete(f"/v1/jobs/{first}")
    submit(http)
    rates.sample(now_s=102)
    assert rates.rate("digits") is None


def test_jobs_that_wait_for_a_paused_model_ask_for_no_worker(
    http: FlaskClient, client: redis.Redis, job_store: JobStore
) -> None:
    memory = ModelMemory(client)
    ids = [submit(http) for _ in range(3)]
    worker = StandInWorker(job_store)
    running = worker.start(ids[0])
    assert memory.demand(["digits"]) == {"digits": Demand(unfinished=3, running=1, ended=0)}
    # When it is paused, then only the one that runs needs a worker
    pause(http)
    assert memory.demand(["digits"]) == {"digits": Demand(unfinished=1, running=1, ended=0)}
    assert worker.succeed(running, {}) == DONE
    assert memory.demand(["digits"]) == {"digits": Demand(unfinished=0, running=0, ended=1)}
    pause(http, "resume")
    assert memory.demand(["digits"]) == {"digits": Demand(unfinished=2, running=0, ended=1)}


def test_a_pause_outlives_the_broker_and_a_new_start_of_the_system(
    valkey: Valkey, http: FlaskClient, registry: ModelRegistry
) -> None:
    pause(http)
    valkey.kill()
    valkey.start()
    registry.expect(["digits"])
    publish_models(registry)
    assert http.get("/v1/models/digits").json["paused"]


def test_a_pause_that_another_process_was_asked_for_is_seen_soon(http: FlaskClient, registry: ModelRegistry) -> None:
    job_id = submit(http)
    assert not http.get(f"/v1/jobs/{job_id}").json["paused"]
    pauses = services_of(http.application).pauses
    registry.pause("digits")
    pauses.forget()
    assert http.get(f"/v1/jobs/{job_id}").json["paused"]
