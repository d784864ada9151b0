"""From a layer as Keras 1 or 2 described it to the class and the arguments of Keras 3 that compute the same.

Pure: what comes in and goes out is JSON. What only training needs (initial values, penalties, constraints) is left
out, since all values come from the file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from model_store.errors import LoadError

Arguments = dict[str, Any]

# Other names of classes that Keras 3 has.
RENAMED = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3D": "Conv3D",
    "Convolution3DTranspose": "Conv3DTranspose",
    "CuDNNGRU": "GRU",
    "CuDNNLSTM": "LSTM",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "DenseV1": "Dense",
    "DepthwiseConvolution2D": "DepthwiseConv2D",
    "GRUV1": "GRU",
    "GRUV2": "GRU",
    "GRUCellV2": "GRUCell",
    "LSTMV1": "LSTM",
    "LSTMV2": "LSTM",
    "LSTMCellV2": "LSTMCell",
    # Pictures change their size at random in training only.
    "RandomHeight": "Identity",
    "RandomWidth": "Identity",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "SyncBatchNormalization": "BatchNormalization",
    "TimeDistributedDense": "Dense",
}

MERGES = {
    "ave": "Average",
    "concat": "Concatenate",
    "dot": "Dot",
    "max": "Maximum",
    "mul": "Multiply",
    "sum": "Add",
}
RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Bidirectional"})

# Their type is that of the words they look up.
LOOKUPS = frozenset({"IntegerLookup", "StringLookup", "TextVectorization"})
ACTIVATION_KEYS = ("activation", "recurrent_activation")

_TRAINING_SUFFIXES = ("_initializer", "_regularizer", "_constraint", "_init")
_TRAINING_ONLY = frozenset({"init", "inner_init", "W_learning_rate_multiplier", "b_learning_rate_multiplier", "seed"})
# What says how something was computed or built, and not what.
_IMMATERIAL = frozenset(
    {
        *("batch_input_shape", "batch_shape", "build_input_shape", "input_shape", "input_dtype", "input_length"),
        *("query_shape", "key_shape", "value_shape", "vocabulary_size", "autocast", "experimental_autocast", "dynamic"),
        *("consume_less", "implementation", "fused", "synchronized", "keep_state", "rng_type", "unit_forget_bias"),
        *("dropout", "recurrent_dropout", "renorm_clipping", "renorm_momentum", "trainable", "activity_regularizer"),
    }
)
# Arguments that Keras 3 does not have any more, with the only value that means what Keras 3 does.
_WITHOUT_EFFECT = {"groups": 1, "mode": 0, "output_padding": None}

# Names of arguments in Keras 1, and in Keras 2 where they differ from those of Keras 3.
_RENAMED_ARGUMENTS = {
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "border_mode": "padding",
    "dropout_U": "recurrent_dropout",
    "dropout_W": "dropout",
    "inner_activation": "recurrent_activation",
    "filter_length": "kernel_size",
    "nb_filter": "filters",
    "p": "rate",
    "pool_length": "pool_size",
    "stride": "strides",
    "subsample": "strides",
    "subsample_length": "strides",
}
_RENAMED_IN = {
    "LeakyReLU": {"alpha": "negative_slope"},
    "UpSampling1D": {"length": "size"},
}
_KEEP_OUTPUT_DIM = frozenset({"Embedding"})
_DATA_FORMATS = {"tf": "channels_last", "th": "channels_first", "default": "channels_last"}


def class_in_keras_3(class_name: str, config: Mapping[str, Any]) -> str:
    """The name of the class that Keras 3 has for a class of before, which for Keras 1's Merge is told by its mode."""
    if class_name == "Merge":
        return MERGES.get(str(config.get("mode")), class_name)
    return RENAMED.get(class_name, class_name)


