"""How many dimensions an undeclared input has: tried on TensorFlow's shape inference, which runs nothing.

A run with another rank is no trial: some of TensorFlow's kernels end the process then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import tensorflow as tf

from model_store.graphs.heads import Head, Shape
from model_store.graphs.node_graph import NodeGraph
from model_store.graphs.old_operations import modernize

# Rows of numbers, pictures, sequences, numbers, volumes, one number: the likely ones first.
RANKS = (2, 4, 3, 1, 5, 0)


def with_found_ranks(graph: NodeGraph, nodes: Collection[str], heads: Mapping[str, Head]) -> dict[str, Head]:
    """The heads, those of unknown rank with the only one possible.

    Where several are possible, the rank stays unknown if rows of numbers are among them, and is the likeliest if not.

    Args:
        graph: All of it.
        nodes: The names of the nodes that are needed.
        heads: The inputs.
    """
    found = dict(heads)
    for name, head in heads.items():
        if head.shape is None:
            tried = {rank: found | {name: replace(head, shape=(None,) * rank)} for rank in RANKS}
            found[name] = replace(head, shape=_chosen([rank for rank in RANKS if _fits(graph, nodes, tried[rank])]))
    return found


def _chosen(ranks: Sequence[int]) -> Shape:
    return (None,) * ranks[0] if ranks and (len(ranks) == 1 or RANKS[0] not in ranks) else None


def _fits(graph: NodeGraph, nodes: Collection[str], heads: Mapping[str, Head]) -> bool:
    part = graph.part(nodes)
    modernize(part)
    with tf.Graph().as_default():
        inputs = {name: tf.compat.v1.placeholder(head.dtype, head.shape) for name, head in heads.items()}
        try:
            tf.graph_util.import_graph_def(part, {_with_colon(name): inputs[name] for name in inputs}, name="")
        except ValueError:
            return False
    return True


def _with_colon(name: str) -> str:
    return name if ":" in name else f"{name}:0"
