"""How many rows a loaded model takes: in one call, in several, padded; in a model file with a fixed batch too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from model_store.errors import InvalidInput, PredictError, WarmUpError
from model_store.model import Model
from model_store.signature import Signature, TensorSpec, check_inputs
from tests import tiny_models
from tests.opened_models import loaded, opened, put_saved_model

RNG = np.random.default_rng(11)
X = RNG.normal(size=(23, 3)).astype("float32")
ROWS = tf.TensorSpec((None, 3), tf.float32)


def fixed(rows: int) -> tf.TensorSpec:
    return tf.TensorSpec((rows, 3), tf.float32)


def put(store: Path, call: tiny_models.Call, spec: tf.TensorSpec = ROWS, toml: str = "") -> Model:
    put_saved_model(store, call, toml, x=spec)
    return loaded(store)


def warm(store: Path, call: tiny_models.Call, spec: tf.TensorSpec = ROWS, toml: str = "") -> Model:
    model = put(store, call, spec, toml)
    model.warm_up()
    return model


def call_sizes(x: tf.Tensor) -> dict[str, tf.Tensor]:
    """Each row, and with it how many rows its call had."""
    rows = tf.shape(x)[0]
    return {"y": 2.0 * x, "size": tf.fill([rows], rows)}


def put_fixed(store: Path, format: str, rows: int) -> Model:
    folder = tiny_models.version_folder(store, "m")
    if format == "frozen_graph":
        tiny_models.save_frozen_graph(folder / "m.pb", tiny_models.linear, {"x": fixed(rows)})
    elif format == "saved_model":
        tiny_models.save_saved_model(folder, tiny_models.linear, {"x": fixed(rows)})
    else:
        x = keras.Input(batch_shape=(rows, 3), name="x")
        dense = keras.layers.Dense(3, name="y")
        model = keras.Model(x, dense(x))
        dense.set_weights([np.eye(3) * 2, np.ones(3)])
        tiny_models.save_keras(folder / "m.keras", model)
    return loaded(store)


@pytest.mark.parametrize("format", tiny_models.FORMATS)
@pytest.mark.parametrize("fixed_rows", [1, 4])
def test_a_fixed_batch_takes_any_number_of_rows(tmp_path: Path, format: str, fixed_rows: int) -> None:
    # Given a file whose graph takes so many rows and no other number
    model = put_fixed(tmp_path, format, fixed_rows)
    assert model.signature.fixed_rows == fixed_rows

    # When it is warmed up
    model.warm_up()

    # Then its card says any rows, which a checker that only has the card accepts
    card = Signature.from_json(model.describe()["signature"])
    assert card.inputs["x"].shape == card.outputs["y"].shape == (None, 3)
    assert check_inputs(card, {"x": TensorSpec("float32", (7, 3))}) == 7
    assert model.takes_many_rows
    assert model.batching.sizes == (() if format == "frozen_graph" else (fixed_rows,))
    assert model.batching.max_rows >= fixed_rows

    # And any rows get their own answers
    for rows in (1, 3, 4, 5, 23):
        np.testing.assert_allclose(model.predict({"x": X[:rows]})["y"], 2 * X[:rows] + 1, atol=1e-5)


def test_a_fixed_batch_that_mixes_its_rows_takes_exactly_its_own_number(tmp_path: Path) -> None:
    # Given rows that know their neighbours: padded or divided they would have others
    model = warm(tmp_path, lambda x: {"y": x - tf.reduce_mean(x, axis=0)}, fixed(4))

    # Then nothing but four rows is taken, and jobs do not share a call
    with pytest.raises(InvalidInput, match=r"expected shape \(4, 3\), got shape \(3, 3\)"):
        model.predict({"x": X[:3]})
    np.testing.assert_allclose(model.predict({"x": X[:4]})["y"], X[:4] - X[:4].mean(axis=0), atol=1e-6)
    assert not model.takes_many_rows
    assert model.batching.max_rows == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda x: {"y": 2 * x, "anchors": tf.constant([1.0, 2, 3, 4])},
        lambda x: {"y": 2 * x, "mean": tf.reduce_mean(x)},
        lambda x: {"y": tf.reverse(x, axis=[0])},
    ],
    ids=["as many constants as rows", "no rows", "other rows"],
)
def test_a_fixed_batch_with_outputs_that_are_not_per_row_takes_exactly_its_own_number(
    tmp_path: Path, call: Callable[[tf.Tensor], dict[str, tf.Tensor]]
) -> None:
    model = warm(tmp_path, call, fixed(4))
    assert not model.takes_many_rows
    with pytest.raises(InvalidInput):
        model.predict({"x": X[:5]})


def test_a_fixed_batch_of_one_whose_output_lacks_the_row_takes_one(tmp_path: Path) -> None:
    model = warm(tmp_path, lambda x: {"y": tf.squeeze(x, axis=0)}, fixed(1))
    assert not model.takes_many_rows
    assert model.predict({"x": X[:1]})["y"].shape == (3,)


def test_outputs_whose_width_differs_from_call_to_call_cannot_be_one_result(tmp_path: Path) -> None:
    model = warm(tmp_path, lambda x: {"y": tf.boolean_mask(x, x[0] >= 0, axis=1)}, fixed(1))
    with pytest.raises(PredictError, match=r"other shapes in each of the 2 calls .* send at most 1 in a job"):
        model.predict({"x": np.array([[1, 1, 1], [1, -1, 1]], "float32")})


def test_a_scalar_beside_a_fixed_batch_goes_into_each_call(tmp_path: Path) -> None:
    scalar = tf.TensorSpec((), tf.float32)
    put_saved_model(tmp_path, lambda x, factor: {"y": x + factor}, x=fixed(4), factor=scalar)
    model = opened(tmp_path)
    outputs = model.predict({"x": X, "factor": np.array(3, "float32")})
    np.testing.assert_allclose(outputs["y"], X + 3, rtol=1e-6)
    assert not model.takes_many_rows


def test_a_tiny_model_is_found_to_take_many_rows_at_once(tmp_path: Path) -> None:
    model = warm(tmp_path, lambda x: {"y": 2 * x})
    assert model.batching.max_rows >= 64
    assert model.batching.sizes == ()


def test_a_model_that_refuses_random_numbers_is_measured_on_zeros(tmp_path: Path) -> None:
    def only_zeros(x: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.assert_equal(x, 0.0)]):
            return {"y": tf.identity(x)}

    assert warm(tmp_path, only_zeros).batching.max_rows >= 64


def test_more_rows_than_a_batch_are_several_calls(tmp_path: Path) -> None:
    model = warm(tmp_path, call_sizes, toml="[batching]\nmax_batch_size = 8\nsizes = []")
    outputs = model.predict({"x": X})
    assert outputs["size"].tolist() == [8] * 16 + [7] * 7
    np.testing.assert_array_equal(outputs["y"], 2 * X)


def test_each_call_is_told_of_before_it_is_made(tmp_path: Path) -> None:
    model = warm(tmp_path, call_sizes, toml="[batching]\nmax_batch_size = 8\nsizes = []")
    told: list[str] = []
    model.before_call = lambda: told.append("call")
    model.predict({"x": X})
    assert told == ["call"] * 3


def test_calls_are_padded_to_the_sizes_of_model_toml_unseen(tmp_path: Path) -> None:
    model = warm(tmp_path, call_sizes, toml="[batching]\nsizes = [4, 8]")
    assert model.batching.max_rows == 8
    for rows, sizes in ((1, [4]), (4, [4] * 4), (5, [8] * 5), (11, [8] * 8 + [4] * 3)):
        outputs = model.predict({"x": X[:rows]})
        assert outputs["size"].tolist() == sizes
        np.testing.assert_array_equal(outputs["y"], 2 * X[:rows])


def test_padding_never_shows_a_model_what_no_row_has(tmp_path: Path) -> None:
    # Given a model that fails on rows of zeros once it is warm
    def no_zeros(x: tf.Tensor) -> dict[str, tf.Tensor]:
        is_trial = tf.reduce_all(x == 0.0)
        checked = tf.debugging.Assert(is_trial | tf.reduce_all(x != 0.0), [x])
        with tf.control_dependencies([checked]):
            return {"y": 2.0 * x}

    model = warm(tmp_path, no_zeros, toml="[batching]\nsizes = [8]")
    np.testing.assert_array_equal(model.predict({"x": X[:3]})["y"], 2 * X[:3])


def test_a_model_that_is_compiled_anew_for_each_size_is_padded(tmp_path: Path) -> None:
    # Given a graph that asks for XLA, which compiles for each shape; deep enough for that to take its time
    def call(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": compiled(x)}

    @tf.function(jit_compile=True)
    def compiled(x: tf.Tensor) -> tf.Tensor:
        for _ in range(40):
            x = tf.sin(x @ tf.ones((3, 3))) + tf.reduce_max(x, axis=1, keepdims=True)
        return x

    model = warm(tmp_path, call, toml="[batching]\nmax_batch_size = 12")

    # Then its calls have one of few sizes
    assert model.batching.sizes == (1, 2, 4, 8, 12)
    assert model.predict({"x": X[:7]})["y"].shape == (7, 3)


def test_large_rows_of_any_size_are_fewer_in_a_call(tmp_path: Path) -> None:
    # Given a model that was tried with rows of 64 numbers
    model = warm(tmp_path, call_sizes, tf.TensorSpec((None, None), tf.float32))
    assert model.batching.max_rows >= 64

    # When rows have a million each
    outputs = model.predict({"x": np.ones((3, 1_000_000), "float32")})

    # Then each has a call of its own
    assert outputs["size"].tolist() == [1, 1, 1]


def test_widths_that_follow_the_rows_of_a_call_are_computed_in_one(tmp_path: Path) -> None:
    # Given an output as wide as the largest number among all rows
    def wide(x: tf.Tensor) -> dict[str, tf.Tensor]:
        width = tf.cast(tf.reduce_max(x), tf.int32) + 1
        return {"y": tf.fill([tf.shape(x)[0], width], 1.0)}

    model = warm(tmp_path, wide, toml="[batching]\nmax_batch_size = 2\nsizes = []")

    # Then a job that is several calls still has one width
    assert model.predict({"x": np.array([[1, 1, 1]] * 3 + [[6, 1, 1]], "float32")})["y"].shape == (4, 7)


def test_a_batch_for_a_model_that_shares_no_calls_is_refused(tmp_path: Path) -> None:
    model = put(tmp_path, lambda x: {"mean": tf.reduce_mean(x)}, toml="[batching]\nmax_batch_size = 8")
    with pytest.raises(WarmUpError, match=r"model\.toml: batching\.max_batch_size does not fit m; it must be left out"):
        model.warm_up()


def test_sizes_that_a_fixed_batch_does_not_have_are_refused(tmp_path: Path) -> None:
    model = put(tmp_path, lambda x: {"y": 2 * x}, fixed(4), toml="[batching]\nsizes = [8]")
    with pytest.raises(WarmUpError, match=r"batching\.sizes does not fit m; it can only be \[4\], the rows it takes"):
        model.warm_up()
