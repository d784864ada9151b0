"""A real worker looks for the fastest way to run its model once, says which it is, and keeps it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import redis

from tasks.job import Status
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests import tiny_models
from tests.live_worker import LiveWorker, answer, ended, linear_job, submit
from tests.system import eventually
from tests.valkey import Valkey


def test_a_worker_tunes_its_model_once_and_answers_as_before(
    tmp_path: Path, valkey: Valkey, client: redis.Redis, job_store: JobStore, registry: ModelRegistry
) -> None:
    # Given a model that no worker has served yet
    store = tmp_path / "store"
    tiny_models.add_linear(store, "linear", "keras")
    log = tmp_path / "log"
    settings = {"CELERIAC_TUNING_LIMIT_S": "20", "CELERIAC_VAR": str(tmp_path / "var")}

    # When a worker starts
    worker = LiveWorker(store, valkey.url, "linear", log, **settings).start().await_ready()
    try:
        # Then it has kept how the model runs, and says so
        kept = json.loads((store / "linear" / "tuning.json").read_text())["choices"]
        assert len(kept) == 1
        variant = kept[0]["choice"]["variant"]

        def card_tells() -> bool:
            record = registry.get("linear")
            return bool(record and record.card and record.card["tuning"]["variant"] == variant)

        eventually(card_tells)

        # And its answers are right, of one row and of many
        ids = submit(job_store, [linear_job(number, rows) for number, rows in ((1, 1), (2, 5), (3, 700))])
        assert {str(job.status) for job in ended(job_store, ids)} == {str(Status.SUCCEEDED)}
        np.testing.assert_allclose(answer(job_store, ids[1])["outputs"]["y"], np.full((5, 3), 5), rtol=1e-6)
        np.testing.assert_allclose(answer(job_store, ids[2])["outputs"]["y"], np.full((700, 3), 7), rtol=1e-6)
    finally:
        worker.kill()
