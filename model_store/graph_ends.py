"""What goes into a graph and what comes out of it, where nobody says: found from its nodes alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import tensorflow as tf

from model_store.errors import LoadError
from model_store.graph_heads import Head, find_heads, inner_head
from model_store.graph_outputs import find_outputs
from model_store.graph_shapes import told_shape
from model_store.graph_switches import Value, switch_value
from model_store.node_graph import NodeGraph, node_name

# TensorFlow's first published graphs hold a constant of bytes here, in place of which they were fed.
DECODERS = {
    *("DecodeJpeg", "DecodePng", "DecodeGif", "DecodeBmp", "DecodeImage", "DecodeWav"),
    *("ParseExample", "ParseExampleV2", "ParseSingleExample"),
}

T = TypeVar("T")
Heads = Mapping[str, Head]


@dataclass(frozen=True)
class Switch:
    """A scalar that is set once for all."""

    dtype: tf.DType
    value: Value


@dataclass(frozen=True)
class Ends:
    """What a graph is used with.

    Attributes:
        inputs: What must be given, by tensor name, in the order of the file or of model.toml.
        switches: What is set once for all, by tensor name.
        outputs: Nodes, for all that they give, or tensors, which have a colon; by the name of the output.
        nodes: The names of all nodes that the outputs need.
    """

    inputs: Heads
    switches: Mapping[str, Switch]
    outputs: Mapping[str, str]
    nodes: Collection[str]


def find_ends(graph: NodeGraph, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> Ends:
    """Find what goes into a graph and what comes out.

    Args:
        graph: All of it.
        inputs: Names of the tensors that shall be the inputs; None finds them.
        outputs: Names of the nodes or tensors that shall be the outputs; None finds them.

    Raises:
        LoadError: The graph has no such node, no outputs, or no inputs.
    """
    heads = find_heads(graph)
    switches = _switches(graph, heads)
    wanted: Mapping[str, str] = {}
    for feeds in [_named_inputs(graph, heads, inputs)] if inputs else _likely_inputs(graph, heads, switches):
        set_once = {tensor: switch for tensor, switch in switches.items() if tensor not in feeds}
        wanted = _named_outputs(graph, outputs, feeds) if outputs else find_outputs(graph, feeds)
        nodes, met = graph.needed(wanted.values(), {*feeds, *set_once})
        if not met.isdisjoint(feeds):
            _refuse_others(heads, nodes)
            shaped = {name: replace(head, shape=told_shape(graph, name, head)) for name, head in feeds.items()}
            return Ends(_only(shaped, met), _only(set_once, met), wanted, nodes)
    raise LoadError(f"it has no inputs: no placeholder leads to its outputs {', '.join(wanted)}")


def _switches(graph: NodeGraph, heads: Heads) -> dict[str, Switch]:
    values = {tensor: switch_value(graph, tensor, head) for tensor, head in heads.items()}
    return {tensor: Switch(heads[tensor].dtype, value) for tensor, value in values.items() if value is not None}


def _likely_inputs(graph: NodeGraph, heads: Heads, switches: Mapping[str, Switch]) -> Iterator[Heads]:
    """First what must be given, then with what could be given too, then what could only be a place for bytes."""
    free = {tensor: head for tensor, head in heads.items() if tensor not in switches}
    yield {tensor: head for tensor, head in free.items() if head.default is None or not head.may_be_scalar}
    yield free
    yield {
        source: Head(tf.string, graph.constant_shape(source))
        for node in graph.nodes.values()
        if node.op in DECODERS and graph.nodes[node_name(node.input[0])].op == "Const"
        for source in node.input[:1]
    }


def _named_inputs(graph: NodeGraph, heads: Heads, names: Sequence[str]) -> Heads:
    for name in names:
        if node_name(name) not in graph.nodes:
            raise LoadError(f"it has no node {node_name(name)}, which inputs in model.toml asks for")
    return {name: heads.get(name) or inner_head(graph, name) for name in names}


def _named_outputs(graph: NodeGraph, names: Sequence[str], feeds: Heads) -> dict[str, str]:
    for name in names:
        if node_name(name) not in graph.nodes:
            raise LoadError(f"it has no node {node_name(name)}, which outputs in model.toml asks for")
        if name in feeds:
            raise LoadError(f"its {name}, which outputs in model.toml asks for, is an input")
    return {name: name for name in names}


def _refuse_others(heads: Heads, nodes: Collection[str]) -> None:
    """Where model.toml names the inputs, others may have been left out; a default takes their place or nothing."""
    for tensor, head in heads.items():
        if head.default is None and node_name(tensor) in nodes:
            raise LoadError(f"its outputs need {tensor} too, which inputs in model.toml leaves out")


def _only(values: Mapping[str, T], names: Collection[str]) -> dict[str, T]:
    return {name: value for name, value in values.items() if name in names}
