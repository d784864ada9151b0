"""A job's signature over HTTP: chosen, checked against, recorded, told."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient

from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.http_api import NPY, PICTURES, ROWS, TWO_INPUTS, WORKER, card, card_of_signatures, error_type, npy, png

URL = "/v1/models/many/jobs"
PAIR = {"inputs": {"a": [[1, 2]], "b": [3]}}


@pytest.fixture(autouse=True)
def published(registry: ModelRegistry) -> None:
    many = card_of_signatures("many", "classify", classify=ROWS, pair=TWO_INPUTS, look=PICTURES)
    many["signatures"]["look"] |= {"takes_pictures": True, "kind": "detector"}
    registry.publish_ready(many, WORKER)


def test_the_signature_comes_in_the_query_the_form_or_json_and_stands_in_the_record(
    http: FlaskClient, job_store: JobStore
) -> None:
    in_query = http.post(f"{URL}?signature=pair", json=PAIR)
    in_json = http.post(URL, json={**PAIR, "parameters": {"signature": "pair"}})
    form = {"image": (io.BytesIO(png()), "p.png"), "signature": "look", "annotate": "true"}
    in_form = http.post(URL, data=form)
    assert [answer.status_code for answer in (in_query, in_json, in_form)] == [202] * 3
    assert [answer.json["signature"] for answer in (in_query, in_json, in_form)] == ["pair", "pair", "look"]
    assert job_store.get(in_query.json["id"]).signature == "pair"
    assert http.get(in_form.headers["Location"]).json["signature"] == "look"


def test_without_one_the_default_signature_checks_the_input_and_the_record_has_null(http: FlaskClient) -> None:
    answer = http.post(URL, json={"instances": [[1, 2, 3, 4]]})
    assert (answer.status_code, answer.json["signature"]) == (202, None)
    assert error_type(http.post(URL, json=PAIR), 400) == "invalid_input"


def test_an_input_is_checked_against_the_signature_that_was_asked_for(http: FlaskClient) -> None:
    answer = http.post(f"{URL}?signature=pair", data=npy([[1, 2, 3, 4]]), content_type=NPY)
    assert error_type(answer, 400) == "invalid_input"
    assert "with the arrays a, b" in answer.json["error"]["message"]
    # A picture goes to the signature that takes pictures, and to no other.
    assert http.post(f"{URL}?signature=look", data=png(), content_type="image/png").status_code == 202
    assert error_type(http.post(URL, data=png(), content_type="image/png"), 415) == "unsupported_media_type"
    # So do the parameters of detectors.
    assert error_type(http.post(f"{URL}?signature=pair&min_score=0.5", json=PAIR), 400) == "invalid_parameter"


@pytest.mark.parametrize("name", ["nope", "serving_default", "Pair"])
def test_an_unknown_signature_is_400_with_the_names_known(http: FlaskClient, name: str) -> None:
    answer = http.post(f"{URL}?signature={name}", json=PAIR)
    assert error_type(answer, 400) == "invalid_parameter"
    assert answer.json["error"]["field"] == "parameters.signature"
    assert "one of the model's signatures classify, look, pair" in answer.json["error"]["message"]
    assert repr(name) in answer.json["error"]["message"]


def test_a_signature_that_cannot_be_served_is_400_with_the_reason(http: FlaskClient) -> None:
    answer = http.post(f"{URL}?signature=train", json=PAIR)
    assert error_type(answer, 400) == "invalid_parameter"
    assert "'train', which cannot be served: it writes" in answer.json["error"]["message"]


@pytest.mark.parametrize("name", ["", "x" * 201])
def test_a_signature_without_a_name_or_with_an_endless_one_is_400(http: FlaskClient, name: str) -> None:
    answer = http.post(f"{URL}?signature={name}", json=PAIR)
    assert error_type(answer, 400) == "invalid_parameter"
    assert answer.json["error"]["field"] == "parameters.signature"


def test_the_signature_belongs_to_what_an_idempotency_key_compares(http: FlaskClient, registry: ModelRegistry) -> None:
    # Given two signatures that take the same inputs
    registry.publish_ready(card_of_signatures("twins", "one", one=ROWS, two=ROWS), WORKER)
    request = {"json": {"instances": [[1, 2, 3, 4]]}, "headers": {"Idempotency-Key": "k"}}
    first = http.post("/v1/models/twins/jobs?signature=one", **request)

    # Then the same request is the same job, and one for the other signature is another request
    assert http.post("/v1/models/twins/jobs?signature=one", **request).json["id"] == first.json["id"]
    assert error_type(http.post("/v1/models/twins/jobs?signature=two", **request), 422) == "idempotency_key_reused"


def test_a_model_tells_its_signatures(http: FlaskClient) -> None:
    model = http.get("/v1/models/many").json
    assert model["default_signature"] == "classify"
    assert model["signature"] == {name: model["signatures"]["classify"][name] for name in ("inputs", "outputs")}
    assert model["signatures"]["pair"]["inputs"] == TWO_INPUTS
    assert model["signatures"]["look"]["takes_pictures"]
    assert model["refused_signatures"] == {"train": "it writes"}


def test_a_card_of_an_earlier_release_has_one_signature_without_a_name(
    http: FlaskClient, registry: ModelRegistry
) -> None:
    registry.publish_ready(card("old"), WORKER)
    job = {"instances": [[1, 2, 3, 4]]}
    assert http.post("/v1/models/old/jobs", json=job).status_code == 202
    assert error_type(http.post("/v1/models/old/jobs?signature=any", json=job), 400) == "invalid_parameter"
