"""Opens a SavedModel's file that goes by another name than `saved_model.pb`, or is in text form."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from model_store.errors import LoadError
from model_store.graph_file import read_saved_model
from model_store.program import Program
from model_store.saved_model import open_saved_model
from model_store.spec import ModelSpec
from model_store.store import SAVED_MODEL_FILE

VARIABLES = {"VarHandleOp", "Variable", "VariableV2"}
VARIABLES_FOLDER = "variables"
FOLDERS = (VARIABLES_FOLDER, "assets", "assets.extra")


def open_renamed_saved_model(path: Path, spec: ModelSpec) -> Program:
    """Open a SavedModel's file as if it had its right name, with the folders beside it.

    Raises:
        LoadError: It is damaged, its variables are not beside it, or it cannot be opened as a SavedModel.
    """
    content = read_saved_model(path)
    is_complete = (path.parent / VARIABLES_FOLDER).is_dir()
    if not is_complete and _has_variables(content):
        raise LoadError(
            f"{path} is a SavedModel's file without its weights, which lie in a folder {VARIABLES_FOLDER}: put that "
            f"beside it, under this name, and name the file {SAVED_MODEL_FILE}."
        )
    if not is_complete:
        _forget_variables(content)
    with TemporaryDirectory() as folder:
        copy = Path(folder)
        (copy / SAVED_MODEL_FILE).write_bytes(content.SerializeToString())
        for name in FOLDERS:
            _link_files(path.parent / name, copy / name)
        try:
            return open_saved_model(copy, spec)
        except LoadError as error:
            raise LoadError(str(error).replace(folder, str(path))) from None


def _has_variables(content: Any) -> bool:
    return any(
        node.op in VARIABLES
        for graph in content.meta_graphs
        for nodes in (graph.graph_def.node, *(function.node_def for function in graph.graph_def.library.function))
        for node in nodes
    )


def _forget_variables(content: Any) -> None:
    """TensorFlow asks for the folder also where it would hold no more than the names of Python's objects."""
    for graph in content.meta_graphs:
        graph.ClearField("object_graph_def")
        graph.ClearField("saver_def")


def _link_files(source: Path, copy: Path) -> None:
    copy.mkdir()
    for entry in source.iterdir() if source.is_dir() else ():
        (copy / entry.name).symlink_to(entry.resolve())
