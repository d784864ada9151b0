"""The serialised `tf.train.Example` that a SavedModel's graph parses, for a first try."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import tensorflow as tf

from model_store.graphs.example_parser import EXAMPLE_PARSERS, Feature, needed_features, serialized_example


def find_example(meta_graph: Any) -> bytes | None:
    """An Example with a zero, or an empty string, for all that the parsers of a graph and its functions cannot miss.

    None where nothing is parsed.
    """
    graph = meta_graph.graph_def
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    parsed = [body for body in bodies if any(node.op in EXAMPLE_PARSERS for node in body)]
    return serialized_example(chain.from_iterable(map(_features, parsed))) if parsed else None


def _features(nodes: Sequence[Any]) -> Iterator[Feature]:
    texts = partial(_texts, {node.name: node for node in nodes})
    for node in nodes:
        if node.op in EXAMPLE_PARSERS:
            yield from needed_features(node, texts)


def _texts(nodes: Mapping[str, Any], inputs: Sequence[str]) -> list[bytes]:
    found = [nodes.get(name.partition(":")[0]) for name in inputs]
    tensors = [tf.make_ndarray(node.attr["value"].tensor) for node in found if node is not None and node.op == "Const"]
    return [key for tensor in tensors for key in tensor.ravel().tolist()]
