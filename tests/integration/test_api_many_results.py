"""The results of many jobs in one answer, and their end."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import redis
from flask.testing import FlaskClient

from api.many_results import MAX_RESULTS_BYTES
from tasks import keys
from tasks.api_keys import parse_api_keys
from tasks.job import Failure, FailureType, new_job_id
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.http_api import NPZ, OLD_ID, error_type, make_http, play_worker, publish_models, submit
from tests.stand_in_worker import StandInWorker


def results(http: FlaskClient, ids: list[str], accept: str = "application/json") -> Any:
    return http.post("/v1/jobs:results", json={"ids": ids}, headers={"Accept": accept})


def ended(http: FlaskClient, job_store: JobStore, **outputs: Any) -> str:
    job_id = submit(http)
    play_worker(job_store, job_id, {name: np.asarray(value) for name, value in outputs.items()} or None)
    return job_id


def test_the_results_there_are_come_by_job_id_and_others_are_absent(http: FlaskClient, job_store: JobStore) -> None:
    first, second, queued, failed = (
        ended(http, job_store),
        ended(http, job_store, y=[[1, 2]]),
        submit(http),
        submit(http),
    )
    worker = StandInWorker(job_store)
    worker.fail(worker.start(failed), Failure(FailureType.MODEL_ERROR, "It broke."))
    detected = submit(http)
    play_worker(job_store, detected, {"boxes": np.zeros((1, 0, 4))}, {"detections": [[]]})
    ids = [second, queued, first, failed, OLD_ID, "nonsense", new_job_id(), first, detected]
    answer = results(http, ids)
    assert answer.json == {
        "results": {
            first: {"outputs": {"y": [[0.5]]}},
            second: {"outputs": {"y": [[1, 2]]}},
            detected: {"detections": [[]]},
        },
        "left": 0,
    }
    assert answer.headers["Celeriac-Left"] == "0"
    assert results(http, []).json == {"results": {}, "left": 0}


def test_as_an_archive_each_output_is_a_member_of_its_job(http: FlaskClient, job_store: JobStore) -> None:
    first, second = ended(http, job_store, y=[[1.5]]), ended(http, job_store, **{"a/b": [[2]], "c": [[3]]})
    answer = results(http, [first, submit(http), second, first], NPZ)
    assert answer.headers["Content-Type"] == NPZ
    assert "Accept" in answer.headers["Vary"]
    with np.load(io.BytesIO(answer.data), allow_pickle=False) as archive:
        assert {name: archive[name].tolist() for name in archive.files} == {
            f"{first}/y": [[1.5]],
            f"{second}/a/b": [[2]],
            f"{second}/c": [[3]],
        }


@pytest.mark.parametrize("accept", ["application/json", NPZ])
def test_results_that_are_too_much_for_an_answer_are_left_for_the_next(
    http: FlaskClient, job_store: JobStore, accept: str
) -> None:
    large = np.zeros((1, MAX_RESULTS_BYTES // 3), "uint8")
    ids = [ended(http, job_store), *(ended(http, job_store, y=large) for _ in range(5)), submit(http)]
    got, asked = [], 0
    left = len(ids)
    while left:
        answer = results(http, ids[-left:], accept)
        left, asked = int(answer.headers["Celeriac-Left"]), asked + 1
        named = np.load(io.BytesIO(answer.data)).files if accept == NPZ else answer.json["results"]
        got += [name.removesuffix("/y") for name in named]
    assert got == ids[:-1]
    assert asked == 3


def test_a_result_that_is_more_than_an_answer_may_have_comes_alone(http: FlaskClient, job_store: JobStore) -> None:
    ids = [ended(http, job_store, y=np.zeros((1, MAX_RESULTS_BYTES + 1), "uint8")) for _ in range(2)]
    answer = results(http, ids, NPZ)
    assert (len(np.load(io.BytesIO(answer.data)).files), answer.headers["Celeriac-Left"]) == (1, "1")


def test_freed_results_are_gone_and_the_records_stay(
    http: FlaskClient, job_store: JobStore, client: redis.Redis
) -> None:
    first, second, queued = ended(http, job_store), ended(http, job_store), submit(http)
    answer = http.post("/v1/jobs:free", json={"ids": [first, queued, "nonsense", OLD_ID, first]})
    assert answer.json == {"freed": 1}
    assert not client.exists(keys.job_result(first))
    assert list(results(http, [first, second]).json["results"]) == [second]
    assert job_store.get(first).is_finished
    assert client.exists(keys.job_input(queued))
    assert http.post("/v1/jobs:free", json={"ids": [first]}).json == {"freed": 0}
    assert http.post("/v1/jobs:free", json={"ids": []}).json == {"freed": 0}


def test_nobody_gets_or_frees_results_of_another_owner(job_store: JobStore, registry: ModelRegistry) -> None:
    publish_models(registry)
    http = make_http(job_store, registry, api_keys=parse_api_keys("ann:a,bob:b"))
    http.environ_base["HTTP_X_API_KEY"] = "a"
    of_ann = ended(http, job_store)
    http.environ_base["HTTP_X_API_KEY"] = "b"
    assert results(http, [of_ann]).json["results"] == {}
    assert np.load(io.BytesIO(results(http, [of_ann], NPZ).data)).files == []
    assert http.post("/v1/jobs:free", json={"ids": [of_ann]}).json == {"freed": 0}
    http.environ_base["HTTP_X_API_KEY"] = "a"
    assert list(results(http, [of_ann]).json["results"]) == [of_ann]


@pytest.mark.parametrize("path", ["/v1/jobs:results", "/v1/jobs:free"])
def test_wrong_ids_are_400_and_a_body_that_is_no_json_415(http: FlaskClient, path: str) -> None:
    for ids in ("abc", ["1"] * 1001, [5], None):
        assert error_type(http.post(path, json={"ids": ids}), 400) == "invalid_body"
    assert error_type(http.post(path, data=b"[]"), 415) == "unsupported_media_type"


def test_results_in_a_form_that_there_is_not_are_406(http: FlaskClient) -> None:
    assert error_type(results(http, [], "image/png"), 406) == "not_acceptable"
