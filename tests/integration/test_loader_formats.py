"""Each format, loaded from a store and compared with the same computation done in this process."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from model_store.detectors.detections import Wanted, read_detections
from model_store.detectors.outputs import find_detector_outputs
from model_store.errors import InvalidInput, OutOfMemory, PredictError
from model_store.model import Model
from model_store.pictures.decoding import View
from tests import tiny_models
from tests.opened_models import opened

RNG = np.random.default_rng(7)
ROWS = RNG.normal(size=(5, 3)).astype("float32")
PICTURES = RNG.integers(0, 256, (3, 20, 30, 3), np.uint8)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for format in tiny_models.FORMATS:
        tiny_models.add_linear(root, f"linear-{format}", format)
        tiny_models.add_detector(root, f"detector-{format}", format)
    tiny_models.add_text(root)
    tiny_models.add_two_inputs(root)
    return root


@pytest.fixture(scope="module", params=tiny_models.FORMATS)
def linear(store: Path, request: pytest.FixtureRequest) -> Model:
    return opened(store, f"linear-{request.param}")


@pytest.fixture(scope="module", params=tiny_models.FORMATS)
def detector(store: Path, request: pytest.FixtureRequest) -> Model:
    return opened(store, f"detector-{request.param}")


def test_a_model_gives_what_its_formula_gives(linear: Model) -> None:
    outputs = linear.predict({"x": ROWS})
    assert list(outputs) == ["y"]
    assert outputs["y"].dtype == np.float32
    np.testing.assert_allclose(outputs["y"], 2 * ROWS + 1, atol=1e-5)


def test_names_dtypes_and_open_rows_are_found_from_the_file(linear: Model) -> None:
    assert linear.signature.to_json() == {
        "inputs": {"x": {"dtype": "float32", "shape": [None, 3]}},
        "outputs": {"y": {"dtype": "float32", "shape": [None, 3]}},
    }
    assert linear.takes_many_rows


def test_a_card_tells_what_clients_need(linear: Model) -> None:
    assert linear.describe() == {
        "name": linear.name,
        "version": 1,
        "format": linear.name.removeprefix("linear-"),
        "kind": "tensors",
        "signature": linear.signature.to_json(),
        "default_signature": "serving_default",
        "signatures": {
            "serving_default": {**linear.signature.to_json(), "kind": "tensors", "takes_pictures": False},
        },
        "refused_signatures": {},
        "takes_pictures": False,
        "labels": False,
        "batching": linear.batching.to_json(),
        "tuning": {"variant": "plain", "compiled_rows": [], "speedup": 1.0, "dropped": {}},
    }


def test_a_detector_gives_what_its_formula_gives(detector: Model) -> None:
    outputs = detector.predict({"image": PICTURES})
    for name, tensor in tiny_models.detector(PICTURES).items():
        np.testing.assert_allclose(outputs[name].reshape(tensor.shape), tensor, atol=1e-5)


def test_a_detector_takes_pictures_and_its_outputs_are_read_as_detections(detector: Model) -> None:
    assert detector.describe()["takes_pictures"]
    outputs = detector.predict({"image": np.full((1, 20, 30, 3), 255, np.uint8)})
    names = find_detector_outputs(detector.signature.outputs, detector.spec.detections)
    assert names
    found = read_detections(outputs, names, 0, detector.spec, Wanted(0.4), View.whole(20, 30))
    assert [(one["class"], round(one["score"], 3)) for one in found] == [(1, 1.0), (2, 0.5)]
    assert found[0]["box_pixels"] == [5, 8, 15, 22]


def test_predict_works_from_any_thread_and_from_many_at_once(linear: Model) -> None:
    def predict(number: int) -> bool:
        return bool(np.allclose(linear.predict({"x": ROWS + number})["y"], 2 * (ROWS + number) + 1, atol=1e-4))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(predict, range(200)))


@pytest.mark.parametrize("format", ["saved_model", "keras"])
def test_weights_live_as_long_as_the_model(tmp_path: Path, format: str) -> None:
    # Given a model with variables, of which nothing but the model is kept
    folder = tiny_models.version_folder(tmp_path, "m")
    if format == "saved_model":
        tiny_models.linear_keras().export(folder, verbose=False)
    else:
        tiny_models.save_keras(folder / "m.keras", tiny_models.linear_keras())
    model = opened(tmp_path, "m")

    # When Python has cleared away what nobody holds
    gc.collect()

    # Then the model still computes
    outputs = model.predict({"x": ROWS})
    np.testing.assert_allclose(next(iter(outputs.values())), 2 * ROWS + 1, atol=1e-5)


def test_smaller_numbers_are_cast(linear: Model) -> None:
    outputs = linear.predict({"x": np.array([[1, 2, 3]], np.int8)})
    assert outputs["y"].tolist() == [[3, 5, 7]]


@pytest.mark.parametrize("order", ["F", "strided", "big-endian"])
def test_arrays_in_any_memory_layout_are_taken(linear: Model, order: str) -> None:
    given = {"F": np.asfortranarray(ROWS), "strided": np.repeat(ROWS, 2, axis=0)[::2], "big-endian": ROWS.astype(">f4")}
    np.testing.assert_allclose(linear.predict({"x": given[order]})["y"], 2 * ROWS + 1, atol=1e-5)


def test_inputs_that_do_not_fit_never_reach_the_model(linear: Model) -> None:
    with pytest.raises(InvalidInput, match=r"inputs\.x: expected shape \(rows, 3\), got shape \(5, 4\)"):
        linear.predict({"x": np.zeros((5, 4), "float32")})
    with pytest.raises(InvalidInput, match="nothing for 'x'"):
        linear.predict({})


def test_strings_go_in_and_come_out_as_text(store: Path) -> None:
    model = opened(store, "text")
    outputs = model.predict({"text": np.array(["käse", "a"])})
    assert outputs["upper"].dtype.kind == "U"
    assert outputs["upper"].tolist() == ["KÄSE", "A"]
    assert outputs["length"].tolist() == [4, 1]


def test_several_inputs_go_to_their_names_in_any_order(store: Path) -> None:
    model = opened(store, "two-inputs")
    outputs = model.predict({"b": np.array([10, 20], np.int32), "a": np.array([[1, 2], [3, 4]], np.float32)})
    assert outputs["sum"].tolist() == [13, 27]
    assert outputs["product"].tolist() == [20, 240]


def test_a_failure_inside_tensorflow_is_one_line(tmp_path: Path) -> None:
    # Given a model that looks its rows up in a table of four
    folder = tiny_models.version_folder(tmp_path, "table")
    tiny_models.save_saved_model(folder, tiny_models.table, tiny_models.TABLE_SPEC)
    model = opened(tmp_path, "table")

    # When a row is beyond the table
    with pytest.raises(PredictError) as caught:
        model.predict({"row": np.array([9], np.int32)})

    # Then the reason is told without a trace
    message = str(caught.value)
    assert message.startswith("table failed on these inputs: ")
    assert "9" in message
    assert "\n" not in message
    assert "node" not in message


def test_memory_that_does_not_suffice_is_told_as_such(tmp_path: Path) -> None:
    # Given a model that makes as many numbers as it is told
    folder = tiny_models.version_folder(tmp_path, "filler")
    tiny_models.save_saved_model(folder, tiny_models.filler, tiny_models.FILLER_SPEC)
    model = opened(tmp_path, "filler")

    # When that is four million gigabytes
    with pytest.raises(OutOfMemory, match="filler ran out of memory"):
        model.predict({"size": np.array([10**15], np.int64)})
