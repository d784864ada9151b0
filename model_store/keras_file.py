"""Opens a Keras file: `.h5` or `.hdf5` of any Keras, or `.keras` of Keras 3, always with Keras 3."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import tensorflow as tf

from model_store.errors import LoadError
from model_store.program import Program, one_line, tensor_spec
from model_store.signature import Signature, shape_text
from model_store.spec import ModelSpec


def open_keras_file(path: Path, spec: ModelSpec) -> Program:
    """Open a Keras model for inference; layers that bring their own code are refused.

    Raises:
        LoadError: The file is damaged, holds weights only, needs layers that Keras does not have, or Keras refuses it.
    """
    config = _read_config(path)
    _refuse_lambdas(path, config)
    model = _load(path, config)
    _check_declared_shape(path, config, model)
    return _trace(path, model)


def _read_config(path: Path) -> dict[str, Any]:
    """The model's description of itself: its class and its layers."""
    try:
        config = json.loads(_read_zip_config(path) if zipfile.is_zipfile(path) else _read_hdf5_config(path))
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise LoadError(f"{path} is damaged or only a part of a Keras file: {one_line(error)}.") from None
    if not isinstance(config, dict):
        raise LoadError(f"{path} describes no model: expected a JSON object, got {type(config).__name__}.")
    return config


def _read_zip_config(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        return archive.read("config.json")


def _read_hdf5_config(path: Path) -> Any:
    with h5py.File(path) as file:
        if "model_config" not in file.attrs:
            raise LoadError(
                f"{path} holds no model but at most weights, as model.save_weights() leaves them. Build the model, "
                "load the weights into it, and save it whole with model.save() or model.export()."
            )
        return file.attrs["model_config"]


def _refuse_lambdas(path: Path, config: dict[str, Any]) -> None:
    lambdas = sorted({_name(layer) for layer in _objects(config) if layer["class_name"] == "Lambda"})
    if lambdas:
        raise LoadError(
            f"{path} has Lambda layers ({', '.join(lambdas)}): their code lies in the file and would run in the "
            "worker, so they are refused. Rebuild the model with layers of Keras in their place."
        )


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every Keras object described anywhere within, as nested models and wrappers hide layers."""
    if isinstance(value, dict):
        if isinstance(value.get("class_name"), str):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for member in value:
            yield from _objects(member)


def _name(layer: dict[str, Any]) -> str:
    config = layer.get("config")
    return str(config.get("name")) if isinstance(config, dict) else layer["class_name"]


def _load(path: Path, config: dict[str, Any]) -> Any:
    if keras.backend.backend() != "tensorflow":
        raise LoadError(f"{path} needs Keras on TensorFlow, but Keras is set to {keras.backend.backend()}.")
    try:
        with warnings.catch_warnings():
            # Advice to whoever wrote the model, of no use to whoever serves it.
            warnings.simplefilter("ignore")
            return keras.models.load_model(path, compile=False)
    # Keras lets through whatever its layers raise at a file they do not understand.
    except Exception as error:
        missing = _missing_layers(config)
        if missing:
            raise LoadError(
                f"{path} needs layers that Keras does not have ({', '.join(missing)}): their code is not in the file. "
                "Where that code is, export the model with model.export(folder), which gives a SavedModel."
            ) from None
        raise LoadError(f"{path} is refused by Keras {keras.__version__}: {one_line(error)}.") from None


def _missing_layers(config: dict[str, Any]) -> list[str]:
    layers = [layer for model in _objects(config) for layer in _members(model)]
    names = {layer["class_name"] for layer in layers if not str(layer.get("module", "keras")).startswith("keras")}
    legacy_names = {layer["class_name"] for layer in layers if "module" not in layer}
    return sorted(names | {name for name in legacy_names if not hasattr(keras.layers, name)} - {"Functional", "Model"})


def _members(model: dict[str, Any]) -> list[dict[str, Any]]:
    config = model.get("config")
    members = config.get("layers", []) if isinstance(config, dict) else config
    return [member for member in members if isinstance(member, dict)] if isinstance(members, list) else []


def _check_declared_shape(path: Path, config: dict[str, Any], model: Any) -> None:
    """Refuse a model whose input Keras 3 read wrongly: some shapes of Keras 2, batch axis and all, as one row's."""
    layers = _members(config)
    first = layers[0].get("config", {}) if layers and config.get("class_name") == "Sequential" else {}
    declared = first.get("batch_input_shape")
    loaded = _inputs(path, model)[0].shape
    if declared and len(declared) != len(loaded):
        raise LoadError(
            f"{path} was written by an old Keras: its input is {shape_text(tuple(declared), has_rows=True)}, but "
            f"Keras {keras.__version__} reads {shape_text(tuple(loaded), has_rows=True)}. Load it with the Keras that "
            "made it, and save it as a SavedModel."
        )


def _inputs(path: Path, model: Any) -> list[Any]:
    try:
        return list(model.inputs)
    except (AttributeError, TypeError):
        raise LoadError(
            f"{path} does not say what its model takes, as it was never built. Call it once on an example before "
            "saving it, or export it with model.export(folder)."
        ) from None


def _trace(path: Path, model: Any) -> Program:
    """One graph for all calls: `model.predict` would cost 40 ms a call, and plain calls run layer by layer."""
    inputs = {tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in _inputs(path, model)}
    output_names = _output_names(model)

    def call(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = model(_arrange(model, list(tensors)), training=False)
        return dict(zip(output_names, keras.tree.flatten(outputs), strict=True))

    try:
        traced = tf.function(call, input_signature=list(inputs.values()), autograph=False).get_concrete_function()
        outputs = traced.structured_outputs
        signature = Signature(
            {name: tensor_spec(name, spec) for name, spec in inputs.items()},
            {name: tensor_spec(name, outputs[name]) for name in output_names},
        )
    except Exception as error:
        raise LoadError(f"{path} was read but cannot be used: {one_line(error)}.") from None
    return Program("keras", signature, lambda tensors: traced(*(tensors[name] for name in inputs)), owner=model)


def _arrange(model: Any, tensors: list[Any]) -> Any:
    if isinstance(model, keras.Sequential):
        return tensors[0]
    return keras.tree.pack_sequence_as(model.input, tensors)


def _output_names(model: Any) -> list[str]:
    if isinstance(model, keras.Sequential):
        return [model.layers[-1].name]
    if isinstance(model.output, dict):
        return list(keras.tree.flatten({name: name for name in model.output}))
    names = list(model.output_names)
    return names if len(set(names)) == len(names) else [f"{name}_{index}" for index, name in enumerate(names)]
