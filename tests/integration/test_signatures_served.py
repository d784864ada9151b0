"""Jobs by several signatures of one model, through HTTP, Redis and a real worker."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import tensorflow as tf

from tasks.broker import connect
from tasks.job_store import JobStore
from tests.batching_stage import batches
from tests.live_api import LiveApi
from tests.live_worker import LiveWorker, answer, ended, linear_job, submit
from tests.tiny_models import version_folder
from tests.valkey import Valkey

#: What no text is, and what numpy's strings would lose.
ODD_BYTES = [b"\xff\xd8\xff\0", "zwölf".encode(), b""]

#: Nothing is to be searched for while the worker starts.
TOML = "[batching]\nmax_batch_size = 32"


class Three(tf.Module):
    """y = 2x + 1, y = 3x, and text as it came."""

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    def twice(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": 2.0 * x + 1.0}

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    def thrice(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": 3.0 * x}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def echo(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"again": text, "length": tf.strings.length(text)}


@pytest.fixture(scope="module")
def url(valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API's, with a worker of the model `three` behind it."""
    folder, module = tmp_path_factory.mktemp("three"), Three()
    signatures = {"serving_default": module.twice, "thrice": module.thrice, "echo": module.echo}
    tf.saved_model.save(module, str(version_folder(folder / "store", "three", toml=TOML)), signatures=signatures)
    connect(valkey.url).flushall()
    worker = LiveWorker(folder / "store", valkey.url, "three", folder / "worker").start()
    api = LiveApi(folder, valkey.url).start()
    try:
        worker.await_ready()
        yield api.await_ready().url
    finally:
        api.stop()
        worker.kill()


def ask(url: str, signature: str | None, document: dict[str, Any]) -> Any:
    """A job's record once it has ended."""
    params = {"signature": signature} if signature else {}
    headers = {"Prefer": "wait=30"}
    return httpx.post(f"{url}/v1/models/three/jobs", params=params, json=document, headers=headers, timeout=60).json()


def test_a_job_is_answered_by_the_signature_it_names(url: str) -> None:
    rows = {"instances": [[1, 2, 3]]}
    default, thrice = ask(url, None, rows), ask(url, "thrice", rows)
    assert (default["result"], default["signature"]) == ({"outputs": {"y": [[3, 5, 7]]}}, None)
    assert (thrice["result"], thrice["signature"]) == ({"outputs": {"y": [[3, 6, 9]]}}, "thrice")


def test_strings_that_are_no_text_go_in_and_come_out_as_they_were(url: str) -> None:
    record = ask(url, "echo", {"instances": [{"b64": b64encode(text).decode()} for text in ODD_BYTES]})
    assert record["result"]["outputs"] == {"again": [{"b64": "/9j/AA=="}, "zwölf", ""], "length": [4, 6, 0]}


def test_a_backlog_for_two_signatures_makes_batches_of_one_each(url: str, valkey: Valkey) -> None:
    store = JobStore(connect(valkey.url), 3600)
    names = [("", "thrice")[number % 2] for number in range(400)]
    jobs = [linear_job(number, model="three", signature=name) for number, name in enumerate(names)]
    ids = submit(store, jobs)
    records = ended(store, ids)

    # Then each has its own answer
    for number, (job_id, name) in enumerate(zip(ids, names, strict=True)):
        expected = 3.0 * number if name else 2.0 * number + 1
        np.testing.assert_array_equal(answer(store, job_id)["outputs"]["y"], [[expected] * 3])
    # And jobs have shared calls, but not with those for the other one
    calls = batches(records)
    assert len(calls) < 200
    assert all(len({job.signature for job in call}) == 1 for call in calls)


def test_a_signature_that_the_served_version_has_not_fails_its_job_only(url: str, valkey: Valkey) -> None:
    store = JobStore(connect(valkey.url), 3600)
    lost, other = submit(store, [linear_job(1, model="three", signature="gone"), linear_job(1, model="three")])
    records = ended(store, [lost, other])
    assert [str(job.status) for job in records] == ["failed", "succeeded"]
    assert records[0].failure_type == "invalid_input"
    assert "one of serving_default, echo, thrice, got 'gone'" in records[0].failure_message
