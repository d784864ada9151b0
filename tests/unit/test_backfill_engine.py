"""The backfill against a server that refuses, forgets and fails: every key is once in the output or the error file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client.backfill.inputs.options import ReadOptions
from client.backfill.performing import Server as Address
from client.backfill.performing import perform
from client.backfill.request import Request
from client.backfill.summary import Summary
from client.errors import CheckpointError
from client.job_options import JobOptions
from tests.unit.backfill_server import Array, Server
from tests.unit.client_stand_in import Answer, StandIn

ROWS = 3000


class Told:
    """A progress that remembers what was said."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def show(self, tally: object) -> None:
        pass

    def tell(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def close(self) -> None:
        pass


class Backfill:
    """A backfill of rows whose first value is their number."""

    def __init__(self, folder: Path, server: Server, url: str) -> None:
        self.server = server
        self.url = url
        self.told = Told()
        self.output = folder / "out.jsonl"
        np.save(folder / "rows.npy", np.repeat(np.arange(ROWS, dtype="float32"), 3).reshape(ROWS, 3))
        self.request = Request(
            inputs=(str(folder / "rows.npy"),),
            format=None,
            reading=ReadOptions(),
            model="linear",
            version=None,
            options=JobOptions(lane="bulk"),
            output=self.output,
            is_ordered=True,
            limit=None,
            most_failures=None,
            restart=False,
        )

    def run(self, **changes: Any) -> Summary:
        self.request = replace(self.request, **changes)
        return perform(self.request, Address(self.url, None), self.told)

    def answered(self) -> list[int]:
        """The rows of the output, whose answers are theirs."""
        rows = [json.loads(line) for line in self.output.read_text().splitlines()]
        assert all(row["y"] == [2 * int(row["id"]) + 1] * 3 for row in rows)
        return [int(row["id"]) for row in rows]

    def failed(self) -> dict[int, str]:
        path = self.output.with_name("out.jsonl.errors.jsonl")
        lines = path.read_text().splitlines() if path.exists() else []
        return {(row := json.loads(line))["row"]: row["error"]["type"] for line in lines}


@pytest.fixture
def backfill(tmp_path: Path) -> Iterator[Backfill]:
    server = Server()
    with server.stand_in() as stand_in:
        yield Backfill(tmp_path, server, stand_in.url)


def numbers(x: Array) -> set[int]:
    return set(x[:, 0].astype(int).tolist())


def fails_at(bad: set[int], kind: str = "model_error") -> Any:
    return lambda x: kind if bad & numbers(x) else None


def test_every_row_is_answered_in_order_and_its_result_freed(backfill: Backfill) -> None:
    summary = backfill.run()
    assert (summary.done, summary.failed, summary.exit_code) == (ROWS, 0, 0)
    assert backfill.answered() == list(range(ROWS))
    assert set(backfill.server.rows_run.values()) == {1}
    assert backfill.server.freed == set(backfill.server.jobs)


@pytest.mark.parametrize("kind", ["invalid_input", "model_error", "poisoned", "out_of_memory"])
def test_only_the_rows_at_fault_are_in_the_error_file(backfill: Backfill, kind: str) -> None:
    bad = {0, 77, 78, 1500, ROWS - 1}
    backfill.server.fail = fails_at(bad, kind)
    summary = backfill.run()
    assert summary.exit_code == 2
    assert backfill.failed() == dict.fromkeys(sorted(bad), kind)
    assert backfill.answered() == [row for row in range(ROWS) if row not in bad]


def test_rows_that_the_server_refuses_are_found_the_same_way(backfill: Backfill) -> None:
    refusal = Answer.of({"error": {"type": "invalid_input", "message": "No.", "field": "x"}}, 400)
    backfill.server.refuse = lambda x: refusal if 1234 in numbers(x) else None
    assert backfill.run().exit_code == 2
    assert backfill.failed() == {1234: "invalid_input"}


def test_jobs_that_are_too_large_for_the_server_become_smaller(backfill: Backfill) -> None:
    refusal = Answer.of({"error": {"type": "body_too_large", "message": "No."}}, 413)
    backfill.server.refuse = lambda x: refusal if len(x) > 20 else None
    assert backfill.run().exit_code == 0
    assert backfill.answered() == list(range(ROWS))
    assert backfill.server.largest <= 20


def test_a_full_queue_is_waited_for_and_fewer_jobs_are_sent(backfill: Backfill) -> None:
    refused: list[int] = []

    def refuse(x: Array) -> Answer | None:
        if len(refused) < 3:
            refused.append(len(x))
            return Answer.of({"error": {"type": "queue_full", "message": "It is full."}}, 429, Retry_After="0")
        return None

    backfill.server.refuse = refuse
    assert backfill.run().exit_code == 0
    assert backfill.answered() == list(range(ROWS))
    assert "It is full. Trying again." in backfill.told.sentences


def test_a_job_that_the_server_has_forgotten_is_run_again(backfill: Backfill) -> None:
    query, forgotten = backfill.server._query, []

    def forgetful(ids: list[str]) -> Answer:
        if not forgotten:
            forgotten.append(backfill.server.jobs.pop(ids[0]))
        return query(ids)

    backfill.server._query = forgetful  # type: ignore[method-assign]
    assert backfill.run().exit_code == 0
    assert backfill.answered() == list(range(ROWS))


def test_more_failures_than_allowed_end_the_run_and_what_is_done_stays(backfill: Backfill) -> None:
    backfill.server.fail = fails_at({1000, 1001, 1002, 1003})
    stopped = backfill.run(most_failures=2)
    assert stopped.exit_code == 1
    assert stopped.stopped is not None
    assert "--max-failures is 2" in stopped.stopped
    backfill.server.fail = lambda x: None
    summary = backfill.run(most_failures=None)
    assert sorted([*backfill.answered(), *backfill.failed()]) == list(range(ROWS))
    assert summary.found == stopped.done + stopped.failed


def test_what_all_rows_would_meet_stops_the_run_and_another_goes_on(backfill: Backfill) -> None:
    gone = Answer.of({"error": {"type": "version_not_found", "message": "There is no version 1 any more."}}, 404)
    backfill.server.refuse = lambda x: gone if x[-1, 0] >= 1000 else None
    stopped = backfill.run()
    assert stopped.exit_code == 1
    assert stopped.stopped is not None
    assert "There is no version 1 any more." in stopped.stopped
    backfill.server.refuse = lambda x: None
    summary = backfill.run()
    assert (summary.exit_code, summary.done) == (0, ROWS)
    assert backfill.answered() == list(range(ROWS))
    assert set(backfill.server.rows_run.values()) == {1}


def test_another_version_on_the_server_is_noticed_when_a_run_goes_on(backfill: Backfill) -> None:
    backfill.server.fail = lambda x: "version_not_served"
    assert backfill.run().exit_code == 1
    backfill.server.card |= {"version": 2, "versions": [1, 2]}
    with pytest.raises(CheckpointError, match="version was 1 and is 2 now"):
        backfill.run()
    backfill.server.fail = lambda x: None
    assert backfill.run(version="1", restart=True).exit_code == 0
    assert "The model's version is 2 now. This run goes on with version 1, as it began." in backfill.told.sentences


def test_a_finished_run_is_not_run_again(backfill: Backfill) -> None:
    backfill.run()
    jobs = len(backfill.server.jobs)
    summary = backfill.run()
    assert (summary.exit_code, summary.done, len(backfill.server.jobs)) == (0, ROWS, jobs)


def test_a_limit_takes_the_first_rows(backfill: Backfill) -> None:
    assert backfill.run(limit=50).total == 50
    assert backfill.answered() == list(range(50))


def test_unordered_each_row_is_there_once(backfill: Backfill) -> None:
    backfill.server.fail = fails_at({5, 900})
    assert backfill.run(is_ordered=False).exit_code == 2
    assert sorted([*backfill.answered(), *backfill.failed()]) == list(range(ROWS))
    assert backfill.server.freed >= {job.id for job in backfill.server.jobs.values() if not job.failure}


def test_no_more_jobs_are_on_their_way_than_a_worker_has_need_of(backfill: Backfill) -> None:
    backfill.run()
    assert backfill.server.most_under_way <= 16


def test_a_server_that_cuts_connections_gets_each_row_once(backfill: Backfill) -> None:
    respond, count = backfill.server.respond, 0

    def cutting(request: Any) -> Answer:
        nonlocal count
        count += 1
        answer = respond(request)
        return Answer(0, b"") if count % 7 == 0 else answer

    with StandIn(cutting) as stand_in:
        backfill.url = stand_in.url
        assert backfill.run(limit=500).exit_code == 0
    assert backfill.answered() == list(range(500))
    assert set(backfill.server.rows_run.values()) == {1}


def test_a_signature_that_answers_with_arrays_is_asked_for_arrays(backfill: Backfill) -> None:
    # Given a classifier with another signature
    backfill.server.card |= {
        "kind": "classifier",
        "signatures": {"embed": {**backfill.server.card["signature"], "kind": "tensors"}},
    }
    # When rows go through that one
    assert backfill.run(options=JobOptions(lane="bulk", signature="embed")).exit_code == 0
    # Then the stand-in, which has arrays alone, was asked for these
    assert backfill.answered() == list(range(ROWS))
