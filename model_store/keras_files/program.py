"""Makes a program of a Keras model: one graph for all calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from model_store.errors import LoadError
from model_store.program import Program, one_line, tensor_spec
from model_store.signature import Signature


def trace(model: Any, input_names: Sequence[str], output_names: Sequence[str]) -> Program:
    """Trace a model once: `model.predict` would cost 40 ms a call, and plain calls run layer by layer.

    Args:
        model: A model with known inputs.
        input_names: Names of its inputs as Keras flattens them.
        output_names: The same for its outputs; names that stand twice are numbered.

    Raises:
        LoadError: Its layers do not fit each other, or take what numpy does not have; the text follows the file's name.
    """
    inputs = {
        name: tf.TensorSpec(tensor.shape, tensor.dtype)
        for name, tensor in zip(input_names, keras.tree.flatten(model.inputs), strict=True)
    }
    if len(set(output_names)) < len(output_names):
        output_names = [f"{name}_{index}" for index, name in enumerate(output_names)]

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
    # Keras lets through whatever its layers raise.
    except Exception as error:
        raise LoadError(f"was read but cannot be used: {one_line(error)}.") from None
    return Program("keras", signature, lambda tensors: traced(*(tensors[name] for name in inputs)), owner=model)


def _arrange(model: Any, tensors: list[Any]) -> Any:
    if isinstance(model, keras.Sequential):
        return tensors[0]
    return keras.tree.pack_sequence_as(model.input, tensors)
