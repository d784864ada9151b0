"""Lookup tables of a graph: made anew and filled once, as the nodes for that in the graph say."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path, PureWindowsPath

import tensorflow as tf

from model_store.errors import LoadError
from model_store.graphs.function import make_function
from model_store.graphs.node_graph import NodeDef, NodeGraph, attribute

TABLES = {"HashTable", "HashTableV2"}
FILLS_FROM_VALUES = {"InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2"}
FILLS_FROM_FILE = {"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"}


def make_tables(graph: NodeGraph, names: Collection[str], folder: Path) -> dict[str, tf.Tensor]:
    """Make and fill the tables among some nodes.

    Args:
        graph: All of it, as what fills a table is not needed by what uses it.
        names: The nodes among which tables are wanted.
        folder: Where the graph's file lies, and the text files that tables are filled from.

    Returns:
        The handle of each table, which lives as long as somebody holds this.

    Raises:
        LoadError: Nothing in the graph fills a table, or its text file is not there.
    """
    return {name: _make(graph, graph.nodes[name], folder) for name in names if graph.nodes[name].op in TABLES}


def fill_sources(graph: NodeGraph, names: Collection[str]) -> list[str]:
    """The tensors that the tables among some nodes are filled with."""
    tables = [name for name in names if graph.nodes[name].op in TABLES]
    return [source for name in tables for fill in _fills(graph, name) for source in fill.input[1:]]


def _fills(graph: NodeGraph, table: str) -> list[NodeDef]:
    return [node for node in graph.followers[table] if node.op in FILLS_FROM_VALUES | FILLS_FROM_FILE]


def _make(graph: NodeGraph, table: NodeDef, folder: Path) -> tf.Tensor:
    fills = _fills(graph, table.name)
    if not fills:
        raise LoadError(
            f"its table {table.name} stays empty, as what fills it was cut off when it was frozen: freeze it again and "
            "keep the node that initializes tables, or export a SavedModel"
        )
    handle = tf.raw_ops.AnonymousHashTable(
        key_dtype=attribute(table, "key_dtype").type, value_dtype=attribute(table, "value_dtype").type
    )
    for fill in fills:
        values = _values(graph, fill)
        if fill.op in FILLS_FROM_VALUES:
            tf.raw_ops.LookupTableImportV2(table_handle=handle, keys=values[0], values=values[1])
        else:
            _fill_from_file(handle, fill, _beside(folder, table, values[0]))
    return handle


def _values(graph: NodeGraph, fill: NodeDef) -> list[tf.Tensor]:
    outputs = {source: source if ":" in source else f"{source}:0" for source in fill.input[1:]}
    names, _ = graph.needed(outputs.values())
    return list(make_function(graph.part(names), {}, {}, outputs).call())


def _beside(folder: Path, table: NodeDef, told: tf.Tensor) -> Path:
    """The text file of the told name in the folder: the path was one of the machine that wrote the graph."""
    name = PureWindowsPath(told.numpy().decode("utf-8", "replace")).name
    file = folder / name
    if not name or not file.is_file():
        raise LoadError(f"its table {table.name} is filled from the text file {name!r}, which must lie beside it")
    return file


def _fill_from_file(handle: tf.Tensor, fill: NodeDef, file: Path) -> None:
    tf.raw_ops.InitializeTableFromTextFileV2(
        table_handle=handle,
        filename=str(file),
        key_index=attribute(fill, "key_index").i,
        value_index=attribute(fill, "value_index").i,
        vocab_size=attribute(fill, "vocab_size").i if "vocab_size" in fill.attr else -1,
        delimiter=attribute(fill, "delimiter").s or b"\t",
    )
