"""What Keras files bring beside weights: code, custom layers, old shapes, names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from tests import tiny_models
from tests.keras_files import edit_hdf5, functional
from tests.opened_models import opened, put_keras, refusal


@keras.saving.register_keras_serializable("celeriac-tests")
class Doubled(keras.layers.Layer):
    """A layer whose code only this file has."""

    def call(self, x: Any) -> Any:
        return 2 * x


@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_a_lambda_layer_is_refused_by_name_before_its_code_can_run(tmp_path: Path, name: str) -> None:
    put_keras(tmp_path, functional(keras.layers.Lambda(lambda x: x + 1, name="plus_one")), name)
    assert "has Lambda layers (plus_one)" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_a_lambda_layer_hidden_in_a_nested_model_is_found(tmp_path: Path, name: str) -> None:
    inner = functional(keras.layers.Lambda(lambda x: x + 1, name="hidden"))
    put_keras(tmp_path, functional(keras.Sequential([keras.Input((3,)), inner])), name)
    assert "has Lambda layers (hidden)" in refusal(tmp_path)


@pytest.mark.parametrize(("name", "layer"), [("m.h5", "celeriac-tests>Doubled"), ("m.keras", "Doubled")])
def test_a_layer_that_keras_does_not_have_is_named(
    tmp_path: Path, name: str, layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_keras(tmp_path, functional(Doubled(name="twice")), name)
    # Given a process that has not the layer's code
    monkeypatch.delitem(keras.saving.get_custom_objects(), "celeriac-tests>Doubled")
    assert f"needs layers or functions that Keras does not have ({layer})" in refusal(tmp_path)


def test_an_old_input_shape_that_keras_3_reads_wrongly_is_repaired(tmp_path: Path) -> None:
    # Given a Sequential as Keras 2.3 wrote it: the first layer, not an InputLayer, has the input's shape
    original = keras.Sequential([keras.Input((12,)), keras.layers.Dense(1, name="dense")])
    file = put_keras(tmp_path, original)

    def as_keras_2(config: dict[str, Any]) -> None:
        layers = [layer for layer in config["config"]["layers"] if layer["class_name"] != "InputLayer"]
        layers[0]["config"]["batch_input_shape"] = [None, 12]
        config["config"] = {"name": "sequential", "layers": layers}
        layers[0]["config"]["dtype"] = "float32"

    edit_hdf5(file, as_keras_2, "2.3.0-tf")

    # Then it is not served with an axis too many
    model = opened(tmp_path)
    assert model.signature.inputs["dense_input"].shape == (None, 12)
    rows = np.random.default_rng(1).normal(size=(4, 12)).astype("float32")
    np.testing.assert_allclose(model.predict({"dense_input": rows})["dense"], original(rows), atol=1e-6)


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
def test_a_model_that_was_never_built_is_told_as_such(tmp_path: Path) -> None:
    put_keras(tmp_path, keras.Sequential([keras.layers.Dense(1)]), "m.keras")
    assert "never built" in refusal(tmp_path)


@pytest.mark.parametrize("config", [[1, 2], {"class_name": "Sequential"}, {"class_name": "Nonsense", "config": {}}])
def test_a_description_that_is_no_model_is_refused(tmp_path: Path, config: Any) -> None:
    file = put_keras(tmp_path, tiny_models.linear_keras())
    with h5py.File(file, "r+") as content:
        content.attrs["model_config"] = json.dumps(config)
    refusal(tmp_path)


def test_keras_own_words_are_passed_on_in_one_line(tmp_path: Path) -> None:
    file = put_keras(tmp_path, tiny_models.linear_keras())
    edit_hdf5(file, lambda config: config["config"]["layers"][1]["config"].update(units=-3))
    assert f"is refused by Keras {keras.__version__}: " in refusal(tmp_path)


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_how_a_model_was_trained_does_not_matter(tmp_path: Path, name: str) -> None:
    # Given a model that was compiled with a function of somebody's own, and one within that was compiled, too
    inner = functional(keras.layers.Dense(2))
    inner.compile(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)), "mse", ["mae"])
    model = functional(inner)
    model.compile("adam", loss=lambda wanted, given: wanted - given)
    put_keras(tmp_path, model, name)
    rows = np.ones((2, 3), "float32")
    (output,) = opened(tmp_path).predict({"x": rows}).values()
    np.testing.assert_allclose(output, np.asarray(model(rows)), atol=1e-5)


def test_a_sequential_model_is_served(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(2, name="y")])
    put_keras(tmp_path, model)
    rows = np.random.default_rng(1).normal(size=(4, 3)).astype("float32")
    np.testing.assert_allclose(opened(tmp_path).predict({"x": rows})["y"], model(rows), atol=1e-5)


def test_layers_behave_as_in_use_and_not_as_in_training(tmp_path: Path) -> None:
    put_keras(tmp_path, functional(keras.layers.Dropout(0.9, name="y")))
    assert opened(tmp_path).predict({"x": np.ones((1, 3), "float32")})["y"].tolist() == [[1, 1, 1]]


def test_several_inputs_and_outputs_keep_their_names(tmp_path: Path) -> None:
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    sum_, product = keras.layers.Add(name="sum")([a, b]), keras.layers.Multiply(name="product")([a, b])
    put_keras(tmp_path, keras.Model([a, b], [sum_, product]))
    outputs = opened(tmp_path).predict({"b": np.array([[3, 4]], "float32"), "a": np.array([[1, 2]], "float32")})
    assert {name: array.tolist() for name, array in outputs.items()} == {"sum": [[4, 6]], "product": [[3, 8]]}


def test_inputs_and_outputs_in_a_dict_keep_their_keys(tmp_path: Path) -> None:
    z, a = keras.Input((1,), name="z"), keras.Input((1,), name="a")
    outputs = {"less": keras.layers.Subtract()([z, a]), "equal": keras.layers.Add()([z, a])}
    put_keras(tmp_path, keras.Model({"z": z, "a": a}, outputs), "m.keras")
    given = {"z": np.array([[5]], "float32"), "a": np.array([[2]], "float32")}
    told = {name: array.tolist() for name, array in opened(tmp_path).predict(given).items()}
    assert told == {"less": [[3]], "equal": [[7]]}


def test_outputs_of_one_layer_are_numbered(tmp_path: Path) -> None:
    put_keras(
        tmp_path, functional(lambda x: keras.layers.LSTM(2, return_state=True, name="lstm")(x[:, None])), "m.keras"
    )
    assert list(opened(tmp_path).signature.outputs) == ["lstm_0", "lstm_1", "lstm_2"]
