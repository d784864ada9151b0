"""Refuses a description that would bring its own code, or layers that Keras does not have, before anything is loaded.

What Keras may make of a description are the classes and functions that `keras_files.classes` finds: an allowlist, since
what Keras's own safe mode forbids is a list of what somebody has thought of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from model_store.errors import Untrusted
from model_store.keras_files import classes as keras_classes
from model_store.keras_files.classes import CODE_LAYERS
from model_store.keras_files.config import MODEL_CLASSES, KerasConfig, Object, fields, layer_name, layers, objects
from model_store.keras_files.keras2.activations import activation_name, known_activation
from model_store.keras_files.keras2.layers import ACTIVATION_KEYS, class_in_keras_3
from model_store.keras_files.keras2.nodes import NODE_CLASSES, OPERATORS, node_of
from model_store.keras_files.keras2.ops import OP_CLASSES, find_function, function_name
from model_store.keras_files.keras2.own_layers import OWN_LAYERS

# How a description writes values that JSON does not have.
VALUES = frozenset({"__tensor__", "__numpy__", "__bytes__", "__slice__", "__ellipsis__", "__keras_tensor__"})


def refuse_code(config: KerasConfig, custom_objects: Mapping[str, Any]) -> None:
    """Raise Untrusted where a description asks for anything but Keras's own layers and those the operator names."""
    described = list(objects(config.model))
    lambdas = sorted({layer_name(item) for item in described if item["class_name"] == "Lambda"})
    if lambdas or any(item["class_name"] == "__lambda__" for item in described):
        raise Untrusted(
            f"has Lambda layers ({', '.join(lambdas) or 'a lambda within a layer'}): their code lies in the file and "
            "would run in the worker, so they are refused. Rebuild the model with layers of Keras in their place; or, "
            "where you trust who made this very file, name its SHA-256 in model.toml as trusted_sha256."
        )
    code = sorted({item["class_name"] for item in described if item["class_name"] in CODE_LAYERS})
    if code:
        raise Untrusted(f"has layers that run code from outside of Keras ({', '.join(code)}), so it is refused.")
    _refuse_file_names(described)
    missing = _missing_in_keras_3(described, custom_objects) if config.major == 3 else _missing(config, custom_objects)
    _refuse_missing(sorted(set(missing)))


def _refuse_missing(names: Collection[str]) -> None:
    if names:
        raise Untrusted(
            f"needs layers or functions that Keras does not have ({', '.join(names)}): their code is not in the file. "
            "Where it is installed beside Celeriac, name it in model.toml under [custom_objects], as "
            f'"{next(iter(names))}" = "module:name"; or, where that code is, export the model with '
            "model.export(folder), which gives a SavedModel."
        )


def _refuse_file_names(described: Collection[Object]) -> None:
    """A vocabulary can be the name of a file, which Keras would read wherever it lies."""
    for item in described:
        vocabulary = fields(item).get("vocabulary")
        if isinstance(vocabulary, str):
            raise Untrusted(
                f"has a layer {layer_name(item)!r} whose vocabulary is in the file {vocabulary!r}. Give the layer the "
                "words themselves before saving it."
            )


def _missing(config: KerasConfig, custom_objects: Collection[str]) -> Iterator[str]:
    """What a description of Keras 1 or 2 names beside Keras's own."""
    for layer in layers(config.model):
        class_name = layer["class_name"]
        if class_name in NODE_CLASSES:
            if node_of(layer).op not in OPERATORS:
                yield f"the operator {node_of(layer).op}"
        elif class_name in OP_CLASSES:
            if find_function(function_name(layer)) is None:
                yield f"tf.{function_name(layer)}"
        elif class_name not in custom_objects and class_name not in MODEL_CLASSES:
            if not _is_stock(layer):
                yield class_name
            yield from _missing_activations(layer, custom_objects)


def _missing_activations(layer: Object, custom_objects: Collection[str]) -> Iterator[str]:
    for key in ACTIVATION_KEYS:
        value = fields(layer).get(key)
        name = activation_name(value)
        if name is not None and name not in custom_objects and known_activation(name) is None:
            yield name
        class_name = value.get("class_name") if isinstance(value, dict) and name is None else None
        if class_name is not None and class_name not in custom_objects and not _is_stock(value):
            yield str(class_name)


def _is_stock(layer: Any) -> bool:
    class_name = str(layer.get("class_name"))
    return class_name in OWN_LAYERS or bool(keras_classes.layer_class(class_in_keras_3(class_name, fields(layer))))


def _missing_in_keras_3(described: Collection[Object], custom_objects: Collection[str]) -> Iterator[str]:
    for item in described:
        class_name, registered_name = item["class_name"], item.get("registered_name")
        name = str(item.get("config")) if class_name == "function" else class_name
        is_model = class_name in MODEL_CLASSES and "module" not in item
        if is_model or class_name in VALUES or {name, class_name, registered_name} & set(custom_objects):
            continue
        if keras_classes.find(item.get("module"), name, class_name == "function") is None:
            yield name
