"""SavedModels of every kind, loaded from a store and compared with what TensorFlow gives for the same signature."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.text_format import MessageToString
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_store import other_signatures
from model_store.errors import InvalidInput, LoadError, PredictError, SpecError
from model_store.loader import load
from model_store.model import Model
from model_store.saved_models.file import SavedModelFile
from model_store.saved_models.saved_model import open_saved_model
from model_store.spec import ModelSpec
from model_store.store import find_model
from tests import tiny_models
from tests.saved_models import Counter, Encoder, save_v1, signature_def, times_variable, v1

X = np.array([[1, 2, 3], [4, 5, 6]], "float32")


def loaded(store: Path) -> Model:
    model = load(find_model(store, "m"))
    model.warm_up()
    return model


def refusal(store: Path) -> str:
    with pytest.raises(LoadError) as caught:
        load(find_model(store, "m"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def new_folder(store: Path, toml: str = "") -> Path:
    """A folder for a SavedModel inside a version, which the writers of TensorFlow want to make themselves."""
    return tiny_models.version_folder(store, "m", toml=toml) / "export"


def assert_like_tensorflow(model: Model, folder: Path, inputs: Mapping[str, Any], name: str | None = None) -> None:
    """Check a signature's answer against that of TensorFlow's own loader."""
    function = tf.saved_model.load(str(folder)).signatures[name or model.signature_name]
    expected = function(**{key: tf.constant(value) for key, value in inputs.items()})
    got = model.predict({key: np.asarray(value) for key, value in inputs.items()}, name)
    assert set(got) == set(expected)
    for key, tensor in expected.items():
        np.testing.assert_array_equal(got[key], tensor.numpy(), strict=True)


def test_a_saved_model_of_tensorflow_1_gives_what_tensorflow_gives(tmp_path: Path) -> None:
    folder = save_v1(new_folder(tmp_path), (["serve"], times_variable(3.0)))
    model = loaded(tmp_path)
    assert_like_tensorflow(model, folder, {"x": X})
    assert model.predict({"x": X})["y"].tolist() == (3 * X).tolist()
    assert model.takes_many_rows


@pytest.mark.parametrize("initializer", ["main_op", "legacy_init_op"])
def test_a_table_of_tensorflow_1_is_filled_from_its_asset(tmp_path: Path, initializer: str) -> None:
    words = tmp_path / "words.txt"
    words.write_text("cat\ndog\n")

    def build(session: Any) -> Any:
        index = tf.lookup.TextFileIndex
        table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(str(words), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER), -1
        )
        text = v1.placeholder(tf.string, [None], "text")
        options = {
            "assets_collection": v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            initializer: v1.tables_initializer(),
        }
        return {"serving_default": signature_def({"text": text}, {"number": table.lookup(text)})}, options

    save_v1(new_folder(tmp_path / "store"), (["serve"], build))
    words.unlink()
    assert loaded(tmp_path / "store").predict({"text": np.array(["dog", "cow"])})["number"].tolist() == [1, -1]


@pytest.mark.parametrize(
    ("tags", "factor"),
    [
        ([["serve"], ["train"]], 1.0),
        ([["train"], ["serve"]], 1.0),
        ([["serve", "tpu"], ["serve"]], 1.0),
        ([["serve", "gpu"], ["train"]], 1.0),
        ([["mine"]], 1.0),
        ([[], ["train"]], 1.0),
        ([["train"]], 1.0),
    ],
)
def test_of_several_graphs_the_one_for_serving_is_taken(tmp_path: Path, tags: list[list[str]], factor: float) -> None:
    graphs = [(own, times_variable(factor, "only" if "train" not in own else "training")) for own in tags]
    save_v1(new_folder(tmp_path), *graphs)
    model = loaded(tmp_path)
    assert model.signature_name == ("only" if len(tags) > 1 or tags == [["mine"]] else "training")
    assert model.predict({"x": X})["y"].tolist() == X.tolist()


def test_several_graphs_none_of_which_is_for_serving_are_told_with_their_tags(tmp_path: Path) -> None:
    save_v1(new_folder(tmp_path), (["fast"], times_variable(1.0)), (["exact", "slow"], times_variable(1.0)))
    message = refusal(tmp_path)
    assert "their tags: fast; exact, slow" in message
    assert "Save the one to be served with the tag 'serve'" in message


def many(session: Any) -> Any:
    """One signature of each kind that TensorFlow 1 lets be written."""
    x, keep = v1.placeholder(tf.float32, [None, 3], "x"), v1.placeholder(tf.float32, [], "keep")
    sparse = v1.sparse_placeholder(tf.float32, [None, 3], "sparse")
    only_steps = signature_def({"x": x}, {})
    signatures = {
        "serving_default": signature_def({"x": x}, {"same": x, "y": x * 2.0}),
        "unfed": signature_def({"x": x}, {"y": x * keep}),
        "sparse_in": signature_def({"s": sparse}, {"y": tf.reduce_sum(v1.sparse_tensor_to_dense(sparse), 0)}),
        "sparse_out": signature_def({"x": x}, {"s": tf.sparse.from_dense(x)}),
        "steps": only_steps,
        "twice": signature_def({"x": x, "x_again": x}, {"y": x * 2.0}),
        "constant": signature_def({}, {"c": tf.constant([1.0, 2.0])}),
    }
    return signatures, {}


def test_each_signature_is_served_or_refused_on_its_own(tmp_path: Path) -> None:
    folder = save_v1(new_folder(tmp_path), (["serve"], many))
    model = loaded(tmp_path)
    card = model.describe()

    # Then what can be served is
    assert list(card["signatures"]) == ["serving_default", "constant", "sparse_in"]
    outputs = model.predict({"x": X})
    assert (outputs["same"].tolist(), outputs["y"].tolist()) == (X.tolist(), (2 * X).tolist())
    assert model.predict({}, "constant")["c"].tolist() == [1, 2]
    sparse = {"s_indices": [[0, 1], [1, 2]], "s_values": np.array([5, 6], "f4"), "s_dense_shape": [2, 3]}
    assert model.predict({k: np.asarray(v) for k, v in sparse.items()}, "sparse_in")["y"].tolist() == [0, 5, 6]

    # And of the others the card says why not
    assert card["refused_signatures"] == {
        "sparse_out": "its output 's' is a SparseTensor, and only dense tensors can be answered",
        "steps": "it gives no tensor",
        "twice": "two of its inputs are one tensor",
        "unfed": "it depends on a placeholder that is none of its inputs",
    }
    with pytest.raises(InvalidInput, match="one of serving_default, constant, sparse_in, got 'steps'"):
        model.predict({"x": X}, "steps")

    # And who asks model.toml for one of these is told
    (folder.parent / "model.toml").write_text('signature = "unfed"')
    with pytest.raises(SpecError, match="signature is unfed, which cannot be served: it depends on a placeholder"):
        load(find_model(tmp_path, "m"))


def save_signatures(folder: Path, **functions: Any) -> Path:
    """A SavedModel of TensorFlow 2 with these signatures."""
    module = tf.Module()
    module.functions = functions
    tf.saved_model.save(module, str(folder), signatures=dict(functions))
    return folder


def scaled(factor: float, width: int = 3) -> Any:
    return tf.function(lambda x: {"y": factor * x}, [tf.TensorSpec([None, width], tf.float32, "x")])


def test_model_toml_names_the_default_signature_and_a_call_any(tmp_path: Path) -> None:
    folder = save_signatures(
        new_folder(tmp_path, 'signature = "b"'), a=scaled(2.0), b=scaled(3.0), serving_default=scaled(5.0, 4)
    )
    model = loaded(tmp_path)
    assert model.signature_name == model.describe()["default_signature"] == "b"
    for name in (None, "a", "b"):
        assert_like_tensorflow(model, folder, {"x": X}, name)
    assert_like_tensorflow(model, folder, {"x": X[:, [0, 1, 2, 0]]}, "serving_default")
    with pytest.raises(InvalidInput, match=r"inputs\.x: expected shape \(rows, 4\)"):
        model.predict({"x": X}, "serving_default")


def test_a_signature_that_the_model_has_not_is_told_with_those_it_has(tmp_path: Path) -> None:
    save_signatures(new_folder(tmp_path, 'signature = "c"'), a=scaled(2.0), b=scaled(3.0))
    with pytest.raises(SpecError, match=r"model\.toml: signature is c, but the model's are a, b\."):
        load(find_model(tmp_path, "m"))


def test_a_format_without_names_has_one_signature_by_the_usual_name(tmp_path: Path) -> None:
    tiny_models.add_linear(tmp_path, "m", "keras")
    model = loaded(tmp_path)
    assert model.signature_name == "serving_default"
    assert model.predict({"x": X}, "serving_default")["y"].tolist() == (2 * X + 1).tolist()


def test_each_signature_has_rows_of_its_own(tmp_path: Path) -> None:
    whole = tf.function(lambda x: {"sum": tf.reduce_sum(x)}, [tf.TensorSpec([None, 3], tf.float32, "x")])
    fixed = tf.function(lambda x: {"y": x + 1.0}, [tf.TensorSpec([2, 3], tf.float32, "x")])
    save_signatures(new_folder(tmp_path), serving_default=whole, fixed=fixed, rows=scaled(2.0))
    model = loaded(tmp_path)

    # Then jobs of one are joined, those of another are not, and those of a third go by twos
    assert not model.takes_many_rows
    assert model.with_signature("rows").takes_many_rows
    assert model.with_signature("rows").batching.max_rows == model.most_rows > 1
    odd = np.arange(9, dtype="float32").reshape(3, 3)
    assert model.predict({"x": odd}, "fixed")["y"].tolist() == (odd + 1).tolist()


def test_max_batch_size_holds_for_every_signature(tmp_path: Path) -> None:
    toml = "[batching]\nmax_batch_size = 3"
    save_signatures(new_folder(tmp_path, toml), serving_default=scaled(2.0), more=scaled(3.0))
    model = loaded(tmp_path)
    assert model.batching.max_rows == 3
    assert model.with_signature("more").batching.max_rows <= 3


def test_a_signature_that_changes_the_model_is_not_tried_and_its_jobs_run_alone(tmp_path: Path) -> None:
    counter = Counter()
    tf.saved_model.save(counter, str(new_folder(tmp_path)), signatures={"add": counter.add, "read": counter.read})
    model = loaded(tmp_path)
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

    save_signatures(new_folder(tmp_path), serving_default=scaled(2.0), divided=divided)
    model = loaded(tmp_path)
    assert model.predict({"x": np.array([2, 4], "float32")}, "divided")["y"].tolist() == [0.5, 0.25]
    assert model.with_signature("divided").batching.max_rows == 1


def test_an_object_without_signatures_is_served_by_its_functions(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    tf.saved_model.save(Encoder(), str(folder), signatures={})
    content = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    assert all(name.startswith("__saved_model") for name in content.meta_graphs[0].signature_def)
    model = loaded(tmp_path)
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
    tf.saved_model.save(module, str(new_folder(tmp_path)))
    assert "it has no signatures and no functions; export it again" in refusal(tmp_path)


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
    save_signatures(new_folder(tmp_path), s=tf.function(call, [tf.TensorSpec([None, 3], tf.float32, "x")]))
    assert reason in refusal(tmp_path)


def test_a_keras_export_gives_what_the_model_gives(tmp_path: Path) -> None:
    keras_model = keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(4, activation="softmax")])
    keras_model.export(str(new_folder(tmp_path)), verbose=False)
    model = loaded(tmp_path)
    (got,) = model.predict({next(iter(model.signature.inputs)): X}).values()
    np.testing.assert_allclose(got, keras_model(X).numpy(), rtol=1e-6)


def test_a_saved_model_in_text_form_is_served(tmp_path: Path) -> None:
    folder = save_v1(new_folder(tmp_path), (["serve"], times_variable(3.0)))
    content = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (folder / "saved_model.pbtxt").write_text(MessageToString(content))
    (folder / "saved_model.pb").unlink()
    assert loaded(tmp_path).predict({"x": X})["y"].tolist() == (3 * X).tolist()


def test_a_text_form_that_is_cut_off_is_told_as_damaged(tmp_path: Path) -> None:
    folder = save_v1(new_folder(tmp_path), (["serve"], times_variable(3.0)))
    content = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (folder / "saved_model.pbtxt").write_text(MessageToString(content)[:900])
    (folder / "saved_model.pb").unlink()
    assert "saved_model.pbtxt is damaged" in refusal(tmp_path)


def test_a_saved_models_file_of_another_name_is_opened_with_what_lies_beside_it(tmp_path: Path) -> None:
    folder = save_v1(tmp_path / "m", (["serve"], times_variable(3.0)))
    (folder / "saved_model.pb").rename(folder / "frozen.pb")
    program = open_saved_model(folder / "frozen.pb", ModelSpec())
    assert program.run({"x": tf.constant(X)})["y"].numpy().tolist() == (3 * X).tolist()
    assert program.function is not None


@pytest.mark.parametrize("missing", ["variables.index", "variables.data-00000-of-00001"])
def test_a_file_of_variables_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    folder = save_v1(new_folder(tmp_path), (["serve"], times_variable(3.0)))
    (folder / "variables" / missing).unlink()
    assert f"variables misses {missing}: a SavedModel is its whole folder" in refusal(tmp_path)


def test_a_shard_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = save_v1(new_folder(tmp_path), (["serve"], times_variable(3.0)))
    shard = folder / "variables" / "variables.data-00000-of-00001"
    shard.rename(shard.with_name("variables.data-00001-of-00003"))
    message = refusal(tmp_path)
    assert "variables misses variables.data-00000-of-00003, variables.data-00002-of-00003" in message


def test_a_fingerprint_that_is_lost_or_damaged_does_no_harm(tmp_path: Path) -> None:
    folder = save_signatures(new_folder(tmp_path), serving_default=scaled(2.0))
    (folder / "fingerprint.pb").write_bytes(b"\xff" * 40)
    assert loaded(tmp_path).predict({"x": X})["y"].tolist() == (2 * X).tolist()
    (folder / "fingerprint.pb").unlink()
    assert loaded(tmp_path).predict({"x": X})["y"].tolist() == (2 * X).tolist()


def test_an_asset_that_is_missing_is_told(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("cat\n")
    module = tf.Module()
    index = tf.lookup.TextFileIndex
    module.table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(str(words), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER), -1
    )
    module.call = tf.function(lambda text: {"n": module.table.lookup(text)}, [tf.TensorSpec([None], tf.string, "text")])
    folder = new_folder(tmp_path / "store")
    tf.saved_model.save(module, str(folder), signatures=module.call)
    shutil.rmtree(folder / "assets")
    assert "words.txt" in refusal(tmp_path / "store")


def example(**features: list[float]) -> bytes:
    named = {name: tf.train.Feature(float_list=tf.train.FloatList(value=values)) for name, values in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=named)).SerializeToString()


PARSED = {
    "a": tf.io.FixedLenFeature([2], tf.float32),
    "n": tf.io.FixedLenFeature([], tf.int64, 7),
    "words": tf.io.VarLenFeature(tf.string),
}


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
    save(new_folder(tmp_path))
    model = loaded(tmp_path)
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

    save_signatures(new_folder(tmp_path), serving_default=brightness)
    model = loaded(tmp_path)
    picture = tf.io.encode_jpeg(np.full((8, 8, 3), 255, "uint8")).numpy()
    assert model.predict({"data": np.array([picture] * 2, object)})["brightness"].tolist() == [255, 255]
    assert model.takes_many_rows


def test_strings_come_out_as_text_where_they_are_and_else_as_bytes(tmp_path: Path) -> None:
    echo = tf.function(lambda text: {"again": text}, [tf.TensorSpec([None], tf.string, "text")])
    one = tf.function(lambda text: {"twice": tf.strings.join([text, text])}, [tf.TensorSpec([], tf.string, "text")])
    single = tf.function(lambda text: {"again": text}, [tf.TensorSpec([1], tf.string, "text")])
    save_signatures(new_folder(tmp_path), serving_default=echo, one=one, single=single)
    model = loaded(tmp_path)
    assert model.predict({"text": np.array(["zwölf", ""])})["again"].dtype.kind == "U"
    odd = [b"\xff\0", "zwölf".encode()]
    assert model.predict({"text": np.array(odd, object)})["again"].tolist() == odd
    # Also where each row is a call of its own.
    assert model.predict({"text": np.array(odd, object)}, "single")["again"].tolist() == odd
    assert model.predict({"text": np.array("ab")}, "one")["twice"].tolist() == "abab"
    assert model.predict({"text": np.array(b"\xff", object)}, "one")["twice"].tolist() == b"\xff\xff"


def test_names_that_no_language_knows_are_kept(tmp_path: Path) -> None:
    def build(session: Any) -> Any:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        return {"a b/é:0": signature_def({"in put:0": x}, {"out/put:0 é": x * 2.0})}, {}

    save_v1(new_folder(tmp_path), (["serve"], build))
    model = loaded(tmp_path)
    assert model.signature_name == "a b/é:0"
    assert {name: array.tolist() for name, array in model.predict({"in put:0": X}).items()} == {
        "out/put:0 é": (2 * X).tolist()
    }


def test_signatures_for_which_no_time_is_left_are_served_one_job_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_signatures, "TOTAL_S", 0.0)
    fixed = tf.function(lambda x: {"y": x + 1.0}, [tf.TensorSpec([2, 3], tf.float32, "x")])
    save_signatures(new_folder(tmp_path), serving_default=scaled(2.0), fixed=fixed, rows=scaled(3.0))
    model = loaded(tmp_path)
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


def test_whatever_tensorflow_is_about_to_load_is_shown_to_the_check_before(tmp_path: Path) -> None:
    # Given a file of which TensorFlow can load a changed copy only
    file = SavedModelFile.read(save_v1(tmp_path / "m", (["serve"], many)))
    seen: list[Any] = []
    file.load(seen.append)
    assert len(seen) >= 2
    assert "unfed" in seen[0].meta_graphs[0].signature_def
    assert "unfed" not in seen[-1].meta_graphs[0].signature_def

    # When the check refuses the copy, and not the file
    def refuse_copy(content: Any) -> None:
        if content is not file.content:
            raise LoadError("Refused.")

    # Then nothing is loaded
    with pytest.raises(LoadError, match=r"Refused\."):
        file.load(refuse_copy)
