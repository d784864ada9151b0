"""Builds the model that a file of Keras 1 or 2 describes, out of layers of Keras 3.

Keras 3 reads few such files and some of them wrongly, so its own reader is not used: layers are made one by one, with
their arguments in Keras 3's words, and called on each other as the file says. Only classes of Keras and those that the
operator names can come in, so no description makes this run code.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from model_store.errors import LoadError
from model_store.keras_files.classes import layer_class
from model_store.keras_files.config import MODEL_CLASSES, Object, fields, inner_layers, keras_3_name, layer_name
from model_store.keras_files.keras2.activations import activation_name, find_activation
from model_store.keras_files.keras2.calls import Reference, read_call, read_tensors, references, replaced
from model_store.keras_files.keras2.graph import Graph
from model_store.keras_files.keras2.lambda_layer import make_lambda
from model_store.keras_files.keras2.layers import ACTIVATION_KEYS, RECURRENT, class_in_keras_3, dtype_name, translate
from model_store.keras_files.keras2.nodes import NODE_CLASSES, make_node
from model_store.keras_files.keras2.ops import OP_CLASSES, TensorFlowCall, make_op, op_keywords
from model_store.keras_files.keras2.own_layers import OWN_LAYERS


@dataclass(frozen=True)
class BuiltModel:
    """A model with no values yet.

    Attributes:
        model: Keras 3's.
        layers: Its layers under the names that the file has for them, in the file's order.
        input_names: Names of its inputs, in the order in which they are flattened.
        output_names: The same for its outputs, which may repeat.
        members: The layers of each model within, in the file's order, by the id of the model.
    """

    model: Any
    layers: Mapping[str, Any]
    input_names: Sequence[str]
    output_names: Sequence[str]
    members: Mapping[int, Sequence[Any]]


def build_model(description: Object, custom_objects: Mapping[str, Any], runs_code: bool = False) -> BuiltModel:
    """Build a model as a file of Keras 1 or 2 describes it.

    Args:
        description: The model's `{"class_name", "config"}`, free of code.
        custom_objects: Classes and functions that are not of Keras, by the names that the file has for them.
        runs_code: Whether the code of Lambda layers may run.

    Raises:
        LoadError: A layer asks for what Keras 3 does not have, or the description is not complete.
    """
    # Keras makes some layers anew out of their own description, such as the two of a Bidirectional.
    with keras.saving.custom_object_scope(dict(custom_objects)):
        return _Builder(custom_objects, runs_code).model(description)


class _Builder:
    def __init__(self, custom_objects: Mapping[str, Any], runs_code: bool) -> None:
        self._custom_objects = custom_objects
        self._runs_code = runs_code
        # Layers that stand in several models, by the number that the file gives them.
        self._shared: dict[int, Any] = {}
        self._members: dict[int, Sequence[Any]] = {}

    def model(self, description: Object) -> BuiltModel:
        is_sequential = description["class_name"] == "Sequential"
        built = self._sequential(description) if is_sequential else self._functional(description)
        self._members[id(built.model)] = list(built.layers.values())
        return built

    def layer(self, description: Object) -> Any:
        number = description.get("shared_object_id")
        if number in self._shared:
            return self._shared[number]
        made = self._make(description)
        if fields(description).get("trainable") is False:
            # The weights of a model within stand in the file with those first that were still trained.
            made.trainable = False
        if number is not None:
            self._shared[number] = made
        return made

    def _make(self, description: Object) -> Any:
        class_name, config = description["class_name"], fields(description)
        if class_name in MODEL_CLASSES:
            return self.model(description).model
        if class_name in NODE_CLASSES:
            return make_node(description, keras_3_name(layer_name(description)))
        if class_name in OP_CLASSES:
            return make_op(description, keras_3_name(layer_name(description)))
        if class_name == "Lambda" and self._runs_code:
            return make_lambda(description, self._custom_objects)
        if class_name in self._custom_objects:
            return self._custom_objects[class_name].from_config(
                {**config, "name": keras_3_name(layer_name(description))}
            )
        stock = OWN_LAYERS.get(class_name) or layer_class(class_in_keras_3(class_name, config))
        if stock is None:
            raise LoadError(f"needs the layer {class_name}, which Keras does not have.")
        parameters = inspect.signature(stock.__init__).parameters
        takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
        arguments = translate(class_name, config, parameters.keys() - {"self"}, takes_any)
        if "name" in arguments:
            arguments["name"] = keras_3_name(arguments["name"])
        return stock(**self._with_objects(class_name, arguments))

    def _with_objects(self, class_name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments with layers and functions in place of their descriptions."""
        for key in ACTIVATION_KEYS:
            if key in arguments:
                arguments[key] = self._activation(arguments[key])
        for key in ("layer", "backward_layer", "cell", "cells"):
            value = arguments.get(key)
            if isinstance(value, dict):
                arguments[key] = self.layer(value)
            elif isinstance(value, list):
                arguments[key] = [self.layer(member) for member in value]
        return arguments

    def _activation(self, value: Any) -> Any:
        name = activation_name(value)
        if isinstance(value, dict) and name is None:
            return self.layer(value)
        return find_activation(name, self._custom_objects)

    def _sequential(self, description: Object) -> BuiltModel:
        members = inner_layers(description)
        name = keras_3_name(fields(description).get("name") or "sequential")
        first = members[0] if members else {"class_name": "InputLayer", "config": {}}
        if first["class_name"] == "InputLayer":
            members = members[1:]
        layers = {layer_name(member): self.layer(member) for member in members}
        shape = _input_shape(first) or _built_shape(description)
        if shape is None:
            return BuiltModel(keras.Sequential(list(layers.values()), name=name), layers, (), (), self._members)
        input_name = layer_name(first) if first["class_name"] == "InputLayer" else f"{layer_name(first)}_input"
        tensor = _input(input_name, shape, fields(_innermost_first(first)))
        model = keras.Sequential([tensor, *layers.values()], name=name)
        return BuiltModel(model, layers, (input_name,), (next(reversed(layers), input_name),), self._members)

    def _functional(self, description: Object) -> BuiltModel:
        config, members = fields(description), inner_layers(description)
        names = {layer_name(member) for member in members}
        inputs, outputs = (read_tensors(config.get(key)) for key in ("input_layers", "output_layers"))
        tensors, layers, calls = {}, {}, {}
        for member in members:
            name = layer_name(member)
            if member["class_name"] == "InputLayer":
                tensors[name] = _input(name, _input_shape(member), fields(member))
            else:
                layers[name] = self.layer(member)
                calls[name] = [read_call(node, names) for node in member.get("inbound_nodes", ())]
        used = list(references([outputs, *(call for layer_calls in calls.values() for call in layer_calls)]))
        graph = Graph(tensors, calls, used)
        graph.run(lambda name, arguments, keywords: _call(layers[name], arguments, keywords))
        model = keras.Model(
            replaced(inputs, graph.tensor),
            replaced(outputs, graph.tensor),
            name=keras_3_name(config.get("name") or "model"),
        )
        return BuiltModel(model, layers, _input_names(inputs), _output_names(outputs), self._members)


