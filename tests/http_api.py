"""The API in front of a real Redis, for tests that play the workers themselves."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import redis
from flask.testing import FlaskClient
from PIL import Image

from api.app import create_app
from tasks import keys
from tasks.job import Job
from tasks.job_end import DONE
from tasks.job_store import JobStore
from tasks.model_registry import LiveWorker, ModelRegistry
from tasks.payload import write_npz
from tasks.result import encode_result
from tasks.settings import Settings, read_settings
from tests.stand_in_worker import StandInWorker

#: An id of ours from long ago: what it named is gone.
OLD_ID = "01900000-0000-7000-8000-000000000000"

NPY = "application/x-npy"
NPZ = "application/x-npz"

WORKER = LiveWorker("digits@host", 4711, 1, "CPU")

ROWS = {"x": {"dtype": "float32", "shape": [None, 4]}}
PICTURES = {"image": {"dtype": "uint8", "shape": [None, None, None, 3]}}
TWO_INPUTS = {"a": {"dtype": "float32", "shape": [None, 2]}, "b": {"dtype": "int32", "shape": [None]}}


def card(name: str, **over: Any) -> dict[str, Any]:
    """What a worker says of a model: by default one of four numbers a row, to one number."""
    signature = {"inputs": over.pop("inputs", ROWS), "outputs": {"y": {"dtype": "float32", "shape": [None, 1]}}}
    values = {
        "name": name,
        "version": 1,
        "format": "keras",
        "kind": "tensors",
        "signature": signature,
        "takes_pictures": False,
        "labels": None,
    }
    return values | over


def card_of_signatures(name: str, default: str, **inputs: Any) -> dict[str, Any]:
    """What a worker says of a model with a signature for each of the inputs given."""
    one = card(name, inputs=inputs[default])
    others = {"outputs": one["signature"]["outputs"], "kind": "tensors", "takes_pictures": False}
    signatures = {signature: {"inputs": tensors, **others} for signature, tensors in inputs.items()}
    return one | {"default_signature": default, "signatures": signatures, "refused_signatures": {"train": "it writes"}}


def publish_models(registry: ModelRegistry) -> None:
    """Play the workers of three models: `digits` (arrays), `pairs` (two inputs), `boxes` (a detector)."""
    registry.expect(["digits", "pairs", "boxes"])
    registry.publish_ready(card("digits"), WORKER)
    registry.publish_ready(card("pairs", inputs=TWO_INPUTS), replace(WORKER, name="pairs@host"))
    boxes = card("boxes", inputs=PICTURES, kind="detector", takes_pictures=True, version=3)
    registry.publish_ready(boxes, replace(WORKER, name="boxes@host", version=3))


def make_settings(**over: Any) -> Settings:
    return replace(read_settings({}), **over)


def make_http(job_store: JobStore, registry: ModelRegistry, **settings: Any) -> FlaskClient:
    """A client of an application of its own."""
    return create_app(make_settings(**settings), job_store, registry).test_client()


def submit(http: FlaskClient, model: str = "digits", **request: Any) -> str:
    """Submit a job that is fine; gives its id."""
    answer = http.post(f"/v1/models/{model}/jobs", **(request or {"json": {"instances": [[1, 2, 3, 4]]}}))
    assert answer.status_code == 202, answer.text
    return str(answer.json["id"])


def play_worker(
    job_store: JobStore,
    job_id: str,
    outputs: Mapping[str, Any] | None = None,
    answer: Mapping[str, Any] | None = None,
    annotated: Sequence[bytes] = (),
) -> Job:
    """Take a job as its worker does, and let it succeed; gives the record as the worker saw it."""
    worker = StandInWorker(job_store, job_store.get(job_id).model, WORKER.name)
    started = worker.start(job_id)
    arrays = {"y": np.array([[0.5]], "float32")} if outputs is None else outputs
    parts = encode_result(arrays, answer, annotated)
    assert worker.succeed(started, parts, compute_ms=1.25) == DONE
    return started


def npy(array: Any, dtype: str = "float32") -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array, dtype))
    return buffer.getvalue()


def npz(**arrays: Any) -> bytes:
    return write_npz({name: np.asarray(array) for name, array in arrays.items()})


def png(width: int = 8, height: int = 6) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, "PNG")
    return buffer.getvalue()


def until(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """The first true answer of `condition`; fails when there is none in time."""
    deadline_s = time.monotonic() + timeout_s
    while not (answer := condition()):
        assert time.monotonic() < deadline_s, f"not within {timeout_s} s"
        time.sleep(0.01)
    return answer


def error(answer: Any) -> tuple[int, str, str | None]:
    """Check that an answer is an error in our shape; gives its status, type and field."""
    assert answer.headers["Content-Type"] == "application/json", answer.text
    body = answer.json["error"]
    assert body["message"]
    return answer.status_code, str(body["type"]), body.get("field")


def error_type(answer: Any, status: int) -> str:
    """Check that an answer is an error of this status in our shape; gives its type."""
    assert answer.status_code == status, answer.text
    return error(answer)[1]


def stored_input(client: redis.Redis, job_id: str) -> bytes:
    """What a job's worker reads."""
    content = client.get(keys.job_input(job_id))
    assert isinstance(content, bytes)
    return content
