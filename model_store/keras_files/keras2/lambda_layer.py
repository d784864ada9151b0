"""Makes a Lambda layer out of the code that lies in a file of Keras 1 or 2; only for files that the operator trusts."""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from model_store.errors import LoadError
from model_store.keras_files.config import Object, fields, keras_3_name, layer_name
from model_store.keras_files.keras2.layers import dtype_name

# What functions in models have always been able to take for granted.
NAMES = {"keras": keras, "np": np, "tf": tf}
CODE_PARTS = ("code", "defaults", "closure")


def make_lambda(description: Object, custom_objects: Mapping[str, Any]) -> Any:
    """The layer; its function is bytecode, which runs in the version of Python that wrote it, or a name.

    Raises:
        LoadError: The bytecode is of another Python, or nobody has a function of this name.
    """
    config, name = fields(description), layer_name(description)
    shape = config.get("output_shape")
    return keras.layers.Lambda(
        _function(config.get("function"), name, custom_objects),
        output_shape=tuple(shape) if isinstance(shape, list) else None,
        arguments=config.get("arguments") or {},
        name=keras_3_name(name),
        dtype=dtype_name(config.get("dtype")),
    )


def _function(value: Any, name: str, custom_objects: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        if value in custom_objects:
            return custom_objects[value]
        raise LoadError(f"needs the function {value} for its layer {name!r}; name it under [custom_objects].")
    if isinstance(value, dict):
        value = [fields(value).get(part) for part in CODE_PARTS]
    try:
        described = {"class_name": "__lambda__", "config": {"value": value}}
        found = keras.saving.deserialize_keras_object(described, safe_mode=False)
        return FunctionType(found.__code__, dict(NAMES), name, found.__defaults__, found.__closure__)
    # Bytecode of another version of Python ends in any error.
    except Exception as error:
        raise LoadError(
            f"has code for its layer {name!r} that this version of Python cannot read ({type(error).__name__}). "
            "Serve it with the Python that wrote it, or save it there with model.export(folder)."
        ) from None
