"""Files as Keras 1 and early Keras 2 wrote them, compared with Keras's layers and with numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from tests import tiny_models
from tests.opened_models import loaded, refusal

Weights = dict[str, list[tuple[str, np.ndarray]]]


def write(store: Path, config: Any, weights: Weights, version: str | None = None) -> None:
    """Write a file with this description and these weights, by layer."""
    with h5py.File(tiny_models.version_folder(store, "m") / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        if version:
            file.attrs["keras_version"] = version
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in weights]
        for layer, values in weights.items():
            group.create_group(layer).attrs["weight_names"] = [name.encode() for name, _ in values]
            for name, value in values:
                group[layer][name] = value


def answer(store: Path, rows: np.ndarray) -> np.ndarray:
    model = loaded(store)
    (name,) = model.signature.inputs
    (output,) = model.predict({name: rows}).values()
    return output


def values(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    random = np.random.default_rng(5)
    return [random.normal(size=shape).astype("float32") for shape in shapes]


def hard_sigmoid(x: np.ndarray) -> np.ndarray:
    return np.clip(0.2 * x + 0.5, 0, 1)


def test_a_sequential_of_keras_1_with_its_names_of_arguments(tmp_path: Path) -> None:
    kernel, bias, dense_kernel, dense_bias = values((2, 3, 1, 4), (4,), (4, 2), (2,))
    convolution = {
        "name": "convolution2d_1",
        "nb_filter": 4,
        "nb_row": 2,
        "nb_col": 3,
        "border_mode": "same",
        "subsample": [2, 1],
        "dim_ordering": "tf",
        "init": "glorot_uniform",
        "activation": "relu",
        "bias": True,
        "W_regularizer": None,
        "b_regularizer": None,
        "W_constraint": None,
        "b_constraint": None,
        "activity_regularizer": None,
        "batch_input_shape": [None, 6, 6, 1],
        "input_dtype": "float32",
    }
    dense = {
        "name": "dense_1",
        "output_dim": 2,
        "init": "uniform",
        "activation": "softmax",
        "bias": True,
        "input_dim": 4,
        "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01},
    }
    config = {
        "class_name": "Sequential",
        "config": [
            {"class_name": "Convolution2D", "config": convolution},
            {"class_name": "Dropout", "config": {"name": "dropout_1", "p": 0.5, "trainable": True}},
            {"class_name": "GlobalAveragePooling2D", "config": {"name": "pool", "dim_ordering": "tf"}},
            {"class_name": "Dense", "config": dense},
        ],
    }
    write(
        tmp_path,
        config,
        {
            "convolution2d_1": [("convolution2d_1_W:0", kernel), ("convolution2d_1_b:0", bias)],
            "dense_1": [("dense_1_W:0", dense_kernel), ("dense_1_b:0", dense_bias)],
        },
    )
    (rows,) = values((3, 6, 6, 1))
    x = keras.Input((6, 6, 1))
    convolved = keras.layers.Conv2D(4, (2, 3), strides=(2, 1), padding="same", activation="relu")
    last = keras.layers.Dense(2, activation="softmax")
    same = keras.Model(x, last(keras.layers.GlobalAveragePooling2D()(convolved(x))))
    same.set_weights([kernel, bias, dense_kernel, dense_bias])
    np.testing.assert_allclose(answer(tmp_path, rows), np.asarray(same(rows)), atol=1e-5)


def test_an_lstm_of_keras_1_has_one_value_for_each_gate(tmp_path: Path) -> None:
    # Given the gates i, c, f, o in the file's order, and numpy to compute what they mean
    gates = {gate: values((2, 3), (3, 3), (3,)) for gate in "icfo"}
    for number, gate in enumerate("icfo"):
        gates[gate] = [value + 0.1 * number for value in gates[gate]]
    config = {
        "name": "lstm_1",
        "output_dim": 3,
        "activation": "tanh",
        "inner_activation": "hard_sigmoid",
        "init": "glorot_uniform",
        "inner_init": "orthogonal",
        "forget_bias_init": "one",
        "dropout_W": 0.2,
        "dropout_U": 0.0,
        "consume_less": "cpu",
        "return_sequences": False,
        "go_backwards": False,
        "stateful": False,
        "unroll": False,
        "input_dim": 2,
        "input_length": 4,
        "batch_input_shape": [None, 4, 2],
    }
    names = [
        (f"lstm_1_{kind}_{gate}", value) for gate in "icfo" for kind, value in zip("WUb", gates[gate], strict=True)
    ]
    write(
        tmp_path, {"class_name": "Sequential", "config": [{"class_name": "LSTM", "config": config}]}, {"lstm_1": names}
    )
    (rows,) = values((3, 4, 2))

    state, cell = np.zeros((3, 3)), np.zeros((3, 3))
    for step in range(4):
        i, c, f, o = (rows[:, step] @ w + state @ u + b for w, u, b in gates.values())
        cell = hard_sigmoid(f) * cell + hard_sigmoid(i) * np.tanh(c)
        state = hard_sigmoid(o) * np.tanh(cell)
    np.testing.assert_allclose(answer(tmp_path, rows), state, atol=1e-5)


@pytest.mark.parametrize(("mode", "merged"), [("sum", np.add), ("mul", np.multiply), ("max", np.maximum)])
def test_a_merge_of_keras_1_is_what_its_mode_says(tmp_path: Path, mode: str, merged: np.ufunc) -> None:
    merge = {"name": "m", "mode": mode, "concat_axis": -1, "dot_axes": -1, "mode_type": "raw", "arguments": {}}
    members = [
        {"class_name": "InputLayer", "name": "x", "config": {"batch_input_shape": [None, 3], "name": "x"}},
        {"class_name": "Activation", "name": "a", "config": {"name": "a", "activation": "relu"}},
        {"class_name": "Merge", "name": "m", "config": merge},
    ]
    nodes: list[Any] = [[], [[["x", 0, 0]]], [[["x", 0, 0], ["a", 0, 0]]]]
    layers = [{**member, "inbound_nodes": node} for member, node in zip(members, nodes, strict=True)]
    config = {"name": "model_1", "layers": layers, "input_layers": [["x", 0, 0]], "output_layers": [["m", 0, 0]]}
    write(tmp_path, {"class_name": "Model", "config": config}, {}, "1.2.2")
    (rows,) = values((4, 3))
    np.testing.assert_allclose(answer(tmp_path, rows), merged(rows, np.maximum(rows, 0)), atol=1e-6)


@pytest.mark.parametrize(("class_name", "gates"), [("CuDNNLSTM", 4), ("CuDNNGRU", 3)])
def test_a_layer_of_cudnn_has_its_gates_transposed(tmp_path: Path, class_name: str, gates: int) -> None:
    # Given weights as cuDNN lays them out: each gate's kernels as rows, and two biases
    kernels, recurrent = values(*[(3, 2)] * gates), values(*[(3, 3)] * gates)
    biases = values((2 * gates * 3,))[0]
    config = {
        "name": "rnn",
        "units": 3,
        "return_sequences": False,
        "return_state": False,
        "go_backwards": False,
        "stateful": False,
        "batch_input_shape": [None, 4, 2],
        "dtype": "float32",
        "unit_forget_bias": True,
    }
    if class_name == "CuDNNGRU":
        del config["unit_forget_bias"]
    weights = [
        ("rnn/kernel:0", np.hstack([kernel.reshape((2, 3)) for kernel in kernels])),
        ("rnn/recurrent_kernel:0", np.hstack([kernel for kernel in recurrent])),
        ("rnn/bias:0", biases),
    ]
    layer = {"class_name": class_name, "config": config}
    write(tmp_path, {"class_name": "Sequential", "config": {"name": "s", "layers": [layer]}}, {"rnn": weights}, "2.2.4")
    (rows,) = values((3, 4, 2))

    # Then it computes what the layer of Keras does with kernels (inputs, units) of the same values
    bias = biases.reshape(2, -1)
    stock = keras.layers.LSTM(3) if gates == 4 else keras.layers.GRU(3)
    stock.build((None, 4, 2))
    stock.set_weights(
        [
            np.hstack([kernel.T for kernel in kernels]),
            np.hstack([kernel.T for kernel in recurrent]),
            bias.sum(axis=0) if gates == 4 else bias,
        ]
    )
    np.testing.assert_allclose(answer(tmp_path, rows), np.asarray(stock(rows)), atol=1e-5)


def test_operators_that_tensorflow_2_wrote_as_nodes_are_run(tmp_path: Path) -> None:
    # Given y = mean(2x + x) over the row, as Keras in TensorFlow 2.0 to 2.3 wrote it
    number = {"type": "DT_FLOAT"}

    def node(name: str, operator: str, attributes: Any, constants: Any, *inputs: str) -> dict[str, Any]:
        definition = {"name": name, "op": operator, "attr": {"T": number, **attributes}}
        config = {"name": name, "dtype": "float32", "node_def": definition, "constants": constants}
        calls = [[[name, 0, 0, {}] for name in inputs]]
        return {"class_name": "TensorFlowOpLayer", "name": name, "config": config, "inbound_nodes": calls}

    x = {"class_name": "InputLayer", "name": "x", "config": {"batch_input_shape": [None, 3], "name": "x"}}
    layers = [
        {**x, "inbound_nodes": []},
        node("twice", "Mul", {}, {"1": 2.0}, "x"),
        node("sum", "AddV2", {}, {}, "twice", "x"),
        node("y", "Mean", {"Tidx": {"type": "DT_INT32"}, "keep_dims": {"b": True}}, {"1": [1]}, "sum"),
    ]
    config = {"name": "model", "layers": layers, "input_layers": [["x", 0, 0]], "output_layers": [["y", 0, 0]]}
    write(tmp_path, {"class_name": "Model", "config": config}, {}, "2.4.0")
    (rows,) = values((4, 3))
    np.testing.assert_allclose(answer(tmp_path, rows), 3 * rows.mean(axis=1, keepdims=True), atol=1e-6)

    # And one that is not known to compute only is refused by name
    layers[1]["config"]["node_def"]["op"] = "ReadFile"
    write(tmp_path / "other", {"class_name": "Model", "config": config}, {}, "2.4.0")
    assert "the operator ReadFile" in refusal(tmp_path / "other")
