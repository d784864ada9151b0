"""Where values enter a graph: placeholders, and what is left of the pipelines that fed it while it was trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from model_store.errors import LoadError
from model_store.graphs.node_graph import NodeDef, NodeGraph, attribute, node_name

Shape = tuple[int | None, ...] | None

PLACEHOLDERS = {"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"}
# Older writers left a placeholder's shape empty where it was unknown: the only way to tell it from a scalar's
# (tensorflow/core/ops/array_ops.cc, shape function of Placeholder).
LAST_PRODUCER_WITHOUT_UNKNOWN_SHAPES = 21


@dataclass(frozen=True)
class Head:
    """A tensor that comes from outside of a graph.

    Attributes:
        dtype: TensorFlow's type; None for a tensor within the graph, which does not declare it.
        shape: Sizes, None where they are open; None as a whole where even the rank is.
        default: The tensor that takes its place when nothing is given; None where there is none.
    """

    dtype: tf.DType | None
    shape: Shape
    default: str | None = None

    @property
    def may_be_scalar(self) -> bool:
        """Whether nothing says that it has dimensions."""
        return not self.shape


def find_heads(graph: NodeGraph) -> dict[str, Head]:
    """All heads of a graph by tensor name, in the order of the file."""
    return {
        node.name if index == 0 else f"{node.name}:{index}": head
        for node in graph.nodes.values()
        if node.op in _READERS
        for index, head in enumerate(_READERS[node.op](graph, node))
    }


def is_placeholder(graph: NodeGraph, tensor: str) -> bool:
    """Whether a head is what somebody placed there, and not left of a pipeline."""
    return graph.nodes[node_name(tensor)].op in PLACEHOLDERS


def with_types(graph: NodeGraph, heads: Mapping[str, Head]) -> dict[str, Head]:
    """The heads, those within the graph with type and shape, which only an import of what leads there shows.

    Raises:
        LoadError: There is no such tensor.
    """
    return {name: _inner_head(graph, name, head) if head.dtype is None else head for name, head in heads.items()}


def _inner_head(graph: NodeGraph, tensor: str, head: Head) -> Head:
    names, _ = graph.needed([tensor])
    with tf.Graph().as_default() as imported:
        tf.graph_util.import_graph_def(graph.part(names), name="")
    tensors = imported.get_operation_by_name(node_name(tensor)).outputs
    index = int(tensor.partition(":")[2] or 0)
    if index >= len(tensors):
        raise LoadError(f"it has no tensor {tensor}, though a node takes it: it is damaged")
    shape = tensors[index].shape
    return Head(tensors[index].dtype, head.shape if shape.rank is None else tuple(shape.as_list()))


def shape_of(proto: Any) -> Shape:
    """The shape that a TensorShapeProto says."""
    return None if proto.unknown_rank else tuple(None if dim.size < 0 else dim.size for dim in proto.dim)


def _placeholder(graph: NodeGraph, node: NodeDef) -> Iterator[Head]:
    shape = shape_of(attribute(node, "shape").shape)
    is_told = "shape" in node.attr and (shape or graph.producer > LAST_PRODUCER_WITHOUT_UNKNOWN_SHAPES)
    yield Head(tf.as_dtype(attribute(node, "dtype").type), shape if is_told else _noted_shape(node, 0))


def _placeholder_with_default(graph: NodeGraph, node: NodeDef) -> Iterator[Head]:
    shape = shape_of(attribute(node, "shape").shape)
    default = graph.constant(node.input[0])
    if shape is None and default is not None:
        shape = (None,) * default.ndim
    yield Head(tf.as_dtype(attribute(node, "dtype").type), shape, node.input[0])


def _iterator(graph: NodeGraph, node: NodeDef) -> Iterator[Head]:
    types, shapes = attribute(node, "output_types").list.type, attribute(node, "output_shapes").list.shape
    for dtype, shape in zip(types, shapes, strict=True):
        yield Head(tf.as_dtype(dtype), shape_of(shape))


def _dequeue(graph: NodeGraph, node: NodeDef) -> Iterator[Head]:
    """The queue itself knows the shape of what it holds, or nobody does."""
    queue = graph.nodes[node_name(node.input[0])]
    shapes = [shape_of(shape) for shape in attribute(queue, "shapes").list.shape]
    for index, dtype in enumerate(attribute(node, "component_types").list.type):
        yield Head(tf.as_dtype(dtype), shapes[index] if index < len(shapes) else _noted_shape(node, index))


def _dequeue_many(graph: NodeGraph, node: NodeDef) -> Iterator[Head]:
    for head in _dequeue(graph, node):
        yield Head(head.dtype, None if head.shape is None else (None, *head.shape))


def _reader(graph: NodeGraph, node: NodeDef) -> Iterator[Head]:
    shape: Shape = (None,) if "UpTo" in node.op else ()
    return iter([Head(tf.string, shape)] * 2)


def _noted_shape(node: NodeDef, index: int) -> Shape:
    """What a graph that was written with `add_shapes=True` notes."""
    shapes = attribute(node, "_output_shapes").list.shape
    return shape_of(shapes[index]) if index < len(shapes) else None


_READERS: dict[str, Callable[[NodeGraph, NodeDef], Iterator[Head]]] = {
    **dict.fromkeys(("Placeholder", "PlaceholderV2"), _placeholder),
    "PlaceholderWithDefault": _placeholder_with_default,
    **dict.fromkeys(("IteratorGetNext", "IteratorGetNextSync", "OptionalGetValue"), _iterator),
    **dict.fromkeys(("QueueDequeue", "QueueDequeueV2"), _dequeue),
    **dict.fromkeys(
        ("QueueDequeueMany", "QueueDequeueManyV2", "QueueDequeueUpTo", "QueueDequeueUpToV2"), _dequeue_many
    ),
    **dict.fromkeys(("ReaderRead", "ReaderReadV2", "ReaderReadUpTo", "ReaderReadUpToV2"), _reader),
}
