"""SavedModels that take strings: text, pictures in their files, and serialized examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model_store.errors import PredictError
from tests.opened_models import opened
from tests.saved_models import export_folder, save_signatures, save_v1, signature_def, v1

PARSED = {
    "a": tf.io.FixedLenFeature([2], tf.float32),
    "n": tf.io.FixedLenFeature([], tf.int64, 7),
    "words": tf.io.VarLenFeature(tf.string),
}


def example(**features: list[float]) -> bytes:
    named = {name: tf.train.Feature(float_list=tf.train.FloatList(value=values)) for name, values in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=named)).SerializeToString()


def parsing_v1(folder: Path) -> None:
    """As TensorFlow 1's estimators export it."""

    def build(session: Any) -> Any:
        examples = v1.placeholder(tf.string, [None], "examples")
        parsed = v1.parse_example(examples, PARSED)
        return {"serving_default": signature_def({"inputs": examples}, {"a": parsed["a"] * 2.0})}, {}

    save_v1(folder, (["serve"], build))


def parsing_v2(folder: Path) -> None:
    """As pipelines of TensorFlow 2 export it: the parser is in a function of the signature's."""
    inner = tf.function(lambda examples: tf.io.parse_example(examples, PARSED)["a"] * 2.0)
    outer = tf.function(lambda inputs: {"a": inner(inputs)}, [tf.TensorSpec([None], tf.string, "inputs")])
    save_signatures(folder, serving_default=outer)


def parsing_one_by_one(folder: Path) -> None:
    """As people write it who map a function over the examples."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def parse(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        one = {"a": tf.io.FixedLenFeature([2], tf.float32)}
        return {"a": tf.map_fn(lambda e: tf.io.parse_single_example(e, one)["a"] * 2.0, inputs, tf.float32)}

    save_signatures(folder, serving_default=parse)


@pytest.mark.parametrize("save", [parsing_v1, parsing_v2, parsing_one_by_one])
def test_a_model_that_parses_examples_is_tried_with_one_and_served(tmp_path: Path, save: Any) -> None:
    save(export_folder(tmp_path))
    model = opened(tmp_path)
    inputs = np.array([example(a=[1, 2]), example(a=[0, 0])], object)
    assert model.predict({"inputs": inputs})["a"].tolist() == [[2, 4], [0, 0]]
    assert model.takes_many_rows
    with pytest.raises(PredictError, match=r"is required but could not be found"):
        model.predict({"inputs": np.array([""])})


def test_a_model_that_decodes_pictures_is_tried_with_one_and_served(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "data")])
    def brightness(data: tf.Tensor) -> dict[str, tf.Tensor]:
        one = tf.map_fn(lambda d: tf.reduce_mean(tf.cast(tf.io.decode_jpeg(d, 3), tf.float32)), data, tf.float32)
        return {"brightness": one}

    save_signatures(export_folder(tmp_path), serving_default=brightness)
    model = opened(tmp_path)
    picture = tf.io.encode_jpeg(np.full((8, 8, 3), 255, "uint8")).numpy()
    assert model.predict({"data": np.array([picture] * 2, object)})["brightness"].tolist() == [255, 255]
    assert model.takes_many_rows


def test_strings_come_out_as_text_where_they_are_and_else_as_bytes(tmp_path: Path) -> None:
    echo = tf.function(lambda text: {"again": text}, [tf.TensorSpec([None], tf.string, "text")])
    one = tf.function(lambda text: {"twice": tf.strings.join([text, text])}, [tf.TensorSpec([], tf.string, "text")])
    single = tf.function(lambda text: {"again": text}, [tf.TensorSpec([1], tf.string, "text")])
    save_signatures(export_folder(tmp_path), serving_default=echo, one=one, single=single)
    model = opened(tmp_path)
    assert model.predict({"text": np.array(["zwölf", ""])})["again"].dtype.kind == "U"
    odd = [b"\xff\0", "zwölf".encode()]
    assert model.predict({"text": np.array(odd, object)})["again"].tolist() == odd
    # Also where each row is a call of its own.
    assert model.predict({"text": np.array(odd, object)}, "single")["again"].tolist() == odd
    assert model.predict({"text": np.array("ab")}, "one")["twice"].tolist() == "abab"
    assert model.predict({"text": np.array(b"\xff", object)}, "one")["twice"].tolist() == b"\xff\xff"
