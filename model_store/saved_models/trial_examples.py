"""The serialised `tf.train.Example` that a graph parses, for a first try: an empty string is none for most parsers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from math import prod
from typing import Any

import tensorflow as tf

# Where the keys of dense features stand among the inputs of the operator (tensorflow/core/ops/parsing_ops.cc).
DENSE_KEYS_INPUT = 3


def find_example(meta_graph: Any) -> bytes | None:
    """An Example with a zero, or an empty string, for all that the parsers of a graph and its functions cannot miss.

    None where nothing is parsed.
    """
    graph = meta_graph.graph_def
    features: dict[str, Any] = {}
    found = False
    for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
        parsers = [node for node in nodes if node.op in _KEYS]
        found = found or bool(parsers)
        # Only then, as a graph may have a million nodes.
        by_name = {node.name: node for node in nodes} if parsers else {}
        features |= chain.from_iterable(_features(node, by_name) for node in parsers)
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString() if found else None


def _features(parser: Any, nodes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    types, shapes = parser.attr["Tdense"].list.type, parser.attr["dense_shapes"].list.shape
    for key, dtype, shape in zip(_KEYS[parser.op](parser, nodes), types, shapes, strict=False):
        count = prod(max(dim.size, 1) for dim in shape.dim)
        yield key.decode(), _feature(dtype, count)


def _feature(dtype: int, count: int) -> Any:
    """As many values; of the types that an Example has, as numbers of TensorFlow's enumeration."""
    if dtype == tf.string.as_datatype_enum:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[b""] * count))
    if dtype == tf.int64.as_datatype_enum:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[0] * count))
    return tf.train.Feature(float_list=tf.train.FloatList(value=[0.0] * count))


def _keys_of_one_input(parser: Any, nodes: Mapping[str, Any]) -> list[bytes]:
    return _constants(nodes, parser.input[DENSE_KEYS_INPUT : DENSE_KEYS_INPUT + 1])


def _keys_of_many_inputs(parser: Any, nodes: Mapping[str, Any]) -> list[bytes]:
    start = 2 + parser.attr["Nsparse"].i
    return _constants(nodes, parser.input[start : start + parser.attr["Ndense"].i])


def _keys_of_attribute(parser: Any, nodes: Mapping[str, Any]) -> list[bytes]:
    return list(parser.attr["dense_keys"].list.s)


def _constants(nodes: Mapping[str, Any], inputs: Iterable[str]) -> list[bytes]:
    found = [nodes.get(name.partition(":")[0]) for name in inputs]
    tensors = [tf.make_ndarray(node.attr["value"].tensor) for node in found if node is not None and node.op == "Const"]
    return [key for tensor in tensors for key in tensor.ravel().tolist()]


_KEYS = {
    "ParseExample": _keys_of_many_inputs,
    "ParseExampleV2": _keys_of_one_input,
    "ParseSingleExample": _keys_of_attribute,
}
