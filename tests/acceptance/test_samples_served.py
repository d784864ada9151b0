"""The five sample models through the whole system, beside the same models run in this process."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from model_store.loader import load
from model_store.pictures.decoding import decode_picture, prepare
from model_store.store import find_model
from samples.inputs import DemoInput, demo_inputs, write_inputs
from tests.system import Running, running

ROOT = Path(__file__).parents[2]
INPUTS = demo_inputs(ROOT / ".cache")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(ROOT / "models", tmp_path_factory.mktemp("var")) as system:
        yield system


@pytest.mark.parametrize("sent", INPUTS, ids=[f"{sent.model}-{sent.file_name}" for sent in INPUTS])
def test_a_sample_answers_as_in_process(samples: Running, sent: DemoInput) -> None:
    model = load(find_model(ROOT / "models", sent.model))
    (name, spec), *_ = model.signature.inputs.items()
    if model.image is None:
        row = np.load(io.BytesIO(sent.payload))
    else:
        row = prepare(decode_picture(sent.payload, 10**8), model.image, spec)
    expected = model.predict({name: row})
    record = samples.answer(sent.model, content=sent.payload, headers={"Content-Type": sent.content_type})
    assert record["status"] == "succeeded", record
    with samples.http() as http:
        raw = http.get(f"/v1/jobs/{record['id']}/result", headers={"Accept": "application/x-npz"}).content
    got = np.load(io.BytesIO(raw))
    assert set(got.files) == set(expected)
    for output in expected:
        np.testing.assert_allclose(got[output], expected[output], atol=1e-5)
    if sent.file_name == "face.png":
        assert record["result"]["labels"][0]["score"] == pytest.approx(0.998, abs=0.002)


def run_examples(samples: Running, page: str, folder: Path) -> str:
    """Run the Python of a page as it stands, beside the inputs that the demo leaves; gives what it printed."""
    (folder / ".cache").mkdir()
    write_inputs(INPUTS, folder / ".cache")
    # Those that import the client; others speak of variables of the reader's.
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    code = "\n".join(block for block in blocks if "celeriac" in block or "client" in block)
    environment = {**os.environ, "CELERIAC_URL": samples.url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def test_the_readmes_client_example_runs_as_it_stands(samples: Running, tmp_path: Path) -> None:
    first, *labels = run_examples(samples, "README.md", tmp_path).splitlines()
    assert re.fullmatch(r"[0-9a-f-]{36} happy", first)
    assert labels == ["2", "4", "5", "6", "7"]


def test_the_examples_of_the_clients_page_run_as_they_stand(samples: Running, tmp_path: Path) -> None:
    printed = run_examples(samples, "docs/client.md", tmp_path)
    assert printed.count("'label': 'happy'") == 4
    counts = printed.splitlines()[-1]
    assert sum(map(int, re.findall(r": (\d+)", counts))) == 1000
