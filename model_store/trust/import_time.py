"""What TensorFlow may compute of a graph as soon as it imports it, whether it is needed or not.

To know the shapes of tensors, TensorFlow computes what follows from constants and known shapes alone, in the graph and
in every function of its library. Operators with a state are left out, but reading a file has none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from model_store.trust.graph_part import PlacedNode

PLACEHOLDERS = ("Placeholder", "PlaceholderV2")
# Of a tensor whose values are not known the shape may be.
SHAPES = ("Rank", "Shape", "ShapeN", "Size")


def computed_at_import(
    graph_def: Any, is_stateful: Callable[[str], bool], is_wanted: Callable[[PlacedNode], bool]
) -> Iterator[PlacedNode]:
    """The wanted ones among all nodes that follow from constants alone.

    Args:
        graph_def: The graph with its library.
        is_stateful: Whether an operator has a state, or is none that TensorFlow could run.
        is_wanted: Which nodes are asked for; where there are none of them nothing has to be found out.
    """
    bodies = [(None, list(graph_def.node))]
    bodies += [(function.signature.name, list(function.node_def)) for function in graph_def.library.function]
    for function, nodes in bodies:
        wanted = [node for node in nodes if not is_stateful(node.op) and is_wanted(PlacedNode(node, function))]
        varying = _varying(nodes, is_stateful) if wanted else set()
        yield from (PlacedNode(node, function) for node in wanted if node.name not in varying)


def _varying(nodes: Sequence[Any], is_stateful: Callable[[str], bool]) -> set[str]:
    """Names of the nodes that depend on a placeholder, a state, or what is not a node, as a function's arguments."""
    names = {node.name for node in nodes}
    takers = defaultdict(list)
    varying: set[str] = set()
    waiting = []
    for node in (node for node in nodes if node.op not in SHAPES):
        sources = {source.partition(":")[0] for source in node.input if not source.startswith("^")}
        for source in sources:
            takers[source].append(node.name)
        if node.op in PLACEHOLDERS or is_stateful(node.op) or sources - names:
            waiting.append(node.name)
    while waiting:
        name = waiting.pop()
        if name not in varying:
            varying.add(name)
            waiting.extend(takers[name])
    return varying
