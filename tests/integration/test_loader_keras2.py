"""Files of Keras 2, each compared with what Keras 2 itself computes."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests import keras2_models, tiny_models
from tests.opened_models import loaded, refusal

IN_BOTH_FORMATS = (
    "branches_of_one_shape_and_names_in_no_order",
    "models_in_models_partly_frozen",
    "layers_that_keras_3_has_not",
    "stacked_cells",
)


@pytest.mark.parametrize(
    ("kind", "file_name"),
    [*((kind, "m.h5") for kind in keras2_models.KINDS), *((kind, "m.keras") for kind in IN_BOTH_FORMATS)],
)
def test_a_model_of_keras_2_answers_as_keras_2_does(tmp_path: Path, kind: str, file_name: str) -> None:
    # Given a file that Keras 2 wrote, and what Keras 2 answers
    original = keras2_models.build(kind)
    rows = keras2_models.rows_for(original)
    expected = keras2_models.answers(original, rows)
    keras2_models.save(original, tiny_models.version_folder(tmp_path, "m") / file_name)

    # When it is opened here
    model = loaded(tmp_path)
    outputs = model.predict(rows)

    # Then names, shapes and answers are the same
    assert list(model.signature.inputs) == list(rows)
    assert [spec.shape for spec in model.signature.inputs.values()] == [tuple(t.shape) for t in original.inputs]
    assert len(outputs) == len(expected)
    for output, array in zip(outputs.values(), expected, strict=True):
        np.testing.assert_allclose(output, array, rtol=1e-4, atol=1e-5)


def saved(tmp_path: Path, kind: str = "dense") -> Path:
    return keras2_models.save(keras2_models.build(kind), tiny_models.version_folder(tmp_path, "m") / "m.h5")


def test_a_weight_without_a_layer_is_not_passed_over(tmp_path: Path) -> None:
    with h5py.File(saved(tmp_path), "r+") as file:
        weights = file["model_weights"]
        weights.copy("dense", "other")
        weights.attrs["layer_names"] = [*weights.attrs["layer_names"], "other"]
    assert "layers with weights it does not describe: other" in refusal(tmp_path)


def test_a_layer_without_its_weights_does_not_keep_random_ones(tmp_path: Path) -> None:
    with h5py.File(saved(tmp_path), "r+") as file:
        file["model_weights/dense_1"].attrs["weight_names"] = []
    assert "that have none: dense_1" in refusal(tmp_path)


def test_weights_of_another_shape_are_refused_naming_both(tmp_path: Path) -> None:
    with h5py.File(saved(tmp_path), "r+") as file:
        del file["model_weights/dense/dense/kernel:0"]
        file["model_weights/dense/dense/kernel:0"] = np.zeros((3, 7), "float32")
    assert "of shape (3, 7) for its layer 'dense', which needs (3, 4)" in refusal(tmp_path)


def test_what_keras_3_cannot_do_is_refused_by_name(tmp_path: Path) -> None:
    with h5py.File(saved(tmp_path, "fixed_batch_with_a_state"), "r+") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace('"time_major": false', '"time_major": true')
    assert "with time_major = True, which Keras 3 does not have" in refusal(tmp_path)


def test_a_function_of_tensorflow_that_reads_files_is_refused(tmp_path: Path) -> None:
    with h5py.File(saved(tmp_path, "operators"), "r+") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace('"nn.relu"', '"io.read_file"')
    assert "(tf.io.read_file)" in refusal(tmp_path)


def test_a_model_that_tells_its_layers_as_a_bare_list_is_served(tmp_path: Path) -> None:
    # Given a Sequential as Keras before 2.2.3 wrote it
    original = keras2_models.build("dense")
    rows = keras2_models.rows_for(original)
    path = saved(tmp_path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"] = [layer for layer in config["config"]["layers"] if layer["class_name"] != "InputLayer"]
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.0.6"
    (output,) = loaded(tmp_path).predict(rows).values()
    np.testing.assert_allclose(output, keras2_models.answers(original, rows)[0], atol=1e-6)


def test_the_weights_of_a_model_within_go_by_the_files_order_of_its_layers(tmp_path: Path) -> None:
    # Given a file whose inner model has its layers in another order than Keras 3 gives them, and its weights with them
    inner = keras2_models.build("branches_of_one_shape_and_names_in_no_order")
    original = keras2_models.sequential(inner, keras2_models.layers.Dense(1))
    rows = {"x_input": np.random.default_rng(1).normal(size=(4, 3)).astype("float32")}
    (expected,) = keras2_models.answers(original, rows)
    with h5py.File(keras2_models.save(original, tiny_models.version_folder(tmp_path, "m") / "m.h5"), "r+") as file:
        config = json.loads(file.attrs["model_config"])
        layers = next(layer for layer in config["config"]["layers"] if layer["config"]["name"] == inner.name)
        layers["config"]["layers"].reverse()
        file.attrs["model_config"] = json.dumps(config)
        attributes = file["model_weights"][inner.name].attrs
        names = list(attributes["weight_names"])
        order = [layer["config"]["name"] for layer in layers["config"]["layers"]]
        attributes["weight_names"] = sorted(names, key=lambda name: order.index(name.partition("/")[0]))
        assert list(attributes["weight_names"]) != names

    # Then each weight goes to its layer, though all have the same shape
    model = loaded(tmp_path)
    (output,) = model.predict(dict(zip(model.signature.inputs, rows.values(), strict=True))).values()
    np.testing.assert_allclose(output, expected, atol=1e-5)
