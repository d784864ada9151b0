"""Numbers, labels and shares over HTTP; the test plays the workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from tasks.job_store import JobStore
from tasks.model_registry import LiveWorker, ModelRegistry
from tests.http_api import ROWS, WORKER, card, error_type, make_http

ONE_ROW = {"instances": [[1, 2, 3, 4]]}


def publish(
    registry: ModelRegistry, worker: str, numbers: dict[int, Any], labels: dict[str, int], **over: Any
) -> LiveWorker:
    """Play a worker of `digits` that has these versions, with the inputs of each; gives what it tells of itself."""
    default = labels.get("stable", labels["latest"])
    cards = {str(number): card("digits", version=number, inputs=inputs) for number, inputs in numbers.items()}
    told = {"versions": cards, "labels_of_versions": labels, "shares": {}, "failures": [], "labels_failure": None}
    live = replace(WORKER, name=worker, version=default, versions=tuple(numbers), labels=labels)
    registry.publish_ready(cards[str(default)] | told | over, live)
    return live


@pytest.fixture
def http(job_store: JobStore, registry: ModelRegistry) -> Iterator[FlaskClient]:
    with make_http(job_store, registry) as http:
        yield http


def submit(http: FlaskClient, version: str = "") -> Any:
    path = f"/v1/models/digits/versions/{version}/jobs" if version else "/v1/models/digits/jobs"
    return http.post(path, json=ONE_ROW)


def test_a_job_gets_the_number_or_label_that_it_names_and_else_stable(
    http: FlaskClient, registry: ModelRegistry, job_store: JobStore
) -> None:
    publish(registry, "one", {3: ROWS, 4: ROWS, 5: ROWS}, {"latest": 5, "stable": 3, "canary": 4})
    got = {}
    for asked in ("", "3", "4", "5", "latest", "stable", "canary"):
        answer = submit(http, asked)
        job = job_store.get(answer.json["id"])
        assert (answer.json["version"], answer.json["label"] or "") == (job.version, job.label)
        got[asked] = (job.version, job.label, job.pinned)
    assert got == {
        "": (3, "", False),
        "3": (3, "", True),
        "4": (4, "", True),
        "5": (5, "", True),
        "latest": (5, "latest", True),
        "stable": (3, "stable", True),
        "canary": (4, "canary", True),
    }


@pytest.mark.parametrize("asked", ["2", "03", "5", "newest", "STABLE", "x" * 300])
def test_what_is_not_served_is_404_naming_all_that_is(http: FlaskClient, registry: ModelRegistry, asked: str) -> None:
    publish(registry, "one", {3: ROWS, 4: ROWS}, {"latest": 4, "stable": 3})
    answer = submit(http, asked)
    assert error_type(answer, 404) == "version_not_found"
    assert answer.json["error"]["message"].endswith("; served are 3, 4, latest (4), stable (3).")


def test_a_version_can_be_named_as_soon_as_it_is_served(http: FlaskClient, registry: ModelRegistry) -> None:
    before = publish(registry, "one", {3: ROWS}, {"latest": 3})
    assert submit(http).status_code == 202
    registry.retire("digits", before)
    publish(registry, "one", {3: ROWS, 4: ROWS}, {"latest": 4})
    assert submit(http, "4").status_code == 202


def test_each_version_is_checked_by_its_own_signature(http: FlaskClient, registry: ModelRegistry) -> None:
    wide = {"x": {"dtype": "float32", "shape": [None, 5]}}
    publish(registry, "one", {3: ROWS, 4: wide}, {"latest": 4, "stable": 3})
    assert submit(http).status_code == submit(http, "stable").status_code == 202
    assert error_type(submit(http, "4"), 400) == error_type(submit(http, "latest"), 400) == "invalid_input"


def test_half_of_the_jobs_go_to_a_canary_with_that_share_and_their_records_say_so(
    http: FlaskClient, registry: ModelRegistry, job_store: JobStore
) -> None:
    publish(registry, "one", {3: ROWS, 4: ROWS}, {"latest": 4, "stable": 3, "canary": 4}, shares={"canary": 0.5})
    jobs = [job_store.get(submit(http).json["id"]) for _ in range(100)]
    went = Counter((job.version, job.label, job.pinned) for job in jobs)
    assert set(went) == {(4, "canary", False), (3, "", False)}
    # Five standard deviations, of 5, to each side: one run in 1.7 million is outside.
    assert 25 <= went[4, "canary", False] <= 75


def test_while_workers_change_over_only_what_all_of_them_serve_can_be_named(
    http: FlaskClient, registry: ModelRegistry
) -> None:
    # Given one that has loaded version 4, and keeps 3, and one that has not
    publish(registry, "slow", {3: ROWS}, {"latest": 3})
    publish(registry, "quick", {3: ROWS, 4: ROWS}, {"latest": 4, "canary": 4})
    # Then the new version and its label are not known yet
    assert submit(http, "3").status_code == submit(http, "latest").status_code == submit(http).status_code == 202
    assert error_type(submit(http, "4"), 404) == error_type(submit(http, "canary"), 404) == "version_not_found"
    model = http.get("/v1/models/digits").json
    assert (model["versions"], model["labels_of_versions"]) == ([3], {"latest": 3})
    # whoever of the two spoke last
    publish(registry, "slow", {3: ROWS}, {"latest": 3})
    assert http.get("/v1/models/digits").json["versions"] == [3]


def test_what_is_kept_for_jobs_that_were_accepted_before_cannot_be_named(
    http: FlaskClient, registry: ModelRegistry
) -> None:
    publish(registry, "one", {3: ROWS, 4: ROWS}, {"latest": 4})
    assert error_type(submit(http, "3"), 404) == "version_not_found"
    assert submit(http, "4").status_code == 202


def test_a_model_shows_its_versions_and_why_others_are_not_served(http: FlaskClient, registry: ModelRegistry) -> None:
    publish(
        registry,
        "one",
        {3: ROWS, 4: ROWS},
        {"latest": 4, "stable": 3},
        shares={"canary": 0.1},
        failures=[{"version": 5, "reason": "5/model.h5 is empty.", "at_us": 1_790_000_000_000_001}],
        labels_failure="The store has no version for canary = 9.",
    )
    model = http.get("/v1/models/digits").json
    assert model["version"] == 3
    assert (model["versions"], model["labels_of_versions"]) == ([3, 4], {"latest": 4, "stable": 3})
    assert model["shares"] == {"canary": 0.1}
    assert model["failures"] == [{"version": 5, "reason": "5/model.h5 is empty.", "at": "2026-09-21T14:13:20.000001Z"}]
    assert model["labels_failure"] == "The store has no version for canary = 9."
    assert model["workers"] == [{"name": "one", "version": 3, "versions": [3, 4], "device": "CPU"}]


def test_a_worker_whose_versions_change_is_still_one_worker(registry: ModelRegistry) -> None:
    before = LiveWorker("one", 42, 3, "CPU", (3,), {"latest": 3})
    after = LiveWorker("one", 42, 4, "CPU", (3, 4), {"latest": 4})
    registry.publish_ready(card("digits"), before)
    registry.publish_ready(card("digits"), after, instead_of=before)
    assert registry.get("digits").workers == (after,)
