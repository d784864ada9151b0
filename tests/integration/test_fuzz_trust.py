"""Whatever the bytes of a model file are, looking through its operators ends, and says in a sentence what is wrong."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_store.errors import LoadError
from model_store.spec import ModelSpec
from model_store.trust.graph_part import Run
from model_store.trust.operator_check import refuse_operators
from model_store.trust.saved_model_runs import refuse_saved_model
from tests import tiny_models
from tests.damage import damaged

FOLDER = Path("m")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """A SavedModel as objects, the same as a graph alone, and a frozen graph."""
    folder = tmp_path_factory.mktemp("fuzz")
    whole = (tiny_models.add_text(folder) / "saved_model.pb").read_bytes()
    content = SavedModel.FromString(whole)
    content.meta_graphs[0].ClearField("object_graph_def")
    graph = tiny_models.save_frozen_graph(
        folder / "m.pb", tiny_models.linear, {"x": tf.TensorSpec((None, 3), tf.float32)}
    )
    return [whole, content.SerializeToString(), graph.read_bytes()]


@settings(max_examples=200)
@given(data=st.data())
def test_no_damage_makes_the_check_fail(files: list[bytes], data: st.DataObject) -> None:
    content = data.draw(damaged(files))
    with suppress(DecodeError, LoadError):
        refuse_saved_model(FOLDER, ModelSpec(), SavedModel.FromString(content))
    with suppress(DecodeError, LoadError):
        graph_def = GraphDef.FromString(content)
        refuse_operators(FOLDER, ModelSpec(), graph_def, [Run(tuple(node.name for node in graph_def.node))])
