"""Scalars that TensorFlow 1 graphs were told while they were trained, and what they are in use."""

from __future__ import annotations

import re

import tensorflow as tf

from model_store.graph_heads import Head
from model_store.node_graph import PASS_ON, NodeGraph, node_name

# Names as people gave them, without case and signs: is_training, phase_train, keras_learning_phase, ...
TRAINS = re.compile(r"(is|in|do|phase|mode|bn|keras)*(train|training|learning)(in)?(phase|mode|flag)?")
BOOLEAN_TRAINS = re.compile(r"(is)?phase|(use|is|with|apply)?dropout|training?or(test|eval|infer)\w*|(is)?augment")
BOOLEAN_USES = re.compile(
    r"(is|in)?(test|testing|eval|evaluation|evaluating|infer|inference|predict|prediction)(mode)?"
)
KEEPS = re.compile(r"(\w*keep(prob|probs|probability|rate|ratio)?)\d*|pkeep|kp")
DROPS = re.compile(r"\w*drop(out)?(prob|probability|rate|ratio|p)?\d*")

Value = bool | int | float


def switch_value(graph: NodeGraph, tensor: str, head: Head) -> Value | None:
    """What a switch is in use; None for a head that is none.

    A switch is a scalar, or of unknown shape, whose name says what it is for. Where a dropout's name may mean what is
    kept or what is dropped, the graph tells: a rate is taken from 1 before it is used.
    """
    if not head.may_be_scalar:
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
