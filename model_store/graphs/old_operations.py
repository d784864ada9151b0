"""Operations that TensorFlow has given up, or that hold up a graph in use, as those that do the same today."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from model_store.graphs.node_graph import NodeDef

GraphDef = Any

# Tables were held by reference to a name, which functions cannot do; by handle they are the same.
TABLE_OPERATIONS = {
    *("LookupTableFind", "LookupTableSize", "LookupTableExport", "LookupTableImport", "LookupTableInsert"),
    *("InitializeTable", "InitializeTableFromTextFile"),
}


def modernize(graph_def: GraphDef) -> None:
    """Rewrite a graph in place so that today's TensorFlow runs it, also within a function; names stay."""
    for node in list(graph_def.node):
        if node.op in TABLE_OPERATIONS:
            node.op += "V2"
        elif node.op in _REWRITES:
            _REWRITES[node.op](graph_def, node)


def add_constant(graph_def: GraphDef, name: str, value: np.ndarray) -> str:
    """Add a constant to a graph; gives its name."""
    constant = graph_def.node.add(name=name, op="Const")
    constant.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
    constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    return name


def _keep_default(_: GraphDef, node: NodeDef) -> None:
    """A placeholder that is never fed; as an identity of its default, it is computed once for all."""
    dtype = node.attr["dtype"].type
    _become(node, "Identity", *node.input)
    node.attr["T"].type = dtype


def _expand_normalization(graph_def: GraphDef, node: NodeDef) -> None:
    """(value - mean) / sqrt(variance + epsilon) * gamma + beta, whose operation ended with GraphDef version 9."""
    value, mean, variance, beta, gamma = node.input
    is_scaled, dtype = node.attr["scale_after_normalization"].b, node.attr["T"].type
    epsilon = np.array(node.attr["variance_epsilon"].f, tf.as_dtype(dtype).as_numpy_dtype)

    def add(part: str, op: str, *sources: str) -> str:
        added = graph_def.node.add(name=f"{node.name}/{part}", op=op, input=sources)
        added.attr["T"].type = dtype
        return str(added.name)

    smallest = add_constant(graph_def, f"{node.name}/epsilon", epsilon)
    scale = add("scale", "Rsqrt", add("variance", "Add", variance, smallest))
    if is_scaled:
        scale = add("gamma", "Mul", scale, gamma)
    product = add("product", "Mul", add("centred", "Sub", value, mean), scale)
    _become(node, "Add", product, beta)
    node.attr["T"].type = dtype


def _give_size(graph_def: GraphDef, node: NodeDef) -> None:
    """The number of the largest values was an attribute until GraphDef version 7."""
    size, dtype = np.array(node.attr["k"].i, np.int32), node.attr["T"].type
    _become(node, "TopKV2", node.input[0], add_constant(graph_def, f"{node.name}/k", size))
    node.attr["T"].type = dtype


def _become(node: NodeDef, op: str, *sources: str) -> None:
    node.op = op
    node.attr.clear()
    del node.input[:]
    node.input.extend(sources)


_REWRITES: dict[str, Callable[[GraphDef, NodeDef], None]] = {
    "PlaceholderWithDefault": _keep_default,
    "BatchNormWithGlobalNormalization": _expand_normalization,
    "TopK": _give_size,
}
