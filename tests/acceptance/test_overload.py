"""A model that is slower than its clients: a real API tells them when there will be room, as fast as its worker is."""

from __future__ import annotations

import math
from collections.abc import Iterator

import httpx
import pytest

from api.drain import LONGEST_RETRY_S, USUAL_RETRY_S
from tasks.payload import encode_arrays
from tests.recovery_stage import MODEL, Stage, finished, open_recovery_stage
from tests.system import eventually
from tests.worker_models import MAX_ROWS, willing_inputs

MAX_JOBS = 4
MAX_BYTES = 1_048_576
#: What a job takes; it fills a batch, so that no other one shares its time.
JOB_S = 1.0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    caps = {"CELERIAC_MAX_QUEUED_JOBS": str(MAX_JOBS), "CELERIAC_MAX_QUEUED_BYTES": str(MAX_BYTES)}
    # Each process measures for itself.
    with open_recovery_stage(tmp_path_factory.mktemp("stage"), workers=1, CELERIAC_API_PROCESSES="1", **caps) as stage:
        yield stage


def post(http: httpx.Client, width: int = 3) -> httpx.Response:
    content_type, payload = encode_arrays(willing_inputs(1, MAX_ROWS, width, wait_ms=round(JOB_S * 1000)))
    return http.post(f"/v1/models/{MODEL}/jobs", content=payload, headers={"Content-Type": content_type})


def test_a_full_queue_says_when_to_come_again_and_a_job_when_it_starts_as_fast_as_the_worker_is(stage: Stage) -> None:
    accepted: list[dict[str, float]] = []

    with stage.api.http() as http:

        def refusal() -> httpx.Response:
            """The answer to one job too many."""
            while (answer := post(http)).status_code == 202:
                accepted.append(answer.json())
            assert (answer.status_code, answer.json()["error"]["type"]) == (429, "queue_full")
            return answer

        # Given a queue that is full, and kept so
        first = refusal()
        assert f"may have {MAX_JOBS} queued jobs" in first.json()["error"]["message"]
        assert first.headers["Retry-After"] == str(USUAL_RETRY_S)

        # When the API has seen it for a while
        eventually(lambda: int(refusal().headers["Retry-After"]) not in (USUAL_RETRY_S, LONGEST_RETRY_S), 30)
        before = len(accepted)
        eventually(lambda: refusal() and len(accepted) >= before + MAX_JOBS, 30)
        # Then the time until there is room for a job is that of one job, and so it is for too many bytes
        last, wide = accepted[-1], post(http, width=MAX_BYTES // MAX_ROWS // 4)
        assert f"{MAX_BYTES} bytes of input" in wide.json()["error"]["message"]
        for answer in (refusal(), wide):
            assert JOB_S <= int(answer.headers["Retry-After"]) <= math.ceil(4 * JOB_S)
        # And a job starts about when its submission was told
        assert last["queue_position"] >= MAX_JOBS - 1
        record = finished(http, str(last["id"]))
    assert 0.25 < last["estimated_start_s"] * 1000 / record["queue_ms"] < 4
    stage.await_clean()
