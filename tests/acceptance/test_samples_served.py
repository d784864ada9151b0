"""The five sample models through the whole system, beside the same models run in this process."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from model_store.loader import load
from model_store.pictures.decoding import decode_picture, prepare
from model_store.store import find_model
from samples.inputs import DemoInput, demo_inputs
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
