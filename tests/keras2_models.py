"""Builds small models of each kind with Keras 2 itself (tf_keras), which writes the file and says what it computes.

Each function of `KINDS` makes one model, whose values are then made to differ from those that layers begin with.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tf_keras as keras2

layers = keras2.layers
KINDS: dict[str, Callable[[], Any]] = {}
ROWS = 3


def kind(build: Callable[[], Any]) -> Callable[[], Any]:
    KINDS[build.__name__] = build
    return build


def build(name: str) -> Any:
    """A model of this kind, with values of its own."""
    keras2.backend.clear_session()
    keras2.utils.set_random_seed(7)
    model = KINDS[name]()
    random = np.random.default_rng(7)
    model.set_weights([_varied(random, value) for value in model.get_weights()])
    return model


def save(model: Any, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)
    return path


def rows_for(model: Any) -> dict[str, np.ndarray]:
    """Inputs that fit the model, by the names that it has for them."""
    random = np.random.default_rng(3)
    return {tensor.name.partition(":")[0]: _input(random, tensor) for tensor in model.inputs}


def answers(model: Any, rows: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What Keras 2 computes."""
    tensors = [tf.constant(array) for array in rows.values()]
    given = dict(zip(rows, tensors, strict=True)) if isinstance(model.input, dict) else tensors
    outputs = model(given if len(tensors) > 1 else tensors[0], training=False)
    return [np.asarray(output) for output in tf.nest.flatten(outputs)]


def _varied(random: np.random.Generator, value: np.ndarray) -> np.ndarray:
    if value.dtype.kind != "f":
        return value
    noise = random.uniform(0.5, 1, value.shape) if value.ndim == 1 else value + random.normal(0, 0.05, value.shape)
    return noise.astype(value.dtype)


def _input(random: np.random.Generator, tensor: Any) -> np.ndarray:
    shape = [ROWS if size is None else size for size in tensor.shape]
    if tensor.dtype == tf.string:
        return random.choice(["a", "b", "hi you"], shape)
    dtype = tensor.dtype.as_numpy_dtype
    return (random.uniform(-1, 1, shape) if tensor.dtype.is_floating else random.integers(0, 4, shape)).astype(dtype)


def functional(shape: tuple[int, ...], call: Callable[[Any], Any], **options: Any) -> Any:
    x = keras2.Input(shape, name="x", **options)
    return keras2.Model(x, call(x))


def sequential(*members: Any) -> Any:
    return keras2.Sequential(list(members))


@kind
def dense() -> Any:
    return sequential(layers.Dense(4, "relu", input_shape=(3,), kernel_regularizer="l2"), layers.Dense(2, "softmax"))


@kind
def convolutions() -> Any:
    return sequential(
        layers.Conv2D(4, 3, input_shape=(9, 9, 3), data_format="channels_last"),
        layers.BatchNormalization(),
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        layers.ReLU(6.0),
        layers.SeparableConv2D(3, 2),
        layers.LeakyReLU(0.1),
        layers.Conv2DTranspose(2, 2),
        layers.PReLU(),
        layers.GlobalAveragePooling2D(),
    )


@kind
def recurrent_with_old_hard_sigmoid() -> Any:
    return sequential(
        layers.Embedding(20, 4, input_length=5, mask_zero=True),
        layers.LSTM(3, recurrent_activation="hard_sigmoid", return_sequences=True),
        layers.Bidirectional(layers.LSTM(3, recurrent_activation="hard_sigmoid", return_sequences=True)),
        layers.GRU(3, reset_after=False, return_sequences=True),
        layers.TimeDistributed(layers.Dense(2, "hard_sigmoid")),
        layers.GRU(2),
    )


@kind
def stacked_cells() -> Any:
    return sequential(layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)], input_shape=(5, 2)), layers.Dense(1))


@kind
def states_of_another_layer() -> Any:
    encoder, decoder = keras2.Input((4, 2), name="encoder"), keras2.Input((5, 2), name="decoder")
    _, *states = layers.LSTM(3, return_state=True)(encoder)
    return keras2.Model([encoder, decoder], layers.LSTM(3, return_sequences=True)(decoder, initial_state=states))


@kind
def branches_of_one_shape_and_names_in_no_order() -> Any:
    def call(x: Any) -> Any:
        short = layers.Dense(3, name="m")(x)
        long = layers.Dense(3, name="z")(layers.Dense(3, name="k")(x))
        return layers.Concatenate()([layers.Dense(3, name="a")(x), long, short])

    return functional((3,), call)


