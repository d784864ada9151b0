"""What the client does when the server is full, restarting or away; with threads and with asyncio the same."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client import AsyncCeleriac, Celeriac
from client.errors import (
    ApiError,
    BadRequest,
    ClientError,
    Conflict,
    Forbidden,
    Gone,
    NotAcceptable,
    NotFound,
    TooLarge,
    TooManyJobs,
    Unauthorized,
    Unavailable,
    Unprocessable,
    UnsupportedType,
)
from client.npy import encode_npz
from client.retry import Patience
from tests.unit.client_stand_in import CUT, Answer, Request, StandIn

ARRAY = np.zeros((2, 4), "float32")
QUICK = Patience(total_s=10.0, first_pause_s=0.01, longest_pause_s=0.05)
ACCEPTED = Answer.of({"id": "0198", "model": "digits", "status": "queued"}, 202)
FULL = Answer.refusal(429, "The queue of digits is full.", Retry_After="1")

#: Submits an array to `digits` with one of the two clients; gives the job's id.
Submit = Callable[..., str]


@pytest.fixture(params=["threads", "asyncio"])
def submit(request: pytest.FixtureRequest) -> Submit:
    def in_thread(url: str, patience: Patience = QUICK, **options: Any) -> str:
        with Celeriac(url, patience=patience) as celeriac:
            return celeriac.submit("digits", ARRAY, **options).id

    async def in_loop(url: str, patience: Patience = QUICK, **options: Any) -> str:
        async with AsyncCeleriac(url, patience=patience) as celeriac:
            return (await celeriac.submit("digits", ARRAY, **options)).id

    return in_thread if request.param == "threads" else lambda *args, **options: asyncio.run(in_loop(*args, **options))


def one_after_the_other(*answers: Answer) -> Callable[[Request], Answer]:
    left = iter(answers)
    return lambda request: next(left)


def test_a_submission_is_sent_again_with_the_same_key_until_it_is_taken(submit: Submit) -> None:
    troubles = [CUT, Answer.refusal(503, "Restarting."), Answer(502, b"<h1>Bad gateway</h1>", "text/html")]
    with StandIn(one_after_the_other(*troubles, ACCEPTED, ACCEPTED, ACCEPTED)) as server:
        assert submit(server.url) == "0198"
        submit(server.url)
        submit(server.url, idempotency_key="mine")
    keys = [request.headers["idempotency-key"] for request in server.requests]
    assert [keys.count(key) for key in dict.fromkeys(keys)] == [4, 1, 1]
    assert keys[-1] == "mine"
    assert len({request.body for request in server.requests}) == 1


def test_a_full_queue_is_not_asked_before_it_wants_to_be(submit: Submit) -> None:
    began_s = time.monotonic()
    with StandIn(one_after_the_other(FULL, ACCEPTED)) as server:
        submit(server.url)
    assert 1.0 <= time.monotonic() - began_s < 5


def test_a_pause_that_is_longer_than_the_patience_is_not_begun(submit: Submit) -> None:
    with StandIn(one_after_the_other(FULL)) as server, pytest.raises(TooManyJobs) as caught:
        submit(server.url, patience=Patience(total_s=0.5))
    assert (caught.value.retry_after_s, len(server.requests)) == (1.0, 1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((400, BadRequest), (401, Unauthorized), (403, Forbidden), (404, NotFound), (405, ApiError)),
        *((406, NotAcceptable), (409, Conflict), (410, Gone), (413, TooLarge), (415, UnsupportedType)),
        *((422, Unprocessable), (429, TooManyJobs), (503, Unavailable)),
    ],
)
def test_each_refusal_has_a_class_and_a_copy_of_it_says_the_same(status: int, kind: type[ApiError]) -> None:
    with StandIn(lambda request: Answer.refusal(status, "No.")) as server, pytest.raises(kind) as caught:
        Celeriac(server.url, patience=Patience(total_s=0)).submit("digits", ARRAY)
    assert type(caught.value) is kind
    for again in (copy.copy(caught.value), pickle.loads(pickle.dumps(caught.value))):
        assert (type(again), str(again), vars(again)) == (kind, "No.", vars(caught.value))


def test_jobs_of_a_bulk_that_are_refused_for_now_are_sent_again_and_the_others_stay() -> None:
    accepted = [{"index": index, "rows": 1, "id": f"job{index}", "status": "queued"} for index in range(2)]
    full = {"index": 1, "rows": 1, "error": {"type": "queue_full", "message": "Full."}}
    wrong = {"index": 2, "rows": 1, "error": {"type": "invalid_input", "message": "Wrong.", "field": "inputs"}}
    answers = one_after_the_other(
        Answer.of({"jobs": [accepted[0], full, wrong]}, 202, Retry_After="0"),
        Answer.of({"jobs": [*accepted, wrong]}, 202),
    )
    with StandIn(answers) as server, Celeriac(server.url, patience=QUICK) as celeriac:
        items = celeriac.submit_many("digits", np.zeros((3, 4), "float32"), rows_per_job=1)
    assert [item.record.id if item.record else type(item.error) for item in items] == ["job0", "job1", BadRequest]
    assert len({request.headers["idempotency-key"] for request in server.requests}) == 1
    assert server.requests[0].query == {"rows_per_job": "1"}


def test_a_queue_that_stays_full_leaves_the_jobs_that_were_taken_and_tells_of_the_others() -> None:
    entries = [
        {"index": 0, "rows": 1, "id": "job0", "status": "queued"},
        {"index": 1, "rows": 1, "error": {"type": "queue_full", "message": "Full."}},
    ]
    brief = Patience(total_s=0.2, first_pause_s=0.01, longest_pause_s=0.05)
    with (
        StandIn(lambda request: Answer.of({"jobs": entries}, 202, Retry_After="0")) as server,
        Celeriac(server.url, patience=brief) as celeriac,
    ):
        items = celeriac.submit_many("digits", ARRAY)
    assert items[0].record is not None
    assert isinstance(items[1].error, TooManyJobs)
    assert len(server.requests) > 2


def test_results_that_do_not_fit_into_one_answer_are_asked_for_until_all_are_there() -> None:
    def respond(request: Request) -> Answer:
        ids = json.loads(request.body)["ids"]
        told = {f"{job_id}/y": np.full(1, int(job_id)) for job_id in ids[:2] if job_id != "3"}
        left = str(max(0, len(ids) - 2))
        return Answer(200, encode_npz(told), "application/x-npz", {"Celeriac-Left": left})

    with StandIn(respond) as server, Celeriac(server.url) as celeriac:
        answers = celeriac.results(["1", "2", "3", "4", "5"])
    assert {job_id: int(answer.array[0]) for job_id, answer in answers.items()} == {"1": 1, "2": 2, "4": 4, "5": 5}
    assert len(server.requests) == 3


def test_threads_share_a_client_and_its_few_connections_without_mixing_answers() -> None:
    def respond(request: Request) -> Answer:
        return Answer.of({"id": request.query["tag"], "status": "queued"}, 202)

    tags = [str(number) for number in range(100)]
    with (
        StandIn(respond) as server,
        Celeriac(server.url, connections=2) as celeriac,
        ThreadPoolExecutor(8) as threads,
    ):
        jobs = threads.map(lambda tag: celeriac.submit("digits", ARRAY, tag=tag).id, tags)
        assert list(jobs) == tags


def test_url_and_key_come_from_the_environment_where_they_are_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(lambda request: Answer.of({"models": []})) as server:
        monkeypatch.setenv("CELERIAC_URL", server.url)
        monkeypatch.setenv("CELERIAC_API_KEY", "from-outside")
        for celeriac in (Celeriac(), Celeriac(api_key="given"), Celeriac(api_key="")):
            with celeriac:
                celeriac.models()
    sent = [request.headers.get("authorization") for request in server.requests]
    assert sent == ["Bearer from-outside", "Bearer given", None]


def test_a_server_that_falls_silent_is_left_after_the_time_that_was_said() -> None:
    release = threading.Event()

    def respond(request: Request) -> Answer:
        release.wait(10)
        return ACCEPTED

    try:
        with (
            StandIn(respond) as server,
            Celeriac(server.url, timeout_s=0.2, patience=Patience(total_s=0)) as celeriac,
            pytest.raises(ClientError, match="did not answer in time"),
        ):
            try:
                celeriac.submit("digits", ARRAY)
            finally:
                release.set()
    finally:
        release.set()


INTERRUPTED = """
import signal, sys
from client import Celeriac
# As in a program that a person starts; a shell's background jobs begin with the signal ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
with Celeriac(sys.argv[1]) as celeriac:
    print("begun", flush=True)
    for answer in celeriac.map("plain", ([1.0] for _ in range(100)), window=4):
        print("an answer")
