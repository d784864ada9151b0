"""What of Keras a file may name: layers and functions that compute, and nothing that reads files or runs code."""

from __future__ import annotations

import sys
from typing import Any

import keras

# They run code that lies in the file, or beside it: bytecode, pickles, graphs of a folder that the file names.
CODE_LAYERS = frozenset({"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})

# Where Keras has what a model is made of. Its layers are operations, too.
BASES = (
    keras.Operation,
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
    keras.dtype_policies.DTypePolicy,
    keras.quantizers.Quantizer,
    keras.random.SeedGenerator,
    # A model within can say how it was trained.
    keras.optimizers.Optimizer,
    keras.optimizers.schedules.LearningRateSchedule,
    keras.losses.Loss,
    keras.metrics.Metric,
)
FUNCTION_MODULES = (
    *("keras.activations", "keras.initializers", "keras.regularizers", "keras.constraints", "keras.ops"),
    *("keras.losses", "keras.metrics"),
)
# These make objects from descriptions, instead of computing.
NOT_COMPUTING = frozenset({"get", "serialize", "deserialize"})


def layer_class(name: str) -> Any:
    """The layer or cell that Keras 3 has under this name; None where it has none, or one that runs code."""
    found = getattr(keras.layers, name, None) if name not in CODE_LAYERS else None
    return found if isinstance(found, type) and issubclass(found, keras.layers.Layer) else None


def activation(name: str) -> Any:
    """The activation that Keras 3 has under this name; None where it has none."""
    return _function("keras.activations", name)


def find(module: str | None, name: str, is_function: bool) -> Any:
    """What Keras 3 has under the name that a file of Keras 3 gives; None where it is not for models to be made of.

    Args:
        module: Where the file says it is; None for a layer, and `builtins` for a function known by its name alone.
        name: Its name there.
        is_function: Whether it is a function, else a class.
    """
    if is_function:
        modules = [place for place in FUNCTION_MODULES if module in ("builtins", place)]
        return next((found for place in modules if (found := _function(place, name))), None)
    if module is None:
        return layer_class(name) or _class("keras.models", name) or _class("keras", name)
    return _class(module, name)


def _function(module: str, name: str) -> Any:
    found: Any = getattr(sys.modules.get(module), name, None)
    return found if callable(found) and not isinstance(found, type) and name not in NOT_COMPUTING else None


def _class(module: str, name: str) -> Any:
    """A class that is loaded with Keras; nothing is imported, as a file could name any module."""
    if module.partition(".")[0] != "keras" or name in CODE_LAYERS:
        return None
    found = getattr(sys.modules.get(module), name, None)
    return found if isinstance(found, type) and issubclass(found, BASES) else None