@kind
def branches_within_models() -> Any:
    inner = branches_of_one_shape_and_names_in_no_order()
    x = keras2.Input((2, 3), name="x")
    return keras2.Model(x, layers.TimeDistributed(inner)(layers.TimeDistributed(sequential(inner, layers.Dense(3)))(x)))


@kind
def pictures_that_were_varied_in_training() -> Any:
    return sequential(
        layers.RandomHeight(0.2, input_shape=(6, 6, 3)),
        layers.RandomWidth(0.2),
        layers.RandomFlip(),
        layers.Rescaling(2.0),
    )


@kind
def models_in_models_partly_frozen() -> Any:
    inner = sequential(layers.Dense(4, input_shape=(4,)), layers.BatchNormalization(), layers.Dense(4))
    inner.layers[0].trainable = False
    residual = functional((4,), lambda x: layers.Add()([layers.Dense(4)(x), x]))
    return sequential(layers.Dense(4, input_shape=(3,)), inner, residual, layers.Dense(4))


@kind
def one_model_called_twice() -> Any:
    base = sequential(layers.Dense(4, input_shape=(3,)), layers.Dense(2))
    a, b = keras2.Input((3,), name="a"), keras2.Input((3,), name="b")
    outputs = [layers.Subtract()([base(a), base(b)]), layers.Dot(1, normalize=True)([base(b), a[:, :2]])]
    return keras2.Model([a, b], outputs)


@kind
def inputs_in_a_dict() -> Any:
    z, a = keras2.Input((2,), name="z"), keras2.Input((2,), name="a")
    return keras2.Model({"z": z, "a": a}, {"less": layers.Subtract()([z, a]), "both": layers.Concatenate()([z, a])})


@kind
def operators() -> Any:
    def call(x: Any) -> Any:
        x = tf.cast(x, tf.float32) / 127.5 - 1.0
        x = tf.concat([x[:, 1:3], tf.transpose(x, [0, 1, 2])[:, ..., ::-1][:, :2]], axis=1)
        y = tf.reshape(tf.nn.relu(2.0 - x), (-1, 16)) ** 2
        return tf.where(y > 1.0, y, tf.zeros_like(y)) + tf.math.reduce_mean(y, axis=1, keepdims=True)

    return functional((6, 4), call, dtype="uint8")


@kind
def slashes_and_activations_of_mobile_networks() -> Any:
    def call(x: Any) -> Any:
        x = layers.BatchNormalization(axis=-1, name="Conv/BatchNorm")(layers.Dense(3, name="Conv")(x))
        return layers.Dense(3, tf.nn.relu6, name="Predictions/Sigmoid")(x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0))

    return functional((3,), call)


@kind
def layers_that_keras_3_has_not() -> Any:
    return sequential(
        layers.LocallyConnected2D(3, (2, 3), strides=(2, 1), activation="relu", input_shape=(6, 7, 2)),
        layers.Reshape((3, 15)),
        layers.LocallyConnected1D(2, 2),
        layers.ThresholdedReLU(0.2),
    )


@kind
def preprocessing() -> Any:
    normalization = layers.Normalization()
    normalization.adapt(np.arange(12.0).reshape(4, 3))
    return sequential(keras2.Input((3,)), normalization, layers.Discretization([-1.0, 0.0, 0.5]))


@kind
def words() -> Any:
    vectorization = layers.TextVectorization(output_sequence_length=4, vocabulary=["hi", "you"])
    return sequential(keras2.Input((1,), dtype="string"), vectorization, layers.Embedding(5, 2))


@kind
def attention() -> Any:
    return functional((5, 8), lambda x: layers.Attention(use_scale=True)([layers.MultiHeadAttention(2, 4)(x, x), x]))


@kind
def masks_put_together() -> Any:
    a, b = keras2.Input((5,), name="a"), keras2.Input((5,), name="b")
    both = layers.Concatenate()([layers.Embedding(9, 3, mask_zero=True)(a), layers.Embedding(9, 2, mask_zero=True)(b)])
    return keras2.Model([a, b], layers.LSTM(3)(both))


@kind
def fixed_batch_with_a_state() -> Any:
    return sequential(layers.LSTM(3, stateful=True, batch_input_shape=(ROWS, 5, 2)), layers.Dense(1))
