"""The files of a SavedModel: which graph of `saved_model.pb` is served, whether all is there, and how it is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from google.protobuf.text_format import Parse, ParseError
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_store.errors import LoadError, Untrusted
from model_store.program import one_line
from model_store.store import SAVED_MODEL_FILE, SAVED_MODEL_FILES, SAVED_MODEL_TEXT_FILE

SERVE = "serve"
# Of graphs for other hardware, and for training.
FOREIGN_TAGS = ("tpu", "train")
# TensorFlow's own signatures, which initialise or train.
INTERNAL_PREFIX = "__saved_model"
# How TensorFlow names the files with the values of variables, of which there may be several.
SHARD = re.compile(r"variables\.data-\d{5}-of-(\d{5})")
VARIABLE_OPS = ("Variable", "VariableV2", "VarHandleOp")


# Raises a ModelStoreError where a SavedModel message may not be loaded.
Check = Callable[[Any], None]


class Unloadable(Exception):
    """TensorFlow refused a copy; its text is the reason alone."""


@dataclass(frozen=True)
class SavedModelFile:
    """A SavedModel on disk, read and not loaded.

    Attributes:
        file: `saved_model.pb`, `saved_model.pbtxt`, or a file of another name with the same content.
        content: What it says, as TensorFlow's protocol buffer, all graphs of it.
        graph: The graph that is served.
    """

    file: Path
    content: Any
    graph: Any

    @classmethod
    def read(cls, path: Path) -> SavedModelFile:
        """Read a folder's file, or a file.

        Raises:
            LoadError: It is damaged, or it holds no graph or several of which none is meant for serving.
        """
        file = path
        if path.is_dir():
            file = next((path / name for name in SAVED_MODEL_FILES if (path / name).is_file()), path / SAVED_MODEL_FILE)
        content = _parse(file)
        return cls(file, content, _served_graph(file, content.meta_graphs))

    def check_variables(self) -> None:
        """Raise LoadError where files with the values of variables are missing."""
        folder = self.file.parent / "variables"
        nodes = self.graph.object_graph_def.nodes
        is_stateless = all(node.WhichOneof("kind") != "variable" for node in nodes)
        if is_stateless and all(node.op not in VARIABLE_OPS for node in self.graph.graph_def.node):
            return
        shards = [shard for file in folder.glob("variables.data-*") if (shard := SHARD.fullmatch(file.name))]
        count = max((shard[1] for shard in shards), default="00001")
        names = (f"variables.data-{number:05d}-of-{count}" for number in range(int(count)))
        missing = [name for name in ("variables.index", *names) if not (folder / name).is_file()]
        if missing:
            raise LoadError(
                f"{folder} misses {', '.join(missing[:3])}: a SavedModel is its whole folder; copy it again."
            )

    def load(self, check: Check) -> tuple[Any, dict[str, str]]:
        """Load it, with variables and tables.

        Args:
            check: Called with each content that TensorFlow is about to load; it may be another than the file's.

        Returns:
            TensorFlow's object, and why signatures had to be left out, by name.

        Raises:
            ModelStoreError: What the check raises.
            Exception: Of many kinds, where TensorFlow refuses it.
        """
        if self.file.name not in SAVED_MODEL_FILES or self._has_optimizer():
            return self._load_graph_alone(check)
        check(self.content)
        try:
            return tf.saved_model.load(str(self.file.parent), tags=list(self.graph.meta_info_def.tags)), {}
        # TensorFlow lets through whatever Python error its parts meet.
        except Exception as error:
            # A file that is missing is told, rather than that its reader would be refused in the graph alone.
            is_file_missing = isinstance(error, FileNotFoundError)
            with suppress(Unloadable, *((Untrusted,) if is_file_missing else ())):
                if self._has_signatures():
                    return self._load_graph_alone(check)
            raise

    def _has_signatures(self) -> bool:
        return any(not name.startswith(INTERNAL_PREFIX) for name in self.graph.signature_def)

    def _has_optimizer(self) -> bool:
        return any(node.slot_variables for node in self.graph.object_graph_def.nodes)

    def _load_graph_alone(self, check: Check) -> tuple[Any, dict[str, str]]:
        """Load without Python's side of the model, and without signatures that TensorFlow cannot cut out of the graph.

        A Keras 2 model that was saved with its optimizer's slots cannot be restored as objects without Keras 2
        ('_UserObject' object has no attribute 'add_slot'), nor can objects of types that only their program knows.
        Its graph, which is all that is served, can.
        """
        graph = type(self.graph).FromString(self.graph.SerializeToString())
        graph.ClearField("object_graph_def")
        refused = {name: "two of its inputs are one tensor" for name in _twice_fed(graph.signature_def)}
        for name in refused:
            del graph.signature_def[name]
        while True:
            try:
                return self._load_copy(graph, check), refused
            except Unloadable as error:
                at_fault = [name for name in graph.signature_def if f"signature '{name}' depends" in str(error)]
                if not at_fault:
                    raise
                del graph.signature_def[at_fault[0]]
                refused[at_fault[0]] = "it depends on a placeholder that is none of its inputs"

    def _load_copy(self, graph: Any, check: Check) -> Any:
        """Load a changed graph, from a folder that leads to the same variables and assets; raises Unloadable."""
        content = SavedModel(saved_model_schema_version=1, meta_graphs=[graph])
        check(content)
        with TemporaryDirectory() as copy:
            for entry in self.file.parent.iterdir():
                if entry.name not in (*SAVED_MODEL_FILES, self.file.name):
                    (Path(copy) / entry.name).symlink_to(entry.resolve())
            (Path(copy) / SAVED_MODEL_FILE).write_bytes(content.SerializeToString())
            try:
                return tf.saved_model.load(copy)
            # As above.
            except Exception as error:
                # Nobody who reads of it could find the copy.
                raise Unloadable(one_line(error).replace(copy, str(self.file.parent))) from None


def _parse(file: Path) -> Any:
    content = SavedModel()
    try:
        if file.name == SAVED_MODEL_TEXT_FILE:
            Parse(file.read_text(encoding="utf-8"), content)
        else:
            content.ParseFromString(file.read_bytes())
    except OSError as error:
        raise LoadError(f"{file} cannot be read: {error.strerror}.") from None
    except (DecodeError, ParseError, UnicodeDecodeError):
        raise LoadError(f"{file} is damaged or only a part of a SavedModel's file.") from None
    if not content.meta_graphs:
        raise LoadError(f"{file} is empty or not a SavedModel's file: it holds no graph.")
    return content


def _twice_fed(signatures: Mapping[str, Any]) -> list[str]:
    """The signatures for which TensorFlow would refuse all of them."""
    twice_fed = []
    for name, signature in signatures.items():
        # Sparse ones have no name of their own.
        tensors = [tensor.name for tensor in signature.inputs.values() if tensor.name]
        if len(set(tensors)) < len(tensors):
            twice_fed.append(name)
    return twice_fed


def _served_graph(file: Path, graphs: Sequence[Any]) -> Any:
    """The graph tagged "serve", else the only one that could be meant."""
    tags = [frozenset(graph.meta_info_def.tags) for graph in graphs]
    groups = (
        [graph for graph, own in zip(graphs, tags, strict=True) if own == {SERVE}],
        [graph for graph, own in zip(graphs, tags, strict=True) if SERVE in own and own.isdisjoint(FOREIGN_TAGS)],
        [graph for graph, own in zip(graphs, tags, strict=True) if own.isdisjoint(FOREIGN_TAGS)],
        graphs,
    )
    fitting = next(group for group in groups if group)
    if len(fitting) == 1:
        return fitting[0]
    listed = "; ".join(", ".join(sorted(own)) or "none" for own in tags)
    raise LoadError(
        f"{file} holds {len(graphs)} graphs, of which none alone is tagged for serving (their tags: {listed}). "
        f"Save the one to be served with the tag {SERVE!r}."
    )