def _call(layer: Any, inputs: Any, keywords: Mapping[str, Any]) -> Any:
    if isinstance(layer, TensorFlowCall):
        return layer(inputs, **op_keywords(keywords))
    keywords = {key: value for key, value in keywords.items() if value is not None}
    if type(layer).__name__ in RECURRENT and isinstance(inputs, list) and len(inputs) > 1:
        # Keras 2 has the states to begin with beside the sequence.
        return layer(inputs[0], initial_state=inputs[1:], **keywords)
    return layer(inputs, **keywords)


def _input(name: str, shape: Sequence[int | None] | None, config: Mapping[str, Any]) -> Any:
    if shape is None:
        raise LoadError(f"is damaged: its input {name!r} has no shape.")
    if config.get("sparse") or config.get("ragged"):
        raise LoadError(f"has a sparse or ragged input {name!r}, which cannot be sent; make it one of plain arrays.")
    return keras.Input(batch_shape=shape, name=keras_3_name(name), dtype=dtype_name(config.get("dtype")))


def _input_shape(layer: Object) -> Sequence[int | None] | None:
    """The shape with rows that a layer says its input has; that of a model within is in its first layer."""
    config = fields(_innermost_first(layer))
    return config.get("batch_input_shape") or config.get("batch_shape")


def _innermost_first(layer: Object) -> Object:
    while layer["class_name"] in MODEL_CLASSES and inner_layers(layer):
        layer = inner_layers(layer)[0]
    return layer


def _built_shape(description: Object) -> Sequence[int | None] | None:
    """What a Sequential was first called on, where nobody had declared its input."""
    build_config = description.get("build_config")
    shape = build_config.get("input_shape") if isinstance(build_config, dict) else None
    return fields(description).get("build_input_shape") or shape


def _input_names(inputs: Any) -> Sequence[str]:
    return [reference.layer for reference in references(inputs)]


def _output_names(outputs: Any) -> Sequence[str]:
    if isinstance(outputs, dict) and all(isinstance(value, Reference) for value in outputs.values()):
        return sorted(outputs)
    return [reference.layer for reference in references(outputs)]
