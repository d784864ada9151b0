"""A graph's nodes by name: what each takes, who takes it, and what follows from what.

A tensor is named like TensorFlow's messages name it: `x` for a node's first, `x:1` for its second. Whatever a node
takes is a source: a tensor, or `^x` for a node that only has to run before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.attr_value_pb2 import AttrValue
from tensorflow.core.framework.graph_pb2 import GraphDef

from model_store.errors import LoadError
from model_store.graphs.library import needed_functions

# TensorFlow's protobuf message of this name; its classes are made at run time.
NodeDef = Any

PASS_ON = {"Identity", "StopGradient", "CheckNumerics", "PreventGradient", "Print", "Snapshot"}


def attribute(node: NodeDef, name: str) -> Any:
    """An attribute's value, an empty one where the node has none; protobuf itself would add it to the node."""
    return node.attr[name] if name in node.attr else AttrValue()


def node_name(source: str) -> str:
    """The node that a source belongs to."""
    return source.removeprefix("^").partition(":")[0]


def tensor_name(source: str) -> str:
    """The one way to write a tensor's name, which has two where it is a node's first."""
    return source.removesuffix(":0")


def is_control(source: str) -> bool:
    """Whether a source only has to run before."""
    return source.startswith("^")


@dataclass(frozen=True)
class NodeGraph:
    """A GraphDef's nodes in the order of the file.

    Attributes:
        nodes: By name.
        library: The GraphDef's library of functions.
        producer: Version of the TensorFlow that wrote it, as GraphDefs count them; 0 where it is not told.
    """

    nodes: Mapping[str, NodeDef]
    library: Any
    producer: int

    @classmethod
    def of(cls, graph_def: Any) -> NodeGraph:
        """Check that no node is missing; raises LoadError."""
        graph = cls({node.name: node for node in graph_def.node}, graph_def.library, graph_def.versions.producer)
        for node in graph.nodes.values():
            for source in node.input:
                if node_name(source) not in graph.nodes:
                    raise LoadError(
                        f"its node {node.name} takes {source}, which it does not have: it is damaged or only a part"
                    )
        return graph

    @cached_property
    def followers(self) -> Mapping[str, tuple[NodeDef, ...]]:
        """The nodes that take a tensor of a node, by that node's name."""
        followers: dict[str, list[NodeDef]] = {name: [] for name in self.nodes}
        for node in self.nodes.values():
            for name in dict.fromkeys(node_name(source) for source in node.input if not is_control(source)):
                followers[name].append(node)
        return {name: tuple(nodes) for name, nodes in followers.items()}

    def needed(self, tensors: Iterable[str], cut: Collection[str] = ()) -> tuple[set[str], set[str]]:
        """The names of all nodes that some tensors need, and which tensors of `cut` they need, not looking behind."""
        cut_nodes = {node_name(tensor) for tensor in cut}
        needed: set[str] = set()
        met: set[str] = set()
        waiting = list(tensors)
        while waiting:
            source = waiting.pop()
            name = node_name(source)
            if tensor_name(source) in cut:
                met.add(tensor_name(source))
            elif name not in needed and not (is_control(source) and name in cut_nodes):
                needed.add(name)
                waiting.extend(self.nodes[name].input)
        return needed, met

    def reached(self, names: Iterable[str], passes: Callable[[NodeDef], bool]) -> set[str]:
        """The names of all nodes that values of the named nodes get to, themselves included.

        Args:
            names: Where values come from.
            passes: Whether they go on behind a node.
        """
        reached: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                if passes(self.nodes[name]):
                    waiting.extend(node.name for node in self.followers[name])
        return reached

    def constant(self, source: str) -> np.ndarray | None:
        """The value of a source that is a constant, perhaps passed on by identities; None where it is none."""
        node = self._origin(source)
        return tf.make_ndarray(attribute(node, "value").tensor) if node.op == "Const" else None

    def constant_shape(self, source: str) -> tuple[int, ...] | None:
        """The shape of a source that is a constant, which costs less than its value."""
        node = self._origin(source)
        sizes = attribute(node, "value").tensor.tensor_shape.dim
        return tuple(dim.size for dim in sizes) if node.op == "Const" else None

    def part(self, names: Collection[str]) -> Any:
        """A GraphDef of the named nodes, which keep order, and of the functions that they may call."""
        graph_def = GraphDef(node=[node for name, node in self.nodes.items() if name in names])
        graph_def.versions.producer = self.producer
        graph_def.library.CopyFrom(needed_functions(self.library, graph_def.node))
        for node in graph_def.node:
            kept = [source for source in node.input if not is_control(source) or node_name(source) in names]
            del node.input[:]
            node.input.extend(kept)
            _forget_circumstances(node)
        return graph_def

    def _origin(self, source: str) -> NodeDef:
        node = self.nodes[node_name(source)]
        seen = set()
        while node.op in PASS_ON and node.input and node.name not in seen:
            seen.add(node.name)
            node = self.nodes[node_name(node.input[0])]
        return node


def _forget_circumstances(node: NodeDef) -> None:
    """On which device it ran for who wrote it, beside which other node, and what shapes came out."""
    node.ClearField("device")
    for key in ("_class", "_output_shapes"):
        node.attr.pop(key, None)
