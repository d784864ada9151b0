"""The signatures of a SavedModel of TensorFlow 2: which is the default, and what each answers in how many rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_store import other_signatures
from model_store.errors import InvalidInput, SpecError
from tests import tiny_models
from tests.opened_models import opened, refusal
from tests.saved_models import Counter, Encoder, assert_like_tensorflow, export_folder, save_signatures, scaled

X = np.array([[1, 2, 3], [4, 5, 6]], "float32")


def test_of_several_signatures_the_default_is_taken(tmp_path: Path) -> None:
    save_signatures(export_folder(tmp_path), predict=scaled(2.0), serving_default=scaled(3.0))
    assert opened(tmp_path).predict({"x": X})["y"].tolist() == (3 * X).tolist()


def test_an_only_signature_is_taken_whatever_its_name(tmp_path: Path) -> None:
    save_signatures(export_folder(tmp_path), predict=scaled(2.0))
    assert opened(tmp_path).predict({"x": X})["y"].tolist() == (2 * X).tolist()


def test_of_several_signatures_none_of_which_is_the_default_a_usual_one_is_taken(tmp_path: Path) -> None:
    save_signatures(export_folder(tmp_path), classify=scaled(1.0), predict=scaled(2.0))
    assert opened(tmp_path).predict({"x": X})["y"].tolist() == (2 * X).tolist()


def test_model_toml_names_the_default_signature_and_a_call_any(tmp_path: Path) -> None:
    folder = save_signatures(
        export_folder(tmp_path, 'signature = "b"'), a=scaled(2.0), b=scaled(3.0), serving_default=scaled(5.0, 4)
    )
    model = opened(tmp_path)
    assert model.signature_name == model.describe()["default_signature"] == "b"
    for name in (None, "a", "b"):
        assert_like_tensorflow(model, folder, {"x": X}, name)
    assert_like_tensorflow(model, folder, {"x": X[:, [0, 1, 2, 0]]}, "serving_default")
    with pytest.raises(InvalidInput, match=r"inputs\.x: expected shape \(rows, 4\)"):
        model.predict({"x": X}, "serving_default")


def test_a_signature_that_the_model_has_not_is_told_with_those_it_has(tmp_path: Path) -> None:
    save_signatures(export_folder(tmp_path, 'signature = "c"'), a=scaled(2.0), b=scaled(3.0))
    assert "model.toml: signature is c, but the model's are a, b." in refusal(tmp_path, SpecError)


def test_a_format_without_names_has_one_signature_by_the_usual_name(tmp_path: Path) -> None:
    tiny_models.add_linear(tmp_path, "m", "keras")
    model = opened(tmp_path)
    assert model.signature_name == "serving_default"
    assert model.predict({"x": X}, "serving_default")["y"].tolist() == (2 * X + 1).tolist()


def test_a_keras_export_gives_what_the_model_gives(tmp_path: Path) -> None:
    keras_model = keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(4, activation="softmax")])
    keras_model.export(str(export_folder(tmp_path)), verbose=False)
    model = opened(tmp_path)
    (got,) = model.predict({next(iter(model.signature.inputs)): X}).values()
    np.testing.assert_allclose(got, keras_model(X).numpy(), rtol=1e-6)


def doubled_and_same() -> Any:
    return tf.function(lambda x: {"y": 2 * x, "x_again": x}, [tf.TensorSpec([None, 3], tf.float32, "x")])


def test_model_toml_leaves_only_the_outputs_wanted(tmp_path: Path) -> None:
    save_signatures(export_folder(tmp_path, 'outputs = ["y"]'), predict=doubled_and_same())
    assert list(opened(tmp_path).predict({"x": X})) == ["y"]


def test_a_wanted_output_that_a_saved_model_has_not_is_told_with_those_it_has(tmp_path: Path) -> None:
    save_signatures(export_folder(tmp_path, 'outputs = ["z"]'), predict=doubled_and_same())
    assert "model.toml: outputs has z, but the model's are x_again, y." in refusal(tmp_path, SpecError)


def test_each_signature_has_rows_of_its_own(tmp_path: Path) -> None:
    whole = tf.function(lambda x: {"sum": tf.reduce_sum(x)}, [tf.TensorSpec([None, 3], tf.float32, "x")])
    fixed = tf.function(lambda x: {"y": x + 1.0}, [tf.TensorSpec([2, 3], tf.float32, "x")])
    save_signatures(export_folder(tmp_path), serving_default=whole, fixed=fixed, rows=scaled(2.0))
    model = opened(tmp_path)

    # Then jobs of one are joined, those of another are not, and those of a third go by twos
    assert not model.takes_many_rows
    assert model.with_signature("rows").takes_many_rows
    assert model.with_signature("rows").batching.max_rows == model.most_rows > 1
    odd = np.arange(9, dtype="float32").reshape(3, 3)
    assert model.predict({"x": odd}, "fixed")["y"].tolist() == (odd + 1).tolist()


def test_max_batch_size_holds_for_every_signature(tmp_path: Path) -> None:
    toml = "[batching]\nmax_batch_size = 3"
    save_signatures(export_folder(tmp_path, toml), serving_default=scaled(2.0), more=scaled(3.0))
    model = opened(tmp_path)
    assert model.batching.max_rows == 3
    assert model.with_signature("more").batching.max_rows <= 3


def test_signatures_for_which_no_time_is_left_are_served_one_job_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_signatures, "TOTAL_S", 0.0)
    fixed = tf.function(lambda x: {"y": x + 1.0}, [tf.TensorSpec([2, 3], tf.float32, "x")])
    save_signatures(export_folder(tmp_path), serving_default=scaled(2.0), fixed=fixed, rows=scaled(3.0))
    model = opened(tmp_path)
    assert model.takes_many_rows
    for name in ("fixed", "rows"):
        other = model.with_signature(name)
        assert (other.takes_many_rows, other.batching.max_rows) == (False, 1)
    assert model.predict({"x": X}, "rows")["y"].tolist() == (3 * X).tolist()
    assert model.predict({"x": X}, "fixed")["y"].tolist() == (X + 1).tolist()
    calls = []
    model.before_call = lambda: calls.append(1)
    model.predict({"x": X}, "rows")
    assert calls == [1]


def test_a_signature_that_changes_the_model_is_not_tried_and_its_jobs_run_alone(tmp_path: Path) -> None:
    counter = Counter()
    tf.saved_model.save(counter, str(export_folder(tmp_path)), signatures={"add": counter.add, "read": counter.read})
    model = opened(tmp_path)
    rows = np.array([1, 2], "float32")

    # Then another one is the default, and the model is as it was saved
    assert model.signature_name == "read"
    assert model.predict({"x": rows})["count"].tolist() == [0, 0]
    assert model.with_signature("add").batching.max_rows == 1
    # And a job that asks for it changes it once
    assert model.predict({"x": rows}, "add")["count"].tolist() == [4, 4]
    assert model.predict({"x": rows}, "read")["count"].tolist() == [4, 4]


def test_a_signature_that_no_trial_fits_is_served_to_whom_it_fits(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def divided(x: tf.Tensor) -> dict[str, tf.Tensor]:
        tf.debugging.assert_positive(x)
        return {"sum": tf.reduce_sum(1.0 / x), "y": 1.0 / x}

    save_signatures(export_folder(tmp_path), serving_default=scaled(2.0), divided=divided)
    model = opened(tmp_path)
    assert model.predict({"x": np.array([2, 4], "float32")}, "divided")["y"].tolist() == [0.5, 0.25]
    assert model.with_signature("divided").batching.max_rows == 1


def test_an_object_without_signatures_is_served_by_its_functions(tmp_path: Path) -> None:
    folder = export_folder(tmp_path)
    tf.saved_model.save(Encoder(), str(folder), signatures={})
    content = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    assert all(name.startswith("__saved_model") for name in content.meta_graphs[0].signature_def)
    model = opened(tmp_path)
    reference = tf.saved_model.load(str(folder))

    # Then its call is the default signature, and each trace of the others is one
    assert model.signature_name == "__call__"
    assert list(model.describe()["signatures"]) == ["__call__", "encode", "encode.2", "encode.3", "pair"]
    np.testing.assert_array_equal(model.predict({"x": X})["output_0"], reference(tf.constant(X)).numpy())
    # And a trace for use comes before one for training
    outputs = model.predict({"x": X}, "encode")
    assert {name: array.tolist() for name, array in outputs.items()} == {
        "code": (-X).tolist(),
        "parts_0": X.tolist(),
        "parts_1/more": (X + 1).tolist(),
    }
    assert model.predict({"x": X}, "encode.3")["code"].tolist() == np.zeros_like(X).tolist()
    assert model.with_signature("encode.2").signature.inputs["x"].shape == (None, 5)
    # And what is nested is named
    column = np.array([1, 2], "float32")
    nested = {"both_p": column, "both_q_0": column, "both_q_1": column}
    assert model.predict(nested, "pair")["output_0"].tolist() == [111, 222]
    assert model.with_signature("pair").takes_many_rows


def test_an_object_with_nothing_to_call_is_told_how_to_export_it(tmp_path: Path) -> None:
    module = tf.Module()
    module.weight = tf.Variable(1.0)
    tf.saved_model.save(module, str(export_folder(tmp_path)))
    assert "it has no signatures and no functions; export it again" in refusal(tmp_path)


def test_a_saved_model_without_signatures_is_told_how_to_get_one(tmp_path: Path) -> None:
    save_signatures(export_folder(tmp_path))
    assert "it has no signatures and no functions; export it again with model.export(folder)" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda x: {"r": tf.RaggedTensor.from_tensor(x)}, "s: its output 'r' is a RaggedTensor"),
        (lambda x: {"r": tf.sparse.from_dense(x)}, "s: its output 'r' is a SparseTensor"),
        (lambda x: {"r": tf.cast(x, tf.bfloat16)}, "s: its tensor 'r' is of TensorFlow's type bfloat16"),
        (lambda x: {}, "s: it gives no tensor"),
    ],
)
def test_an_only_signature_that_cannot_be_answered_is_a_sentence(tmp_path: Path, call: Any, reason: str) -> None:
    save_signatures(export_folder(tmp_path), s=tf.function(call, [tf.TensorSpec([None, 3], tf.float32, "x")]))
    assert reason in refusal(tmp_path)
