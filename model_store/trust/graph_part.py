"""What of a graph can run when something of it is asked for. Reads protocol buffers; no TensorFlow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# Functions with the same value are interchangeable: TensorFlow picks one when it runs the graph.
SAME_FUNCTION = "api_implements"


@dataclass(frozen=True)
class Run:
    """Something that is asked of a graph.

    Attributes:
        targets: Names of nodes or tensors (`node:1`) of the graph itself.
        functions: Names of functions of its library that are called from outside.
        fed: Tensors (`node:0`) whose values are given, so that what leads to them does not run.
        own_files: Those of them that are given the name of a file of the model's own.
        own_file_arguments: For a function called from outside, the places of the arguments that are given such a name.
    """

    targets: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    fed: frozenset[str] = frozenset()
    own_files: frozenset[str] = frozenset()
    own_file_arguments: Mapping[str, frozenset[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class PlacedNode:
    """A node, and the function of the library that it is in; None for the graph itself."""

    node: Any
    function: str | None = None


def runnable_nodes(graph_def: Any, run: Run) -> list[PlacedNode]:
    """All nodes that can run: those that lead to the targets, and all in functions that any of these can call.

    In a function even what leads nowhere runs, if it has an effect. A name that the file gives to several nodes or
    functions stands for all of them, as nobody can know which one TensorFlow takes.
    """
    nodes = [PlacedNode(node) for node in _nodes_before(graph_def, run)]
    library = _Library(graph_def.library)
    called = [*run.functions, *(name for placed in nodes for name in called_functions(placed.node))]
    for function in library.closure(called):
        nodes.extend(PlacedNode(node, function.signature.name) for node in function.node_def)
    return nodes


def called_functions(node: Any) -> Iterator[str]:
    """Names of functions that a node calls or hands on; the name of its operator, as that may be a function too."""
    yield node.op
    for attribute in node.attr.values():
        yield from _names_in(attribute)


def _names_in(attribute: Any) -> Iterator[str]:
    functions = [attribute.func] if attribute.WhichOneof("value") == "func" else attribute.list.func
    for function in functions:
        yield function.name
        for inner in function.attr.values():
            yield from _names_in(inner)


def indexed_name(source: str) -> str:
    """A node's input as the tensor that it is: `node` and `node:0` are the same."""
    return source if ":" in source else f"{source}:0"


def _nodes_before(graph_def: Any, run: Run) -> Iterator[Any]:
    nodes = defaultdict(list)
    for node in graph_def.node:
        nodes[node.name].append(node)
    seen: set[str] = set()
    waiting = list(run.targets)
    while waiting:
        source = waiting.pop()
        name = source.removeprefix("^").partition(":")[0]
        if name in seen or (not source.startswith("^") and indexed_name(source) in run.fed):
            continue
        seen.add(name)
        for node in nodes[name]:
            waiting.extend(node.input)
            yield node


class _Library:
    def __init__(self, library: Any) -> None:
        self._functions = defaultdict(list)
        self._same = defaultdict(set)
        self._gradients = defaultdict(set)
        for function in library.function:
            self._functions[function.signature.name].append(function)
            if SAME_FUNCTION in function.attr:
                self._same[function.attr[SAME_FUNCTION].s].add(function.signature.name)
        for gradient in library.gradient:
            self._gradients[gradient.function_name].add(gradient.gradient_func)

    def closure(self, names: Iterable[str]) -> Iterator[Any]:
        """The functions of these names, and all that they can lead to."""
        seen: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            waiting.extend(self._gradients.get(name, ()))
            for function in self._functions.get(name, ()):
                if SAME_FUNCTION in function.attr:
                    waiting.extend(self._same[function.attr[SAME_FUNCTION].s])
                waiting.extend(called for node in function.node_def for called in called_functions(node))
                # A node of the function may call what its caller names, or else this.
                for attribute in function.signature.attr:
                    waiting.extend(_names_in(attribute.default_value))
                yield function
