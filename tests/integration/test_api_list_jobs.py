from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from tasks import keys, listings
from tasks.api_keys import parse_api_keys
from tasks.job import Job, new_job_id
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.http_api import error_type, make_http, play_worker, publish_models, submit

ROW = {"instances": [[1, 2, 3, 4]]}


def record(store: JobStore, count: int, **values: Any) -> list[str]:
    """Submit jobs past the API; gives their ids, the newest first."""
    jobs = [Job(id=new_job_id(), **{"model": "digits", "version": 1, **values}) for _ in range(count)]
    store.submit_many((job, b"") for job in jobs)
    return [job.id for job in reversed(jobs)]


def pages(http: FlaskClient, **wanted: Any) -> Iterator[list[str]]:
    """The ids of each page, to the last one."""
    after: str | None = ""
    while after is not None:
        answer = http.get("/v1/jobs", query_string=wanted | {"after": after})
        assert answer.status_code == 200, answer.text
        yield [job["id"] for job in answer.json["jobs"]]
        after = answer.json["after"]


def listed(http: FlaskClient, **wanted: Any) -> list[str]:
    return [job_id for page in pages(http, **wanted) for job_id in page]


def test_one_finds_all_of_ones_jobs_the_newest_first_with_the_record_of_each(http: FlaskClient) -> None:
    assert http.get("/v1/jobs").json == {"jobs": [], "after": None}
    ids = [submit(http) for _ in range(3)]
    answer = http.get("/v1/jobs").json
    assert [job["id"] for job in answer["jobs"]] == ids[::-1]
    assert answer["after"] is None
    record = http.get(f"/v1/jobs/{ids[0]}").json
    assert answer["jobs"][2] == {name: value for name, value in record.items() if name in answer["jobs"][2]}


@pytest.mark.parametrize("limit", [1, 3, 7, 10])
def test_pages_are_full_and_have_each_job_once(http: FlaskClient, job_store: JobStore, limit: int) -> None:
    ids = record(job_store, 7)
    sizes = [len(page) for page in pages(http, limit=limit)]
    assert listed(http, limit=limit) == ids
    assert set(sizes[:-1]) <= {limit}
    assert sizes[-1] > 0


def test_jobs_that_come_or_go_between_two_pages_move_nothing(
    http: FlaskClient, client: redis.Redis, job_store: JobStore
) -> None:
    ids = record(job_store, 6)
    first = http.get("/v1/jobs?limit=2").json
    # When one comes, the one that the cursor names is forgotten, and one of the next page too
    submit(http)
    client.delete(keys.job(ids[1]), keys.job(ids[3]))
    job_store.listings.trim(result_ttl_s=-1)
    second = http.get("/v1/jobs", query_string={"limit": 10, "after": first["after"]}).json
    assert [job["id"] for job in second["jobs"]] == [ids[2], ids[4], ids[5]]


def test_jobs_are_found_by_model_status_and_tag(http: FlaskClient, job_store: JobStore) -> None:
    plain, tagged, other = submit(http), submit(http, query_string="tag=night run", json=ROW), new_job_id()
    job_store.submit(Job(id=other, model="pairs", version=1, tag="night run"), b"")
    play_worker(job_store, plain)
    assert listed(http, model="digits") == [tagged, plain]
    assert listed(http, status="succeeded") == [plain]
    assert listed(http, tag="night run") == [other, tagged]
    assert listed(http, tag="night run", model="digits", status="queued") == [tagged]
    assert listed(http, tag="night") == listed(http, model="none") == listed(http, status="failed") == []


def test_a_rare_job_among_many_is_found_and_no_request_looks_at_more_than_its_share(
    http: FlaskClient, job_store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listings, "ENTRIES_A_CALL", 10)
    monkeypatch.setattr(listings, "CALLS_A_PAGE", 3)
    (rare,) = record(job_store, 1, tag="rare")
    record(job_store, 100)
    found = list(pages(http, tag="rare", limit=2))
    # Three calls of ten entries each: the 101st entry is on the fourth page.
    assert found == [[], [], [], [rare]]


