"""Model folders that cannot be served: their workers end with a sentence, and nobody else notices."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stores import BROKEN, SERVED
from tests.system import Running

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("model", "named"), BROKEN.items())
def test_a_broken_model_is_given_up_with_a_sentence_naming_its_file(system: Running, model: str, named: str) -> None:
    assert f"worker-{model}" in system.given_up
    assert any(model in line and named in line for line in system.said)
    with system.http() as http:
        shown = http.get(f"/v1/models/{model}").json()
        refused = http.post(f"/v1/models/{model}/jobs", json={"instances": [1]})
    assert (shown["status"], shown["gave_up"]) == ("failed", True)
    assert named in shown["failure"]
    assert refused.status_code == 503
    assert named in refused.json()["error"]["message"]


def test_the_others_live_and_the_system_is_ready(system: Running) -> None:
    with system.http() as http:
        models = {model["name"]: model for model in http.get("/v1/models").json()["models"]}
        assert http.get("/readyz").status_code == 200
    assert {name for name, model in models.items() if model["status"] == "ready"} == set(SERVED)


@pytest.mark.parametrize(
    ("arguments", "setting", "sentence"),
    [
        (("-Q", "model.broken-empty"), {}, "holds no model"),
        (("-Q", "model.nobody"), {}, "linear-pb"),
        ((), {}, "start it with -Q model.NAME"),
        (("-Q", "model.linear-pb,model.text"), {}, "start it with -Q model.NAME"),
        (("-Q", "model.linear-pb", "-P", "threads"), {}, "leave -P away"),
        (("-Q", "model.linear-pb"), {"CELERIAC_GPU": "63"}, "to run on GPU 63, but TensorFlow sees"),
        (("-Q", "model.linear-pb"), {"CELERIAC_GPU": "one"}, "CELERIAC_GPU is expected as a whole number"),
    ],
)
def test_a_worker_that_cannot_serve_exits_non_zero_with_a_sentence(
    system: Running, arguments: tuple[str, ...], setting: dict[str, str], sentence: str
) -> None:
    command = [sys.executable, "-m", "celery", "-A", "tasks.app", "worker", "-n", "trial@%h", *arguments]
    environment = {**os.environ, **setting, "REDIS_URL": system.broker_url}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert sentence in done.stderr
