"""What a dry run shows of a model, and models that fail it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from model_store.errors import InvalidInput, PredictError, SpecError, WarmUpError
from model_store.model import Model
from tests import tiny_models
from tests.opened_models import loaded, opened, put_saved_model

ROWS = tf.TensorSpec((None, 3), tf.float32)
OPEN = tf.TensorSpec((None, None), tf.float32)
PICTURES = tf.TensorSpec((None, None, None, 3), tf.uint8)


def put(store: Path, call: tiny_models.Call, toml: str = "", **specs: tf.TensorSpec) -> Model:
    put_saved_model(store, call, toml, **specs)
    return loaded(store)


def test_warming_up_tells_the_milliseconds_of_a_row(tmp_path: Path) -> None:
    tiny_models.add_linear(tmp_path)
    row_ms = loaded(tmp_path, "linear").warm_up()
    assert 0.01 < row_ms < 1000


def test_a_model_of_strings_is_warmed_up_with_an_empty_one(tmp_path: Path) -> None:
    tiny_models.add_text(tmp_path)
    assert opened(tmp_path, "text").takes_many_rows


def test_a_model_that_fails_on_every_size_is_not_ready_and_says_why(tmp_path: Path) -> None:
    model = put(tmp_path, lambda x: {"y": tf.reshape(x, (-1, 5))}, x=OPEN)
    with pytest.raises(WarmUpError, match=r"cannot run\. Tried on zeros, x \(1, 224\): .* multiple of 5"):
        model.warm_up()


def test_a_model_that_needs_more_than_64_is_tried_with_224(tmp_path: Path) -> None:
    put(tmp_path, lambda x: {"y": x[:, 200]}, x=OPEN).warm_up()


def test_a_picture_is_tried_at_the_size_that_model_toml_says(tmp_path: Path) -> None:
    def only_30_by_40(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.ensure_shape(image, (None, 30, 40, 3))[:, 0, 0]}

    put(tmp_path, only_30_by_40, toml="[image]\nresize = [30, 40]", image=PICTURES).warm_up()


def test_outputs_without_rows_keep_jobs_from_sharing_a_call(tmp_path: Path) -> None:
    model = put(tmp_path, lambda x: {"y": 2 * x, "mean": tf.reduce_mean(x)}, x=ROWS)
    model.warm_up()
    assert model.row_outputs == {"y"}
    assert not model.takes_many_rows
    assert model.predict({"x": np.ones((4, 3), "float32")})["mean"] == 1


def test_an_input_without_rows_keeps_jobs_from_sharing_a_call(tmp_path: Path) -> None:
    model = put(tmp_path, lambda x, factor: {"y": factor * x}, x=ROWS, factor=tf.TensorSpec((), tf.float32))
    model.warm_up()
    assert not model.takes_many_rows
    outputs = model.predict({"x": np.ones((2, 3), "float32"), "factor": np.float32(3).reshape(())})
    assert outputs["y"].tolist() == [[3, 3, 3]] * 2


def test_a_model_that_says_any_rows_but_takes_one_is_found_out(tmp_path: Path) -> None:
    # Given a graph with a batch of one frozen into it, behind an input that looks open
    model = put(tmp_path, lambda x: {"y": tf.ensure_shape(x, (1, 3)) * 2}, x=ROWS)

    # When it was warmed up
    model.warm_up()

    # Then more rows are as many calls
    assert model.predict({"x": np.ones((3, 3), "float32")})["y"].tolist() == [[2, 2, 2]] * 3
    assert model.batching.sizes == (1,)


def test_a_model_that_takes_one_row_and_gives_none_takes_no_more(tmp_path: Path) -> None:
    model = put(tmp_path, lambda x: {"y": tf.reduce_mean(tf.ensure_shape(x, (1, 3)))}, x=ROWS)
    model.warm_up()
    assert model.signature.inputs["x"].shape == (1, 3)
    assert not model.takes_many_rows
    with pytest.raises(InvalidInput, match=r"expected shape \(1, 3\), got shape \(2, 3\)"):
        model.predict({"x": np.ones((2, 3), "float32")})


def test_another_number_of_rows_than_was_given_is_an_error(tmp_path: Path) -> None:
    # Given a model that drops rows below zero, which the zeros of a dry run do not show
    model = put(tmp_path, lambda x: {"y": tf.boolean_mask(x, x[:, 0] >= 0)}, x=ROWS)
    model.warm_up()
    with pytest.raises(PredictError, match=r"m gave an output y of shape \(1, 3\) for 2 rows of input"):
        model.predict({"x": np.array([[1, 1, 1], [-1, 1, 1]], "float32")})


def test_labels_are_checked_against_the_classes(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"model\.toml: labels has 2 names .* output y has 3 classes"):
        put(tmp_path, lambda x: {"y": 2 * x}, toml='labels = ["a", "b"]', x=ROWS)


def test_a_detector_must_give_boxes_and_scores(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"needs the outputs detection_boxes and detection_scores, .*; it gives y"):
        put(tmp_path, lambda x: {"y": 2 * x}, toml='kind = "detector"', x=ROWS)


def test_an_image_table_must_fit_the_input(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"image\.input x has the shape \(rows, 3\)"):
        put(tmp_path, lambda x: {"y": 2 * x}, toml="[image]\n", x=ROWS)
