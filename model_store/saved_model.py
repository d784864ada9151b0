"""Opens a SavedModel: a folder with `saved_model.pb` and its variables, whose signatures name what goes in and out."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_store.errors import LoadError
from model_store.program import Program, one_line, tensor_spec
from model_store.saved_model_runs import refuse_saved_model
from model_store.signature import Signature, TensorSpec
from model_store.spec import ModelSpec
from model_store.store import SAVED_MODEL_FILE

DEFAULT_SIGNATURE = "serving_default"
INTERNAL_PREFIX = "__saved_model"


def open_saved_model(folder: Path, spec: ModelSpec) -> Program:
    """Open a SavedModel by its signature `serving_default`, or by its only one.

    Raises:
        LoadError: The folder is no complete SavedModel, TensorFlow refuses it, or no signature is the one to use.
        Untrusted: Its graph has operators that can do more than compute.
    """
    content = _read(folder / SAVED_MODEL_FILE)
    is_stripped = _has_optimizer(content)
    if is_stripped:
        _strip(content)
    refuse_saved_model(folder, spec, content)
    try:
        loaded = _load_copy(folder, content) if is_stripped else tf.saved_model.load(str(folder))
        function = _choose_signature(loaded.signatures)
        signature = Signature(_specs(function.structured_input_signature[1]), _specs(function.structured_outputs))
    # TensorFlow lets through whatever Python error its parts meet in a folder that is incomplete.
    except Exception as error:
        raise LoadError(f"{folder} cannot be used as a SavedModel: {one_line(error)}.") from None
    return Program("saved_model", signature, lambda tensors: function(**tensors), owner=loaded)


def _read(file: Path) -> Any:
    content = SavedModel()
    try:
        content.ParseFromString(file.read_bytes())
    except DecodeError:
        raise LoadError(f"{file} is damaged or only a part of a SavedModel's file.") from None
    if not content.meta_graphs:
        raise LoadError(f"{file} is empty or not a SavedModel's file: it holds no graph.")
    return content


def _has_optimizer(content: Any) -> bool:
    return any(node.slot_variables for graph in content.meta_graphs for node in graph.object_graph_def.nodes)


def _strip(content: Any) -> None:
    """Take away Python's side of the model.

    A Keras 2 model that was saved with its optimizer's slots cannot be restored as objects without Keras 2
    ('_UserObject' object has no attribute 'add_slot'). Its graph, which is all that is served, can.
    """
    for graph in content.meta_graphs:
        graph.ClearField("object_graph_def")


def _load_copy(folder: Path, content: Any) -> Any:
    """Load what the folder's file does not say itself, from a folder that leads to the same variables and assets."""
    with TemporaryDirectory() as copy:
        for entry in folder.iterdir():
            if entry.name != SAVED_MODEL_FILE:
                (Path(copy) / entry.name).symlink_to(entry.resolve())
        (Path(copy) / SAVED_MODEL_FILE).write_bytes(content.SerializeToString())
        return tf.saved_model.load(copy)


def _specs(tensors: Any) -> dict[str, TensorSpec]:
    """Sorted, as the file keeps them in no order."""
    return {name: tensor_spec(name, tensor) for name, tensor in sorted(tensors.items())}


def _choose_signature(signatures: Any) -> Any:
    names = [name for name in signatures if not name.startswith(INTERNAL_PREFIX)]
    if DEFAULT_SIGNATURE in names:
        return signatures[DEFAULT_SIGNATURE]
    if len(names) == 1:
        return signatures[names[0]]
    if names:
        raise LoadError(f"it has the signatures {', '.join(names)}, of which none is named {DEFAULT_SIGNATURE}")
    raise LoadError(
        "it has no signatures; export it again with model.export(folder), or with "
        "tf.saved_model.save(..., signatures=...)"
    )