def translate(class_name: str, config: Mapping[str, Any], known: Collection[str], takes_any: bool) -> Arguments:
    """The arguments with which Keras 3 makes the layer.

    Args:
        class_name: The class as the file names it.
        config: Its arguments as the file has them.
        known: Names of the arguments that Keras 3's class has of its own.
        takes_any: Whether it takes those that all layers have, too.

    Raises:
        LoadError: An argument asks for what Keras 3 does not have.
    """
    target = class_in_keras_3(class_name, config)
    if target == "Identity":
        return {"name": config.get("name")}
    arguments = _with_old_defaults(class_name, _in_words_of_keras_3(target, config))
    if class_name == "Merge":
        arguments = _merged(target, arguments)
    allowed = {*known, *(("name", "dtype") if takes_any else ())}
    for key, value in arguments.items():
        if key not in allowed and not _may_be_left_out(key, value):
            raise LoadError(
                f"has a layer {config.get('name')!r} ({class_name}) with {key} = {value!r}, which Keras 3 does not "
                "have. Load it with the Keras that made it, and save it with model.export(folder)."
            )
    kept = {key: value for key, value in arguments.items() if key in allowed and not _is_for_training(key)}
    if target in LOOKUPS:
        return kept
    return {key: _CONVERTED[key](value) if key in _CONVERTED else value for key, value in kept.items()}


def _with_old_defaults(class_name: str, arguments: Arguments) -> Arguments:
    """Where the file says nothing, or what Keras 3 would take otherwise: as it was when the file was written."""
    if class_name in ("LSTM", "GRU"):
        arguments.setdefault("recurrent_activation", "hard_sigmoid")
    if class_name in ("GRU", "GRUCell", "GRUV1"):
        arguments.setdefault("reset_after", False)
    if class_name in ("CuDNNLSTM", "CuDNNGRU"):
        arguments |= {"activation": "tanh", "recurrent_activation": "sigmoid"}
    if class_name == "CuDNNGRU":
        arguments["reset_after"] = True
    if arguments.get("stateful"):
        # What one job leaves behind is nothing that the next one should find.
        arguments["stateful"] = False
    return arguments


def _in_words_of_keras_3(target: str, config: Mapping[str, Any]) -> Arguments:
    renamed = _RENAMED_ARGUMENTS | _RENAMED_IN.get(target, {})
    arguments = {renamed.get(key, key): value for key, value in config.items()}
    if "output_dim" in arguments and target not in _KEEP_OUTPUT_DIM:
        arguments["units"] = arguments.pop("output_dim")
    if target not in _KEEP_OUTPUT_DIM:
        arguments.pop("input_dim", None)
    if "dim_ordering" in arguments:
        arguments["data_format"] = _DATA_FORMATS.get(arguments.pop("dim_ordering"), "channels_last")
    sizes = [arguments.pop(key) for key in ("nb_row", "nb_col") if key in arguments]
    if sizes:
        arguments["kernel_size"] = sizes
    return arguments


def _merged(target: str, arguments: Arguments) -> Arguments:
    """A Merge of Keras 1 has the arguments of all kinds of merging; those of its own kind count."""
    own = {"Concatenate": {"axis": arguments.get("concat_axis", -1)}, "Dot": {"axes": arguments.get("dot_axes", -1)}}
    return {"name": arguments.get("name"), **own.get(target, {})}


def _is_for_training(key: str) -> bool:
    return key in _TRAINING_ONLY or key.endswith(_TRAINING_SUFFIXES) or key.startswith(("W_", "U_", "b_"))


def _may_be_left_out(key: str, value: Any) -> bool:
    if value is None or value is False or key in _IMMATERIAL or _is_for_training(key):
        return True
    return key in _WITHOUT_EFFECT and value == _WITHOUT_EFFECT[key]


def _axis(value: Any) -> Any:
    """Keras 2 lists the axis of a batch normalization, though it can be only one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _computing_dtype(value: Any) -> str | None:
    """A layer's type to compute in. Keras 3 casts what comes in to whole numbers, too, where Keras 2 gave them only."""
    name = dtype_name(value)
    return None if name is not None and name.startswith(("int", "uint", "bool")) else name


def dtype_name(value: Any) -> str | None:
    """The name of a data type, of which Keras 2 also wrote policies; None where the layer has none of its own."""
    if isinstance(value, dict):
        config = value.get("config")
        value = config.get("name") if isinstance(config, dict) else None
    if not isinstance(value, str) or value.startswith(("infer", "_infer")):
        return None
    return value.removesuffix("_ref")


_CONVERTED: Mapping[str, Callable[[Any], Any]] = {"axis": _axis, "dtype": _computing_dtype}