"""


def test_ctrl_c_during_a_map_cancels_its_jobs_and_ends_the_program() -> None:
    asked = threading.Event()

    def respond(request: Request) -> Answer:
        name = request.path.rpartition(":")[2]
        if request.method == "GET":
            signature = {"inputs": {"x": {"dtype": "float32", "shape": [None, 1]}}, "outputs": {}}
            return Answer.of({"name": "plain", "kind": "tensors", "signature": signature})
        if name == "bulk":
            jobs = [{"index": i, "rows": 1, "id": f"job{i}", "status": "queued"} for i in range(4)]
            return Answer.of({"jobs": jobs}, 202)
        if name == "query":
            asked.set()
            ids = json.loads(request.body)["ids"]
            return Answer.of({"jobs": [{"id": job_id, "status": "queued"} for job_id in ids]})
        return Answer.of({"freed": 0})

    with StandIn(respond) as server:
        command = [sys.executable, "-c", INTERRUPTED, server.url]
        with subprocess.Popen(
            command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as program:
            try:
                assert asked.wait(30)
                program.send_signal(signal.SIGINT)
                said, complained = program.communicate(timeout=20)
            finally:
                program.kill()
    assert (said, program.returncode) == ("begun\n", -signal.SIGINT)
    assert complained.strip().endswith("KeyboardInterrupt")
    cancelled = [request.path.rpartition("/")[2] for request in server.requests if request.method == "DELETE"]
    assert cancelled == [f"job{number}" for number in range(4)]
