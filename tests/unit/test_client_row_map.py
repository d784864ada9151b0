"""`map` over a server made of a few lines, which ends jobs in any order: nothing is sent, and no time passes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import Celeriac
from client.call import Call
from client.errors import ClientError, InputError, JobFailed
from client.map_options import MapOptions
from client.npy import encode_npz
from client.procedures import Procedures
from client.record import TERMINAL
from client.row_map import RowMap
from client.steps import END, Emit, Pause, Stream, Take

URL = "http://127.0.0.1"
SIGNATURE = {"inputs": {"x": {"dtype": "float32", "shape": [None, 1]}}, "outputs": {}}


@dataclass
class Server:
    """Answers with y = x + 1; a row below 0 makes its job fail."""

    random: Random
    jobs: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    freed: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def answer(self, call: Call) -> httpx.Response:
        self.calls.append(call.path)
        name = call.path.rpartition(":")[2]
        body = {} if name == "bulk" else json.loads(call.content or b"{}")
        if call.method == "DELETE":
            self.statuses[call.path.rpartition("/")[2]] = "cancelled"
            return httpx.Response(200, json={})
        if call.method == "GET":
            return httpx.Response(200, json={"name": "plain", "kind": "tensors", "signature": SIGNATURE})
        if name == "bulk":
            return self._submit(call)
        if name == "query":
            return self._query(body)
        if name == "results":
            return self._results(body["ids"])
        self.freed += body["ids"]
        return httpx.Response(200, json={"freed": len(body["ids"])})

    def _submit(self, call: Call) -> httpx.Response:
        rows = np.load(io.BytesIO(call.content or b""))
        step = int(call.params["rows_per_job"])
        entries = []
        for first in range(0, len(rows), step):
            job_id = f"job{len(self.jobs)}"
            self.jobs[job_id], self.statuses[job_id] = rows[first : first + step], "queued"
            entries.append({"index": first, "rows": len(self.jobs[job_id]), "id": job_id, "status": "queued"})
        return httpx.Response(202, json={"jobs": entries})

    def _query(self, body: Mapping[str, Any]) -> httpx.Response:
        waiting = [job_id for job_id, status in self.statuses.items() if status == "queued"]
        ended = self.random.sample(waiting, self.random.randint(0, len(waiting)))
        for job_id in [*ended, *(body["ids"] if "wait" in body else [])]:
            self.statuses[job_id] = "failed" if (self.jobs[job_id] < 0).any() else "succeeded"
        return httpx.Response(200, json={"jobs": [{"id": i, "status": self.statuses[i]} for i in body["ids"]]})

    def _results(self, ids: list[str]) -> httpx.Response:
        told = ids[: self.random.randint(1, len(ids))]
        arrays = {f"{job_id}/y": self.jobs[job_id] + 1 for job_id in told}
        return httpx.Response(200, content=encode_npz(arrays), headers={"Celeriac-Left": str(len(ids) - len(told))})


def drive(stream: Stream, server: Server, rows: Iterator[Any]) -> Iterator[Any]:
    reply: Any = None
    while True:
        try:
            step = stream.send(reply)
        except StopIteration:
            return
        reply = None
        if isinstance(step, Emit):
            yield step.value
        elif isinstance(step, Take):
            reply = next(rows, END)
        elif not isinstance(step, Pause):
            reply = server.answer(step)


class Counted:
    """Rows, and how many of them were taken."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self.taken = 0
        self._rows = iter(rows)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        row = next(self._rows)
        self.taken += 1
        return row


@given(
    numbers=st.lists(st.integers(-3, 50)),
    window=st.integers(1, 9),
    rows_per_job=st.integers(1, 4),
    random=st.randoms(use_true_random=False),
)
def test_each_row_has_its_answer_or_error_once_and_in_its_place_whatever_ends_first(
    numbers: list[int], window: int, rows_per_job: int, random: Random
) -> None:
    server, rows = Server(random), Counted([float(number)] for number in numbers)
    row_map = RowMap(Procedures(URL), MapOptions("plain", window, rows_per_job, yield_errors=True))
    answered = 0
    for answer in drive(row_map.stream(), server, rows):
        if isinstance(answer, ClientError):
            assert isinstance(answer, JobFailed)
            assert answer.row == answered
        else:
            assert answer.array == [numbers[answered] + 1]
        answered += 1
        # What is under way never exceeds the window.
        assert rows.taken - answered <= window * rows_per_job
    assert answered == len(numbers)
    for _ in drive(row_map.leave(), server, iter(())):
        pass
    # Each job was waited for to its end, and its result freed, once.
    assert set(server.statuses.values()) <= TERMINAL
    assert server.freed == list(server.jobs)


def test_a_map_that_is_left_cancels_what_has_not_ended_and_frees_what_has() -> None:
    server = Server(Random(1))
    row_map = RowMap(Procedures(URL), MapOptions("plain", window=8, rows_per_job=1))
    next(drive(row_map.stream(), server, ([float(number)] for number in range(10**9))))
    for _ in drive(row_map.leave(), server, iter(())):
        pass
    assert len(server.jobs) == 8
    assert set(server.statuses.values()) == {"succeeded", "cancelled"}
    assert sorted(server.freed) == sorted(server.jobs)


def test_a_window_of_jobs_takes_a_few_requests_and_not_some_for_each_job() -> None:
    server = Server(Random(1))
    row_map = RowMap(Procedures(URL), MapOptions("plain", window=64, rows_per_job=1))
    assert len(list(drive(row_map.stream(), server, ([1.0] for _ in range(640))))) == 640
    assert len(server.calls) < 640 / 2


@pytest.mark.parametrize(("window", "rows_per_job"), [(0, 1), (1, 0)])
def test_a_window_without_jobs_and_jobs_without_rows_are_refused(window: int, rows_per_job: int) -> None:
    with pytest.raises(InputError, match="at least 1"):
        MapOptions("plain", window, rows_per_job)


@pytest.mark.parametrize("rows", ["one text", b"bytes", {"x": [1, 2]}, 7, None])
def test_what_is_not_many_rows_is_refused_before_anything_is_sent(rows: Any) -> None:
    with pytest.raises(InputError, match="rows: expected an iterable"):
        Celeriac(URL).map("plain", rows)
