"""Layers that Keras 2 had and Keras 3 has not, written anew; for inference only."""

from __future__ import annotations

from math import prod
from typing import Any

import keras
import tensorflow as tf


class ThresholdedReLU(keras.layers.Layer):  # type: ignore[misc]
    """What is above theta stays, all else is 0."""

    def __init__(self, theta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self._theta = theta

    def call(self, x: Any) -> Any:
        """Any shape to the same shape."""
        return keras.ops.where(x > self._theta, x, keras.ops.zeros_like(x))


class LocallyConnected(keras.layers.Layer):  # type: ignore[misc]
    """A convolution with a kernel of its own at each place, channels last and without padding."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str = "channels_last",
        activation: Any = None,
        use_bias: bool = True,
        implementation: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (padding, data_format, implementation) != ("valid", "channels_last", 1):
            raise ValueError(f"{type(self).__name__} is supported for valid padding, channels last, implementation 1")
        self._filters, self._use_bias = filters, use_bias
        self._kernel_size, self._strides = self._sizes(kernel_size), self._sizes(strides)
        self._activation = keras.activations.get(activation)

    rank = 2

    def _sizes(self, value: Any) -> tuple[int, ...]:
        return tuple(value) if isinstance(value, list | tuple) else (value,) * self.rank

    def build(self, shape: Any) -> None:
        """The kernel is (places, size of a place, filters), the bias (place, place…, filters)."""
        sizes = zip(shape[1:-1], self._kernel_size, self._strides, strict=True)
        places = tuple((size - kernel) // stride + 1 for size, kernel, stride in sizes)
        kernel_shape = (prod(places), prod(self._kernel_size) * shape[-1], self._filters)
        self.kernel = self.add_weight(name="kernel", shape=kernel_shape)
        if self._use_bias:
            self.bias = self.add_weight(name="bias", shape=(*places, self._filters))
        self._places = places

    def call(self, x: Any) -> Any:
        """(rows, height, width, channels) or (rows, length, channels) to the same with filters."""
        if self.rank == 1:
            x = x[:, None]
        ones = (1,) * (2 - self.rank)
        sizes, strides = ([1, *ones, *value, 1] for value in (self._kernel_size, self._strides))
        patches = tf.image.extract_patches(x, sizes, strides, [1, 1, 1, 1], "VALID")
        patches = tf.reshape(patches, (-1, *self.kernel.shape[:2]))
        outputs = tf.einsum("rpi,pif->rpf", patches, tf.convert_to_tensor(self.kernel))
        outputs = tf.reshape(outputs, (-1, *self._places, self._filters))
        return self._activation(outputs + self.bias if self._use_bias else outputs)


class LocallyConnected2D(LocallyConnected):
    """For pictures."""


class LocallyConnected1D(LocallyConnected):
    """For sequences."""

    rank = 1


OWN_LAYERS = {layer.__name__: layer for layer in (LocallyConnected1D, LocallyConnected2D, ThresholdedReLU)}
