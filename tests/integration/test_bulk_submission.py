"""Storing the items of a bulk request: a broker that goes away meanwhile, and how much is in memory at once."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from flask.testing import FlaskClient

from api.bulk_item import Item
from api.bulk_submission import BulkSubmission
from api.validation import Input
from tasks import keys
from tasks.broker import connect
from tasks.errors import BrokerUnavailable
from tasks.job import Job, new_job_id
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tasks.submission import CHUNK_JOBS
from tests.http_api import NPY, NPZ, WORKER, card, npy
from tests.valkey import Valkey

JSONL = "application/jsonl"


def make_job(index: int, _: Input) -> Job:
    return Job(id=new_job_id(), model="digits", version=1, idempotency=f"i{index}", request="r")


def test_a_broker_that_goes_away_meanwhile_has_the_first_jobs_and_the_rest_is_told_and_can_be_sent_again(
    own_valkey: Valkey,
) -> None:
    client = connect(own_valkey.url)
    store = JobStore(client, 3600)

    def items(stop_at: int) -> Iterator[Item]:
        for index in range(6 * CHUNK_JOBS):
            if index == stop_at:
                own_valkey.stop()
            yield Item(index, 1, Input(NPY, b"x", 1))

    bulk = BulkSubmission(make_job)
    bulk.run(store, items(stop_at=3 * CHUNK_JOBS + 1))
    # Then all have an outcome, and who is said to be stored is
    outcomes = [entry.job_id for entry in bulk.entries]
    assert [entry.index for entry in bulk.entries] == list(range(6 * CHUNK_JOBS))
    assert isinstance(bulk.halt, BrokerUnavailable)
    assert bulk.accepted in (2 * CHUNK_JOBS, 3 * CHUNK_JOBS)
    assert {entry.error["type"] for entry in bulk.entries[bulk.accepted :] if entry.error} == {"broker_unavailable"}
    assert outcomes[bulk.accepted :] == [None] * (6 * CHUNK_JOBS - bulk.accepted)
    own_valkey.start()
    stored = [raw.decode() for raw in client.zrange(keys.unfinished("digits"), 0, -1)]
    assert set(outcomes[: bulk.accepted]) <= set(stored)
    # And with it back, the same items are the same jobs
    again = BulkSubmission(make_job)
    again.run(store, items(stop_at=-1))
    assert again.accepted == client.zcard(keys.unfinished("digits")) == 6 * CHUNK_JOBS
    assert [entry.job_id for entry in again.entries[: bulk.accepted]] == outcomes[: bulk.accepted]
    assert set(stored) <= {entry.job_id for entry in again.entries}
    client.close()


@pytest.mark.parametrize(
    ("content_type", "width"), [(NPY, 300), (NPZ, 300), (JSONL, 300), (JSONL, 299)], ids=["npy", "npz", "lines", "bad"]
)
def test_of_a_large_body_only_its_bytes_and_a_part_of_what_they_become_are_in_memory(
    http: FlaskClient, registry: ModelRegistry, content_type: str, width: int
) -> None:
    inputs = {"x": {"dtype": "float32", "shape": [None, 300]}}
    registry.publish_ready(card("wide", inputs=inputs), replace(WORKER, name="wide@host"))
    rows = np.ones((3_000, width), "float32")
    line = orjson.dumps({"instance": list(range(width))}) + b"\n"
    body = {NPY: npy(rows), NPZ: compressed(rows), JSONL: line * len(rows)}[content_type]
    request_bytes = rows.nbytes if content_type == NPZ else 2 * len(body)
    tracemalloc.start()
    answer = http.post("/v1/models/wide/jobs:bulk?rows_per_job=16", data=body, content_type=content_type)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.json["accepted"] == (0 if width == 299 else 188)
    # The client's own copy is among the request's; beside it three chunks of jobs and the answer
    assert peak_bytes < request_bytes + 8_000_000 + 1_000 * len(answer.json["jobs"])


def compressed(rows: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=rows)
    return buffer.getvalue()