def test_each_owner_sees_his_own_jobs_only(job_store: JobStore, registry: ModelRegistry) -> None:
    publish_models(registry)
    http = make_http(job_store, registry, api_keys=parse_api_keys("ann:a-key,bob:b-key"))
    ann, bob = ({"X-API-Key": key} for key in ("a-key", "b-key"))
    ids = [http.post("/v1/models/digits/jobs", json=ROW, headers=who).json["id"] for who in (ann, bob, ann)]
    assert [job["id"] for job in http.get("/v1/jobs", headers=ann).json["jobs"]] == [ids[2], ids[0]]
    assert [job["id"] for job in http.get("/v1/jobs", headers=bob).json["jobs"]] == [ids[1]]
    assert http.get("/v1/jobs").status_code == 401


def test_a_job_that_is_refused_or_sent_again_is_not_listed_again(http: FlaskClient) -> None:
    headers = {"Idempotency-Key": "once"}
    (job_id, again) = (http.post("/v1/models/digits/jobs", json=ROW, headers=headers).json["id"] for _ in range(2))
    assert again == job_id
    other = {"instances": [[4, 3, 2, 1]]}
    assert http.post("/v1/models/digits/jobs", json=other, headers=headers).status_code == 422
    assert listed(http) == [job_id]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("tags=a", "tags"),
        ("status=done", "status"),
        ("status=queued&status=failed", "status"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=٣", "limit"),
        ("after=now", "after"),
        ("after=1-2-3", "after"),
        ("after=0-0", "after"),
        ("after=18446744073709551616-0", "after"),
        (f"tag={'x' * 65}", "tag"),
        (f"model={'x' * 101}", "model"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_naming_it(http: FlaskClient, query: str, field: str) -> None:
    answer = http.get(f"/v1/jobs?{query}")
    assert error_type(answer, 400) == "invalid_parameter"
    assert answer.json["error"]["field"] == field


@pytest.mark.parametrize("after", ["0-1", "9999999999999999999-9999999999999999999", "1-1"])
def test_any_cursor_that_could_be_one_is_answered(http: FlaskClient, after: str) -> None:
    job_id = submit(http)
    found = [job["id"] for job in http.get(f"/v1/jobs?after={after}&tag=&limit=").json["jobs"]]
    assert found == ([job_id] if after.startswith("99") else [])


def test_entries_go_when_their_records_have_gone_and_the_listing_with_the_last(
    client: redis.Redis, job_store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listings, "ENTRIES_A_CALL", 4)
    monkeypatch.setattr(listings, "CALLS_A_TRIM", 2)
    ids = record(job_store, 20, owner="ann")
    client.delete(*map(keys.job, ids[2:]))
    # Entries whose records may still be there are not looked at
    assert job_store.listings.trim(result_ttl_s=60) == 0
    # One sweep looks at two times four, the next goes on from there
    assert [job_store.listings.trim(result_ttl_s=-1) for _ in range(3)] == [8, 8, 2]
    assert client.xlen(keys.listing("ann")) == 2
    client.delete(*map(keys.job, ids))
    assert job_store.listings.trim(result_ttl_s=-1) == 2
    assert not client.exists(keys.listing("ann"), keys.LISTED)
    # And a job that comes then is listed
    record(job_store, 1, owner="ann")
    assert client.xlen(keys.listing("ann")) == client.hlen(keys.LISTED) == 1


def test_jobs_that_wait_for_long_hide_none_that_are_gone(
    client: redis.Redis, job_store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given more jobs whose records stay than one sweep looks at, and after them one that is gone
    monkeypatch.setattr(listings, "ENTRIES_A_CALL", 4)
    stay = record(job_store, 9)
    (gone,) = record(job_store, 1)
    client.delete(keys.job(gone))
    trimmed = [job_store.listings.trim(result_ttl_s=-1) for _ in range(4)]
    assert sum(trimmed) == 1
    assert client.xlen(keys.listing("")) == len(stay)


def test_jobs_recorded_before_there_were_listings_are_no_error(
    http: FlaskClient, client: redis.Redis, job_store: JobStore
) -> None:
    old, new = submit(http), submit(http)
    client.delete(keys.listing(""), keys.LISTED)
    assert listed(http) == []
    newest = submit(http)
    assert listed(http) == [newest]
    assert {http.get(f"/v1/jobs/{job_id}").status_code for job_id in (old, new)} == {200}


def test_a_listing_is_in_the_order_of_recording(http: FlaskClient, job_store: JobStore) -> None:
    record(job_store, 300)
    times = [job.created_at_us or 0 for job in map(job_store.get, listed(http, limit=1000))]
    assert all(later >= earlier for later, earlier in pairwise(times))
