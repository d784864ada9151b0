"""What a SavedModel's folder holds beside its graph: its text form, variables and assets, lost or damaged."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.text_format import MessageToString
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_store.saved_models.saved_model import open_saved_model
from model_store.spec import ModelSpec
from tests import tiny_models
from tests.opened_models import opened, put_module, refusal
from tests.saved_models import export_folder, put_words, save_signatures, save_v1, scaled, times_variable

X = np.array([[1, 2, 3], [4, 5, 6]], "float32")


def test_a_saved_model_in_text_form_is_served(tmp_path: Path) -> None:
    folder = save_v1(export_folder(tmp_path), (["serve"], times_variable(3.0)))
    content = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (folder / "saved_model.pbtxt").write_text(MessageToString(content))
    (folder / "saved_model.pb").unlink()
    assert opened(tmp_path).predict({"x": X})["y"].tolist() == (3 * X).tolist()


def test_a_text_form_that_is_cut_off_is_told_as_damaged(tmp_path: Path) -> None:
    folder = save_v1(export_folder(tmp_path), (["serve"], times_variable(3.0)))
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
    folder = save_v1(export_folder(tmp_path), (["serve"], times_variable(3.0)))
    (folder / "variables" / missing).unlink()
    assert f"variables misses {missing}: a SavedModel is its whole folder" in refusal(tmp_path)


def test_a_shard_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = save_v1(export_folder(tmp_path), (["serve"], times_variable(3.0)))
    shard = folder / "variables" / "variables.data-00000-of-00001"
    shard.rename(shard.with_name("variables.data-00001-of-00003"))
    message = refusal(tmp_path)
    assert "variables misses variables.data-00000-of-00003, variables.data-00002-of-00003" in message


def test_a_fingerprint_that_is_lost_or_damaged_does_no_harm(tmp_path: Path) -> None:
    folder = save_signatures(export_folder(tmp_path), serving_default=scaled(2.0))
    (folder / "fingerprint.pb").write_bytes(b"\xff" * 40)
    assert opened(tmp_path).predict({"x": X})["y"].tolist() == (2 * X).tolist()
    (folder / "fingerprint.pb").unlink()
    assert opened(tmp_path).predict({"x": X})["y"].tolist() == (2 * X).tolist()


def test_a_saved_model_that_still_holds_its_optimizer_is_served(tmp_path: Path) -> None:
    # Given a SavedModel with weights, one of which has an optimizer's slot, as Keras 2 left it behind
    module = tf.Module()
    module.factor, module.slot = tf.Variable(2.0), tf.Variable(0.0)
    module.call = tf.function(lambda x: {"y": module.factor * x})
    folder = put_module(tmp_path, module, **tiny_models.LINEAR_SPEC)
    content = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    root = content.meta_graphs[0].object_graph_def.nodes[0]
    ids = {child.local_name: child.node_id for child in root.children}
    root.slot_variables.add(
        original_variable_node_id=ids["factor"], slot_variable_node_id=ids["slot"], slot_name="momentum"
    )
    (folder / "saved_model.pb").write_bytes(content.SerializeToString())
    with pytest.raises(AttributeError, match="add_slot"):
        tf.saved_model.load(str(folder))

    # Then its graph is served without it
    assert opened(tmp_path).predict({"x": X})["y"].tolist() == (2 * X).tolist()


def test_a_saved_model_that_looks_words_up_in_a_file_is_served(tmp_path: Path) -> None:
    # Given a SavedModel with a table that is filled from an asset
    put_words(tmp_path / "store", tmp_path / "words.txt", lambda lines: tf.lookup.StaticVocabularyTable(lines, 1))

    # Then the table comes with it, and stays
    model = opened(tmp_path / "store")
    gc.collect()
    assert model.predict({"text": np.array(["dog", "cat", "cow"])})["number"].tolist() == [1, 0, 2]


def test_an_asset_that_is_missing_is_told(tmp_path: Path) -> None:
    shutil.rmtree(put_words(tmp_path / "store", tmp_path / "words.txt") / "assets")
    assert "words.txt" in refusal(tmp_path / "store")
