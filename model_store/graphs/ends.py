"""What goes into a graph and what comes out of it, where nobody says: found from its nodes alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import tensorflow as tf

from model_store.errors import LoadError
from model_store.graphs.heads import Head, find_heads
from model_store.graphs.node_graph import NodeGraph, node_name
from model_store.graphs.outputs import find_outputs
from model_store.graphs.shapes import told_shape

# TensorFlow's first published graphs hold a constant of bytes here, in place of which they were fed.
DECODERS = {
    *("DecodeJpeg", "DecodePng", "DecodeGif", "DecodeBmp", "DecodeImage", "DecodeWav"),
    *("ParseExample", "ParseExampleV2", "ParseSingleExample"),
}

Heads = Mapping[str, Head]


@dataclass(frozen=True)
class Ends:
    """What a graph is used with.

    Attributes:
        inputs: What must be given, by tensor name, in the order of the file or of model.toml.
        outputs: Nodes, for all that they give, or tensors, which have a colon; by the name of the output.
        nodes: The names of all nodes that the outputs need.
    """

    inputs: Heads
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
    wanted: Mapping[str, str] = {}
    for feeds in [_named_inputs(graph, heads, inputs)] if inputs else _likely_inputs(graph, heads):
        wanted = _named_outputs(graph, outputs, feeds) if outputs else find_outputs(graph, feeds)
        nodes, met = graph.needed(wanted.values(), feeds)
        if met:
            _refuse_others(heads, nodes)
            _refuse_unused(inputs or (), met)
            return Ends({name: _shaped(graph, name, feeds[name]) for name in feeds if name in met}, wanted, nodes)
    raise LoadError(f"it has no inputs: no placeholder leads to its outputs {', '.join(wanted)}")


def _shaped(graph: NodeGraph, name: str, head: Head) -> Head:
    return replace(head, shape=told_shape(graph, name, head))


def _likely_inputs(graph: NodeGraph, heads: Heads) -> Iterator[Heads]:
    """First what must be given, then with what could be given too, then what could only be a place for bytes."""
    yield {tensor: head for tensor, head in heads.items() if head.default is None or not head.may_be_scalar}
    yield heads
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
    return {name: heads.get(name) or Head(None, None) for name in names}


def _named_outputs(graph: NodeGraph, names: Sequence[str], feeds: Heads) -> dict[str, str]:
    for name in names:
        if node_name(name) not in graph.nodes:
            raise LoadError(f"it has no node {node_name(name)}, which outputs in model.toml asks for")
        if name in feeds:
            raise LoadError(f"its {name}, which outputs in model.toml asks for, is an input")
    return {name: name for name in names}


def _refuse_unused(names: Sequence[str], met: Collection[str]) -> None:
    unused = [name for name in names if name not in met]
    if unused:
        raise LoadError(f"its outputs do not need {', '.join(unused)}, which inputs in model.toml names")


def _refuse_others(heads: Heads, nodes: Collection[str]) -> None:
    """Where model.toml names the inputs, others may have been left out; a default takes their place or nothing."""
    for tensor, head in heads.items():
        if head.default is None and node_name(tensor) in nodes:
            raise LoadError(f"its outputs need {tensor} too, which is not among its inputs: see inputs in model.toml")
