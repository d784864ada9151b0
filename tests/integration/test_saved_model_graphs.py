"""SavedModels of TensorFlow 1: which of their graphs is served, and what of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model_store.errors import InvalidInput, LoadError, SpecError
from model_store.saved_models.file import SavedModelFile
from tests.opened_models import opened, refusal
from tests.saved_models import (
    assert_like_tensorflow,
    export_folder,
    known_lines,
    line_numbers,
    save_v1,
    signature_def,
    times_variable,
    v1,
)

X = np.array([[1, 2, 3], [4, 5, 6]], "float32")


def test_a_saved_model_of_tensorflow_1_gives_what_tensorflow_gives(tmp_path: Path) -> None:
    folder = save_v1(export_folder(tmp_path), (["serve"], times_variable(3.0)))
    model = opened(tmp_path)
    assert_like_tensorflow(model, folder, {"x": X})
    assert model.predict({"x": X})["y"].tolist() == (3 * X).tolist()
    assert model.takes_many_rows


@pytest.mark.parametrize("initializer", ["main_op", "legacy_init_op"])
def test_a_table_of_tensorflow_1_is_filled_from_its_asset(tmp_path: Path, initializer: str) -> None:
    words = tmp_path / "words.txt"
    words.write_text("cat\ndog\n")

    def build(session: Any) -> Any:
        table = known_lines(line_numbers(words))
        text = v1.placeholder(tf.string, [None], "text")
        options = {
            "assets_collection": v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            initializer: v1.tables_initializer(),
        }
        return {"serving_default": signature_def({"text": text}, {"number": table.lookup(text)})}, options

    save_v1(export_folder(tmp_path / "store"), (["serve"], build))
    words.unlink()
    assert opened(tmp_path / "store").predict({"text": np.array(["dog", "cow"])})["number"].tolist() == [1, -1]


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
    save_v1(export_folder(tmp_path), *graphs)
    model = opened(tmp_path)
    assert model.signature_name == ("only" if len(tags) > 1 or tags == [["mine"]] else "training")
    assert model.predict({"x": X})["y"].tolist() == X.tolist()


def test_several_graphs_none_of_which_is_for_serving_are_told_with_their_tags(tmp_path: Path) -> None:
    save_v1(export_folder(tmp_path), (["fast"], times_variable(1.0)), (["exact", "slow"], times_variable(1.0)))
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
    folder = save_v1(export_folder(tmp_path), (["serve"], many))
    model = opened(tmp_path)
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
    assert "signature is unfed, which cannot be served: it depends on a placeholder" in refusal(tmp_path, SpecError)


def test_names_that_no_language_knows_are_kept(tmp_path: Path) -> None:
    def build(session: Any) -> Any:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        return {"a b/é:0": signature_def({"in put:0": x}, {"out/put:0 é": x * 2.0})}, {}

    save_v1(export_folder(tmp_path), (["serve"], build))
    model = opened(tmp_path)
    assert model.signature_name == "a b/é:0"
    assert {name: array.tolist() for name, array in model.predict({"in put:0": X}).items()} == {
        "out/put:0 é": (2 * X).tolist()
    }


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
