"""Operators that Keras 2 wrote as layers: a model made with `tf.concat(…)`, `x / 255` or `x[:, 0]` between its layers.

The file has the name of a function of TensorFlow. Only functions of the list below are called: they compute, and take
neither code nor the names of files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import keras
import tensorflow as tf

from model_store.keras_files.config import Object, fields
from model_store.keras_files.keras2.activations import known_activation

OP_CLASSES = frozenset({"TFOpLambda", "SlicingOpLambda"})

_OPERATORS = "add eq getitem ne"
_ROOT = (
    "abs add add_n argmax argmin argsort batch_to_space boolean_mask broadcast_to cast clip_by_norm clip_by_value "
    "complex concat cos cumsum divide einsum equal exp expand_dims eye fill floor gather gather_nd greater "
    "greater_equal identity less less_equal linspace logical_and logical_not logical_or matmul maximum meshgrid "
    "minimum multiply negative norm not_equal one_hot ones ones_like pad pow range rank realdiv reduce_all reduce_any "
    "reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_sum repeat reshape reverse reverse_sequence "
    "roll round scatter_nd searchsorted sequence_mask shape sigmoid sign sin sinh size slice sort space_to_batch split "
    "sqrt square squeeze stack stop_gradient strided_slice subtract tan tanh tensor_scatter_nd_update tensordot tile "
    "transpose truediv truncatediv unique unstack where zeros zeros_like"
)
_MATH = (
    "abs acos acosh add add_n angle argmax argmin asin asinh atan atan2 atanh ceil conj cos cosh count_nonzero cumprod "
    "cumsum cumulative_logsumexp digamma divide divide_no_nan equal erf erfc erfinv exp expm1 floor floordiv floormod "
    "greater greater_equal imag in_top_k is_finite is_inf is_nan l2_normalize less less_equal lgamma log log1p "
    "log_sigmoid log_softmax logical_and logical_not logical_or logical_xor maximum minimum mod multiply "
    "multiply_no_nan negative not_equal pow real reciprocal reciprocal_no_nan reduce_all reduce_any "
    "reduce_euclidean_norm reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_std reduce_sum "
    "reduce_variance rint round rsqrt segment_max segment_mean segment_min segment_sum sigmoid sign sin sinh softmax "
    "softplus softsign sqrt square squared_difference subtract tan tanh top_k truediv unsorted_segment_max "
    "unsorted_segment_mean unsorted_segment_sum xlogy"
)
_NN = (
    "atrous_conv2d avg_pool avg_pool1d avg_pool2d avg_pool3d batch_normalization bias_add conv1d conv2d "
    "conv2d_transpose conv3d crelu depth_to_space depthwise_conv2d elu gelu l2_loss l2_normalize leaky_relu "
    "local_response_normalization log_softmax max_pool max_pool1d max_pool2d max_pool3d moments pool relu relu6 selu "
    "separable_conv2d sigmoid silu softmax softplus softsign space_to_depth swish tanh top_k"
)
_IMAGE = (
    "adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation central_crop convert_image_dtype "
    "crop_and_resize crop_to_bounding_box extract_patches flip_left_right flip_up_down grayscale_to_rgb hsv_to_rgb "
    "pad_to_bounding_box per_image_standardization resize resize_with_crop_or_pad resize_with_pad rgb_to_grayscale "
    "rgb_to_hsv rgb_to_yiq rgb_to_yuv rot90 total_variation transpose yiq_to_rgb yuv_to_rgb"
)
_LINALG = "band_part diag diag_part einsum l2_normalize matmul matrix_transpose matvec norm tensordot trace"
_SIGNAL = (
    "fft fft2d fft3d frame hamming_window hann_window ifft ifft2d irfft overlap_and_add rfft rfft2d stft inverse_stft"
)
_STRINGS = (
    "as_string join length lower regex_full_match regex_replace split strip substr to_hash_bucket_fast to_number upper"
)

_PLACES = {
    "__operators__.": _OPERATORS,
    "": _ROOT,
    "compat.v1.": _ROOT,
    "compat.v1.image.": _IMAGE,
    "compat.v1.math.": _MATH,
    "compat.v1.nn.": _NN,
    "math.": _MATH,
    "nn.": _NN,
    "image.": _IMAGE,
    "linalg.": _LINALG,
    "signal.": _SIGNAL,
    "strings.": _STRINGS,
}
FUNCTIONS = frozenset(place + name for place, names in _PLACES.items() for name in names.split())


ACTIVATIONS = "keras.activations."


def function_name(description: Object) -> str:
    """The function that an operator's description names, such as `math.add`."""
    return str(fields(description).get("function"))


def find_function(name: str) -> Callable[..., Any] | None:
    """The function of TensorFlow, or activation of Keras, that a file names; None where it is not one to be called."""
    if name.startswith(ACTIVATIONS):
        return known_activation(name.removeprefix(ACTIVATIONS))
    return reduce(getattr, name.split("."), tf) if name in FUNCTIONS else None


class TensorFlowCall(keras.Operation):  # type: ignore[misc]
    """Calls one function of TensorFlow."""

    def __init__(self, function: str, name: str) -> None:
        super().__init__(name=name)
        self._function: Any = find_function(function)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call it as the file says."""
        return self._function(*args, **kwargs)


def make_op(description: Object, name: str) -> TensorFlowCall:
    """The operator that a description names; `find_function` must have its function."""
    return TensorFlowCall(function_name(description), name)


def op_keywords(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as TensorFlow takes them: the file has slices as dicts, and the names that operators had."""
    return {key: _with_slices(value) for key, value in keywords.items() if key != "name"}


def _with_slices(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_slices(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"start", "stop", "step"}:
        return slice(value["start"], value["stop"], value["step"])
    if value.get("class_name") in ("Ellipsis", "__ellipsis__"):
        return Ellipsis
    return {key: _with_slices(item) for key, item in value.items()}
