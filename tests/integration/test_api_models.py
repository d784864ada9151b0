from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from tasks.job_store import JobStore
from tasks.model_memory import ModelMemory
from tasks.model_registry import ModelRegistry
from tests.http_api import WORKER, card, make_http, play_worker, publish_models, submit
from tests.stand_in_worker import StandInWorker


@pytest.fixture
def http(job_store: JobStore, registry: ModelRegistry) -> Iterator[FlaskClient]:
    with make_http(job_store, registry) as http:
        yield http


def test_a_model_shows_its_card_its_workers_and_its_load(
    http: FlaskClient, job_store: JobStore, registry: ModelRegistry
) -> None:
    publish_models(registry)
    play_worker(job_store, submit(http))
    StandInWorker(job_store).start(submit(http))
    submit(http)
    model = http.get("/v1/models/digits").json
    assert model.pop("oldest_age_s") > 0
    assert model == {
        "name": "digits",
        "status": "ready",
        "version": 1,
        "versions": [1],
        "labels_of_versions": {"latest": 1},
        "shares": {},
        "failures": [],
        "labels_failure": None,
        "format": "keras",
        "kind": "tensors",
        "signature": card("digits")["signature"],
        # The card is one of an earlier release.
        "default_signature": None,
        "signatures": None,
        "refused_signatures": None,
        "takes_pictures": False,
        "workers": [{"name": "digits@host", "version": 1, "versions": [], "device": "CPU"}],
        "batching": None,
        "tuning": None,
        "queued": 1,
        "running": 1,
        "finished": {"succeeded": 1},
        "failure": None,
        "gave_up": False,
        "waits_for": None,
        "memory_bytes": None,
        "paused": False,
    }
    listed = http.get("/v1/models").json["models"]
    assert [one["name"] for one in listed] == ["boxes", "digits", "pairs"]
    assert listed[0]["oldest_age_s"] is None


def test_a_model_shows_how_its_rows_share_calls(http: FlaskClient, registry: ModelRegistry) -> None:
    batching = {"max_batch_size": 64, "max_batch_wait_ms": 0.0, "sizes": [8, 64]}
    registry.publish_ready(card("digits", batching=batching), WORKER)
    assert http.get("/v1/models/digits").json["batching"] == batching


def test_a_model_that_was_never_ready_shows_why(http: FlaskClient, registry: ModelRegistry) -> None:
    registry.expect(["slow", "broken"])
    registry.give_up("broken", "The file is truncated.")
    slow, broken = http.get("/v1/models/slow").json, http.get("/v1/models/broken").json
    assert (slow["status"], slow["failure"], slow["gave_up"]) == ("loading", None, False)
    assert (broken["status"], broken["failure"], broken["gave_up"]) == ("failed", "The file is truncated.", True)
    assert (broken["version"], broken["versions"], broken["signature"]) == (None, [], None)


def test_an_evicted_model_takes_jobs_counts_as_ready_and_says_what_it_waits_for(
    http: FlaskClient, registry: ModelRegistry, client: redis.Redis
) -> None:
    registry.expect(["digits"])
    publish_models(registry)
    ModelMemory(client).publish({"digits": "a job"}, {"digits": 450_000_000})
    # Given that its worker still tells that it lives
    shown = http.get("/v1/models/digits").json
    assert (shown["status"], shown["waits_for"], shown["memory_bytes"]) == ("ready", None, 450_000_000)
    # When it has ended
    registry.retire("digits", WORKER)
    shown = http.get("/v1/models/digits").json
    assert (shown["status"], shown["waits_for"], shown["workers"]) == ("evicted", "a job", [])
    assert http.get("/readyz").status_code == 200
    assert submit(http)
    # When it is in memory again, but not ready
    ModelMemory(client).publish({"digits": None}, {})
    assert http.get("/v1/models/digits").json["status"] == "loading"
    assert http.get("/readyz").status_code == 503


def test_an_unknown_model_is_404_naming_the_known_ones(http: FlaskClient, registry: ModelRegistry) -> None:
    publish_models(registry)
    answer = http.get("/v1/models/dogs")
    assert (answer.status_code, answer.json["error"]["type"]) == (404, "model_not_found")
    assert "boxes, digits, pairs" in answer.json["error"]["message"]


def test_it_is_ready_when_each_expected_model_is_or_was_given_up(http: FlaskClient, registry: ModelRegistry) -> None:
    assert http.get("/readyz").json == {"status": "ready"}
    registry.expect(["digits", "broken"])
    registry.publish_failure("broken", "The file is truncated.")
    answer = http.get("/readyz")
    assert (answer.status_code, answer.json["error"]["type"]) == (503, "not_ready")
    assert "broken (failed), digits (loading)" in answer.json["error"]["message"]
    assert int(answer.headers["Retry-After"]) > 0
    registry.publish_ready(card("digits"), WORKER)
    registry.give_up("broken", "The file is truncated.")
    answer = http.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ready"})


def test_metrics_tell_the_load_on_each_model(
    http: FlaskClient, job_store: JobStore, registry: ModelRegistry, client: redis.Redis
) -> None:
    publish_models(registry)
    play_worker(job_store, submit(http))
    StandInWorker(job_store).start(submit(http))
    submit(http)
    submit(http)
    ModelMemory(client).publish({}, {"digits": 450_000_000})
    answer = http.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["celeriac_queued_jobs", "digits"] == 2
    assert samples["celeriac_running_jobs", "digits"] == 1
    assert samples["celeriac_finished_jobs_total", "digits", "succeeded"] == 1
    assert samples["celeriac_live_workers", "digits"] == 1
    assert samples["celeriac_oldest_job_age_seconds", "digits"] > 0
    assert samples["celeriac_queued_jobs", "boxes"] == 0
    assert samples["celeriac_model_memory_bytes", "digits"] == 450_000_000
    assert ("celeriac_model_memory_bytes", "boxes") not in samples
    assert ("celeriac_oldest_job_age_seconds", "boxes") not in samples


def test_the_index_names_urls_that_exist(http: FlaskClient) -> None:
    index = http.get("/").json
    assert (index["name"], index["version"]) == ("Celeriac", http.get("/healthz").json["version"])
    for url in index["urls"].values():
        if "{" not in url:
            assert http.get(url).status_code == 200, url
