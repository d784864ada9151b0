"""The commands that ask about jobs and queues, against a server without a queue."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from client.cli import main
from client.commands.status import MOST_FOLLOWED
from client.retry import Patience
from tests.unit.client_stand_in import CUT, Answer, Request, StandIn

CREATED = "2026-11-22T14:27:46.097268Z"


def record(job_id: str, status: str, **values: Any) -> dict[str, Any]:
    return {"id": job_id, "model": "digits", "status": status, "rows": 1, "tag": "", "created_at": CREATED, **values}


QUEUED = record("q", "queued", tag="night", queue_position=2, estimated_start_s=1.4)
RUNNING = record("q", "running", worker="digits@host", attempt=2, queue_position=None)
DONE = record("d", "succeeded", queue_ms=12.34, compute_ms=3.0)
FAILED = record("f", "failed", failure={"type": "model_error", "message": "It ran \x1b[31mdry."})
RECORDS = {one["id"]: one for one in (QUEUED, DONE, FAILED)}
UNKNOWN = {"type": "job_not_found", "message": "There is no job."}
STREAMS = {"q": [QUEUED, RUNNING, DONE | {"id": "q"}], "d": [DONE], "f": [FAILED]}


def events(*records: dict[str, Any]) -> Answer:
    text = "".join(f"event: status\nid: {one['status']}\ndata: {json.dumps(one)}\n\n" for one in records)
    return Answer(200, f"retry: 10\n\n{text}".encode(), "text/event-stream")


def respond(request: Request) -> Answer:
    """Jobs as in RECORDS, 250 of them listed in pages of what is asked for; a model `digits`."""
    parts = request.path.split("/")[2:]
    if parts[0] == "jobs:query":
        ids = json.loads(request.body)["ids"]
        if "cut" in ids:
            return CUT
        return Answer.of({"jobs": [RECORDS.get(one, {"id": one, "error": UNKNOWN}) for one in ids]})
    if parts == ["jobs"]:
        return _page(int(request.query.get("after", 0)), int(request.query["limit"]))
    if parts[0] == "models":
        return Answer.of({"name": "digits", "queued": 4, "paused": parts[1].endswith(":pause")})
    if parts[1] not in RECORDS:
        return Answer.of({"error": UNKNOWN}, 404)
    if parts[2:] == ["events"]:
        return events(*STREAMS[parts[1]])
    if request.method == "GET":
        return Answer.of(RECORDS[parts[1]])
    if parts[1] == "q":
        return Answer.of(QUEUED | {"status": "cancelled"})
    return Answer.of({"error": {"type": "job_finished", "message": "It has ended."}}, 409)


def _page(first: int, limit: int) -> Answer:
    last = min(first + limit, 250)
    jobs = [record(f"job-{number}", "succeeded") for number in range(first, last)]
    return Answer.of({"jobs": jobs, "after": str(last) if last < 250 else None})


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn(respond) as server:
        yield server


Celeriac = Callable[..., Result]


@pytest.fixture
def celeriac(server: StandIn) -> Celeriac:
    environment = {"CELERIAC_URL": server.url, "CELERIAC_API_KEY": ""}
    return lambda *args: CliRunner().invoke(main, args, env=environment)


def test_status_is_a_table_with_the_failures_under_it(celeriac: Celeriac, server: StandIn) -> None:
    done = celeriac("status", "q", "f", "q")
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    assert (done.stderr, done.exit_code) == ("", 0)
    assert lines[2] == ["q", "digits", "queued", "1", "night", "2026-11-22", "14:27:46", "-", "-"]
    assert lines[3][:3] == ["f", "digits", "failed"]
    assert lines[4] == ["f:", "It", "ran", "?[31mdry."]
    assert len(server.requests) == 1


def test_status_of_an_unknown_job_is_a_sentence_and_exit_code_1(celeriac: Celeriac) -> None:
    done = celeriac("status", "none", "d", "--json")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [DONE]
    assert (done.stderr, done.exit_code) == ("none: There is no job.\n", 1)


def test_following_tells_each_change_and_ends_with_0_when_all_succeeded(celeriac: Celeriac) -> None:
    done = celeriac("status", "--follow", "q", "d")
    assert sorted(done.stdout.splitlines()) == [
        "d  succeeded, 12.3 ms in the queue, 3.0 ms in the model",
        "q  queued, 2 in front, starts in about 1.4 s",
        "q  running, by digits@host, attempt 2",
        "q  succeeded, 12.3 ms in the queue, 3.0 ms in the model",
    ]
    assert (done.stderr, done.exit_code) == ("", 0)
    done = celeriac("status", "--follow", "d", "--json")
    assert json.loads(done.stdout) == DONE


@pytest.mark.parametrize(
    ("job_id", "told", "sentence"),
    [("f", "f  failed, It ran ?[31mdry.\n", ""), ("none", "", "none: There is no job.\n")],
)
def test_following_a_job_that_fails_or_is_not_there_ends_with_1(
    celeriac: Celeriac, job_id: str, told: str, sentence: str
) -> None:
    done = celeriac("status", "--follow", job_id)
    assert (done.stdout, done.stderr, done.exit_code) == (told, sentence, 1)


def test_more_jobs_than_a_server_has_threads_for_are_not_followed(celeriac: Celeriac, server: StandIn) -> None:
    done = celeriac("status", "--follow", *map(str, range(MOST_FOLLOWED + 1)))
    assert done.exit_code == 2
    assert f"At most {MOST_FOLLOWED}" in done.stderr
    assert not server.requests


def test_cancel_goes_on_after_a_job_that_cannot_be_cancelled_and_ends_with_1(celeriac: Celeriac) -> None:
    done = celeriac("cancel", "d", "none", "q")
    assert (done.stdout, done.exit_code) == ("q cancelled\n", 1)
    assert done.stderr == "d: It has ended.\nnone: There is no job.\n"
    done = celeriac("cancel", "q", "--json")
    assert (json.loads(done.stdout)["status"], done.exit_code) == ("cancelled", 0)


def test_cancel_stops_where_the_server_is_lost(
    celeriac: Celeriac, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.commands.cancel.RESTART_PATIENCE", Patience(total_s=0))
    done = celeriac("cancel", "cut", "q")
    assert (done.stdout, done.exit_code) == ("", 1)
    assert done.stderr.startswith("The connection to ")
    assert len(server.requests) == 1


def test_jobs_are_listed_page_by_page_as_many_as_are_wanted(celeriac: Celeriac, server: StandIn) -> None:
    done = celeriac("jobs", "--model", "digits", "--status", "succeeded", "--tag", "night", "--limit", "130", "--json")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [f"job-{number}" for number in range(130)]
    assert [request.query for request in server.requests] == [
        {"model": "digits", "status": "succeeded", "tag": "night", "limit": "100", **after}
        for after in ({}, {"after": "100"})
    ]
    done = celeriac("jobs", "--limit", "3")
    assert [line.split()[0] for line in done.stdout.splitlines() if "succeeded" in line] == ["job-0", "job-1", "job-2"]


def test_a_queue_is_paused_and_resumed(celeriac: Celeriac, server: StandIn) -> None:
    assert celeriac("pause", "digits").stdout == "The queue of digits is paused; 4 jobs wait.\n"
    assert celeriac("resume", "digits").stdout == "The queue of digits goes on; 4 jobs wait.\n"
    assert json.loads(celeriac("pause", "digits", "--json").stdout)["paused"]
    assert [(request.method, request.path) for request in server.requests[:2]] == [
        ("POST", "/v1/models/digits:pause"),
        ("POST", "/v1/models/digits:resume"),
    ]
