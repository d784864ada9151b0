"""The shape of an input that the file leaves open, as far as what computes with it fixes it by its weights."""

from __future__ import annotations

from collections.abc import Callable

from model_store.graphs.heads import Head, Shape
from model_store.graphs.node_graph import PASS_ON, NodeDef, NodeGraph, attribute, node_name

# What they give has the shape of what they take, apart from sizes that are open anyway.
SAME_RANK = PASS_ON | {
    *("Cast", "Relu", "Relu6", "Sigmoid", "Tanh", "Neg", "Abs", "Exp", "Log", "Sqrt", "Square", "Rsqrt"),
    *("Pad", "PadV2", "MirrorPad", "ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea"),
    *("MaxPool", "AvgPool"),
}
# They may also stretch what they take along the constant beside it.
BINARY = {"Add", "AddV2", "Sub", "Mul", "RealDiv", "Div", "Maximum", "Minimum"}
# Attributes by which products turn what they take.
TURNS = (("transpose_a", "adj_x"), ("transpose_b", "adj_y"))


def told_shape(graph: NodeGraph, tensor: str, head: Head) -> Shape:
    """The declared shape, with what is open in it filled in where those that compute with the tensor agree."""
    if head.shape is not None and None not in head.shape[1:]:
        return head.shape
    told = _asked(graph, node_name(tensor), tensor)
    return _filled(head.shape, told)


def _filled(shape: Shape, told: Shape) -> Shape:
    if shape is None or told is None or len(shape) != len(told):
        return told if shape is None else shape
    return tuple(known if known is not None else size for known, size in zip(shape, told, strict=True))


def _asked(graph: NodeGraph, name: str, tensor: str | None = None) -> Shape:
    """What those behind a node ask of what it gives; None where nobody asks, or not the same."""
    shapes = set()
    for node in graph.followers[name]:
        if tensor is None or tensor == node.input[0] or f"{tensor}:0" == node.input[0] or node.op in BINARY:
            shapes.add(_asks(graph, node, name))
    shapes.discard(None)
    return shapes.pop() if len(shapes) == 1 else None


def _asks(graph: NodeGraph, node: NodeDef, name: str) -> Shape:
    if node.op in SAME_RANK or (node.op in BINARY and _is_beside_small(graph, node, name)):
        return _asked(graph, node.name)
    ask = _ASKS.get(node.op)
    return ask(graph, node) if ask and name == node_name(node.input[0]) else None


def _is_beside_small(graph: NodeGraph, node: NodeDef, name: str) -> bool:
    """Whether the other operand is a constant of at most one dimension, which stretches no rank."""
    others = [graph.constant_shape(source) for source in node.input if node_name(source) != name]
    return all(other is not None and len(other) <= 1 for other in others)


def _convolution(graph: NodeGraph, node: NodeDef) -> Shape:
    weights = _weights(graph, node.input[1])
    if weights is None or len(weights) not in (4, 5):
        return None
    channels = weights[-2]
    open_sizes = (None,) * (len(weights) - 2)
    is_channels_first = attribute(node, "data_format").s.startswith(b"NC")
    return (None, channels, *open_sizes) if is_channels_first else (None, *open_sizes, channels)


def _weights(graph: NodeGraph, source: str) -> Shape:
    """The shape of a constant, also where a dimension is added before the first."""
    node = graph.nodes[node_name(source)]
    if node.op != "ExpandDims":
        return graph.constant_shape(source)
    shape, axis = graph.constant_shape(node.input[0]), graph.constant(node.input[1])
    return (1, *shape) if shape is not None and axis is not None and axis.ravel().tolist() == [0] else None


def _product(graph: NodeGraph, node: NodeDef) -> Shape:
    """Those for batches of matrices would take more dimensions too; where nothing else is told, rows are meant."""
    weights = graph.constant_shape(node.input[1])
    if weights is None or len(weights) != 2:
        return None
    first, second = (any(attribute(node, key).b for key in keys) for keys in TURNS)
    size = weights[1 if second else 0]
    return (size, None) if first else (None, size)


def _turned(graph: NodeGraph, node: NodeDef) -> Shape:
    order = graph.constant(node.input[1])
    return None if order is None else (None,) * order.size


def _expanded(graph: NodeGraph, node: NodeDef) -> Shape:
    """Convolutions over one dimension are convolutions over two, one of which is added before."""
    axis, shape = graph.constant(node.input[1]), _asked(graph, node.name)
    if axis is None or axis.size != 1 or shape is None or not -len(shape) <= int(axis.ravel()[0]) < len(shape):
        return None
    place = int(axis.ravel()[0]) % len(shape)
    return shape[:place] + shape[place + 1 :]


_ASKS: dict[str, Callable[[NodeGraph, NodeDef], Shape]] = {
    **dict.fromkeys(("Conv2D", "Conv3D", "DepthwiseConv2dNative"), _convolution),
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2"), _product),
    "Transpose": _turned,
    "ExpandDims": _expanded,
}
