"""The functions of a graph's library that some nodes may call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from tensorflow.core.framework.function_pb2 import FunctionDefLibrary

from model_store.trust.graph_part import called_functions

# TensorFlow's protobuf message of this name; its classes are made at run time.
NodeDef = Any


def needed_functions(library: Any, nodes: Iterable[NodeDef]) -> Any:
    """A FunctionDefLibrary of those that the nodes call, directly or by one another, in the order of the library."""
    functions = {function.signature.name: function for function in library.function}
    needed: set[str] = set()
    waiting = list(_called(nodes))
    while waiting:
        name = waiting.pop()
        if name in functions and name not in needed:
            needed.add(name)
            waiting.extend(_called(functions[name].node_def))
    return FunctionDefLibrary(function=[function for name, function in functions.items() if name in needed])


def _called(nodes: Iterable[NodeDef]) -> Iterator[str]:
    return chain.from_iterable(map(called_functions, nodes))
