"""Scalars that TensorFlow 1 graphs were told while they were trained, and what they are in use."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef

from model_store.graphs.heads import Head, find_heads, is_placeholder
from model_store.graphs.node_graph import PASS_ON, NodeGraph, node_name
from model_store.graphs.old_operations import add_constant

# Names as people gave them, without case and signs: is_training, phase_train, keras_learning_phase, ...
TRAINS = re.compile(r"(is|in|do|phase|mode|bn|keras)*(train|training|learning)(in)?(phase|mode|flag)?")
BOOLEAN_TRAINS = re.compile(r"(is)?phase|(use|is|with|apply)?dropout|training?or(test|eval|infer)\w*|(is)?augment")
BOOLEAN_USES = re.compile(
    r"(is|in)?(test|testing|eval|evaluation|evaluating|infer|inference|predict|prediction)(mode)?"
)
KEEPS = re.compile(r"(\w*keep(prob|probs|probability|rate|ratio)?)\d*|pkeep|kp")
DROPS = re.compile(r"\w*drop(out)?(prob|probability|rate|ratio|p)?\d*")

Value = bool | int | float


def with_switches_set(graph: NodeGraph, kept: Collection[str]) -> NodeGraph:
    """The graph with a constant in place of each switch.

    Args:
        graph: All of it.
        kept: Tensors that are to stay, whatever they are called.
    """
    heads = {name: head for name, head in find_heads(graph).items() if name not in kept and is_placeholder(graph, name)}
    constants = GraphDef()
    for name, head in heads.items():
        value = switch_value(graph, name, head)
        if value is not None:
            add_constant(constants, name, np.array(value, tf.as_dtype(head.dtype).as_numpy_dtype))
    return replace(graph, nodes={**graph.nodes, **{node.name: node for node in constants.node}})


def switch_value(graph: NodeGraph, tensor: str, head: Head) -> Value | None:
    """What a switch is in use; None for a head that is none.

    A switch is a scalar, or of unknown shape, whose name says what it is for. Where a dropout's name may mean what is
    kept or what is dropped, the graph tells: a rate is taken from 1 before it is used.
    """
    if head.dtype is None or not head.may_be_scalar:
        return None
    name = re.sub(r"_\d+$|[^a-z0-9]", "", node_name(tensor).rpartition("/")[2].lower())
    if head.dtype == tf.bool:
        return _boolean(name)
    if not (head.dtype.is_floating or head.dtype.is_integer):
        return None
    if KEEPS.fullmatch(name):
        return 1
    if DROPS.fullmatch(name) and head.dtype.is_floating:
        return _dropped(graph, tensor)
    is_declared = head.shape == () or head.default is not None
    return 0 if TRAINS.fullmatch(name) and is_declared else None


def _boolean(name: str) -> bool | None:
    if TRAINS.fullmatch(name) or BOOLEAN_TRAINS.fullmatch(name):
        return False
    return True if BOOLEAN_USES.fullmatch(name) else None


def _dropped(graph: NodeGraph, tensor: str) -> Value | None:
    """0 for a rate, 1 for a share that is kept, None where neither shows."""
    name = node_name(tensor)
    takers = graph.reached([name], lambda node: node.name == name or node.op in PASS_ON)
    carriers = {taker for taker in takers if taker == name or graph.nodes[taker].op in PASS_ON}
    for node in (graph.nodes[taker] for taker in takers - carriers):
        is_second = len(node.input) > 1 and node_name(node.input[1]) in carriers
        if is_second and node.op == "Sub" and _is_one(graph, node.input[0]):
            return 0
        if is_second and node.op in ("RealDiv", "Div"):
            return 1
    return None


def _is_one(graph: NodeGraph, source: str) -> bool:
    value = graph.constant(source)
    return value is not None and value.size == 1 and value.item() == 1
