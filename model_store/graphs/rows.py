"""Opens a graph that was written for a fixed number of rows to any number of them, as far as its nodes let it.

Nothing here shows that it still gives the same answers: that is for a trial.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from model_store.graphs.heads import Head
from model_store.graphs.node_graph import NodeDef, NodeGraph, node_name
from model_store.graphs.old_operations import add_constant

# Which source of a node says the shape of what it gives.
SHAPE_SOURCES = {"Reshape": 1, "Slice": 2, "Fill": 0, "BroadcastTo": 1, "Tile": 1}
PART = "celeriac_rows"

# An input whose first size counts rows: its tensor's name and type.
Feed = tuple[str, tf.DType]


@dataclass(frozen=True)
class BakedSize:
    """A constant shape that may hold the number of rows as its first size.

    Attributes:
        node: Who takes the shape.
        source: Which of its sources it is.
        shape: The constant.
        is_of_rows: Whether what the node takes beside it comes from the inputs.
    """

    node: str
    source: int
    shape: np.ndarray
    is_of_rows: bool


def with_open_rows(heads: Mapping[str, Head], rows: int) -> dict[str, Head]:
    """The heads, with the first size open where it is this."""
    return {
        name: replace(head, shape=(None, *head.shape[1:])) if head.shape and head.shape[0] == rows else head
        for name, head in heads.items()
    }


def opened_parts(graph: NodeGraph, names: Collection[str], heads: Mapping[str, Head], rows: int) -> Iterator[Any]:
    """GraphDefs that may take any number of rows, the one with the fewest changes first.

    Args:
        graph: All of it.
        names: The nodes that are needed.
        heads: The inputs, with open rows.
        rows: The number of rows that the graph was written for.
    """
    yield graph.part(names)
    feeds = ((name, head.dtype) for name, head in heads.items() if head.shape and head.shape[0] is None)
    feed = next(feeds, None)
    if feed is None:
        return
    baked = list(_baked_sizes(graph, names, heads, rows))
    changed: list[BakedSize] = []
    for is_likely in (_is_reshaped, _is_made, _is_multiple):
        likely = [size for size in baked if size in changed or is_likely(size, rows)]
        if len(likely) > len(changed):
            changed = likely
            yield _opened(graph.part(names), feed, changed, rows)


def _baked_sizes(graph: NodeGraph, names: Collection[str], heads: Mapping[str, Head], rows: int) -> Iterator[BakedSize]:
    reached = graph.reached({node_name(name) for name in heads}, lambda node: True)
    for name in names:
        node = graph.nodes[name]
        source = SHAPE_SOURCES.get(node.op)
        shape = None if source is None else graph.constant(node.input[source])
        if source is not None and shape is not None and shape.ndim == 1 and _is_of_rows(shape, rows):
            size = BakedSize(name, source, shape, node_name(node.input[0]) in reached)
            if not (size.is_of_rows and node.op == "Tile"):
                yield size


def _is_of_rows(shape: np.ndarray, rows: int) -> bool:
    return shape.size > 0 and shape[0] > 0 and shape[0] % rows == 0


def _is_reshaped(size: BakedSize, rows: int) -> bool:
    return size.is_of_rows and size.shape[0] == rows


def _is_made(size: BakedSize, rows: int) -> bool:
    return not size.is_of_rows and size.shape[0] == rows


def _is_multiple(size: BakedSize, _: int) -> bool:
    return size.is_of_rows


def _opened(part: Any, feed: Feed, sizes: Iterable[BakedSize], rows: int) -> Any:
    """The part with shapes that follow the rows of an input: its first size, the rest as it was."""
    nodes = {node.name: node for node in part.node}
    for size in sizes:
        nodes[size.node].input[size.source] = _add_shape(part, nodes[size.node], feed, size.shape, rows)
    return part


def _add_shape(part: Any, node: NodeDef, feed: Feed, shape: np.ndarray, rows: int) -> str:
    dtype = tf.as_dtype(shape.dtype).as_datatype_enum

    def constant(name: str, value: object) -> str:
        return add_constant(part, f"{node.name}/{PART}/{name}", np.array(value, shape.dtype))

    def add(name: str, op: str, *sources: str, **types: int) -> str:
        added = part.node.add(name=f"{node.name}/{PART}/{name}", op=op, input=sources)
        for key, value in types.items():
            added.attr[key].type = value
        return str(added.name)

    whole = add("whole", "Shape", feed[0], T=feed[1].as_datatype_enum, out_type=dtype)
    count = add("count", "Slice", whole, constant("begin", [0]), constant("size", [1]), T=dtype, Index=dtype)
    first = add("first", "Mul", count, constant("factor", [shape[0] // rows]), T=dtype)
    joined = add("joined", "ConcatV2", first, constant("rest", shape[1:]), constant("axis", 0), T=dtype, Tidx=dtype)
    part.node[-1].attr["N"].i = 2
    return joined
