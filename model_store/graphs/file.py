"""Reads the file of a graph: which of TensorFlow's messages it holds, in binary or in text form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

from model_store.errors import LoadError

# The first field of the message, as protobuf writes it.
GRAPH_STARTS = (b"\x0a", b"\x12", b"\x22")


def read_graph(path: Path) -> Any:
    """The GraphDef in a file, which may also be in text form or within a MetaGraphDef.

    Raises:
        LoadError: The file cannot be read or holds no such thing.
    """
    content = _read(path)
    for parse in (_binary_graph, _binary_meta_graph, _text_graph, _text_meta_graph):
        graph_def = _tried(parse, content)
        if graph_def is not None and graph_def.node and all(node.name and node.op for node in graph_def.node):
            return graph_def
    raise LoadError(f"{path} is not a frozen graph, or only a part of one: {_hint(content)}.")


def holds_graph(path: Path) -> bool:
    """Whether a file, whatever its name, begins like a binary GraphDef. Raises LoadError where it cannot be read."""
    return _read_start(path).startswith(GRAPH_STARTS)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {error.strerror}.") from None


def _read_start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(1)
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {error.strerror}.") from None


def _tried(parse: Callable[[bytes], Any], content: bytes) -> Any:
    """What was parsed; None where the content is something else. Text that is no UTF-8 raises ValueError."""
    try:
        return parse(content)
    except (DecodeError, text_format.ParseError, ValueError, RecursionError):
        return None


def _binary_graph(content: bytes) -> Any:
    return GraphDef.FromString(content)


def _binary_meta_graph(content: bytes) -> Any:
    return MetaGraphDef.FromString(content).graph_def


def _text_graph(content: bytes) -> Any:
    return text_format.Parse(content.decode(), GraphDef())


def _text_meta_graph(content: bytes) -> Any:
    return text_format.Parse(content.decode(), MetaGraphDef()).graph_def


def _hint(content: bytes) -> str:
    if not content:
        return "it is empty"
    if content.lstrip().startswith((b"item {", b"item{")):
        return "it looks like the names of a detector's classes, which belong beside its graph"
    return f"its {len(content)} bytes cannot be parsed as TensorFlow's GraphDef"
