"""Whether an operator reads a file of its own SavedModel: where the name that it gets comes from.

TensorFlow's loader gives the names of the assets and of the variables. A name that is a constant, is computed or comes
from whoever sends a job can be that of any file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from model_store.graph_part import SAME_FUNCTION, PlacedNode, Run, called_functions, tensor_name
from model_store.operators import NAME_INPUTS

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
FOREIGN_NAME = "they read a file whose name does not come from the SavedModel's own assets or variables"


class NameOrigins:
    """Tells it for the nodes of one run."""

    def __init__(self, graph_def: Any, run: Run, nodes: Sequence[PlacedNode]) -> None:
        self._run = run
        self._nodes = defaultdict(list)
        self._callers = defaultdict(list)
        self._functions = defaultdict(list)
        self._gradients = {gradient.gradient_func for gradient in graph_def.library.gradient}
        for function in graph_def.library.function:
            self._functions[function.signature.name].append(function)
        for placed in nodes:
            self._nodes[placed.function, placed.node.name].append(placed.node)
            for name in called_functions(placed.node):
                self._callers[name].append(placed)

    def is_own_file(self, placed: PlacedNode) -> bool:
        """Whether the name that this node opens a file by is always one that TensorFlow's loader gave."""
        inputs = [source for source in placed.node.input if not source.startswith("^")]
        index = NAME_INPUTS[placed.node.op]
        return index < len(inputs) and self._is_own(placed.function, inputs[index], frozenset())

    def _is_own(self, function: str | None, source: str, seen: frozenset[tuple[str | None, str]]) -> bool:
        if (function, source) in seen:
            return False
        seen |= {(function, source)}
        if function is None and tensor_name(source) in self._run.own_files:
            return True
        if function is not None and source in (arguments := self._arguments(function)):
            return self._is_own_argument(function, arguments.index(source), seen)
        nodes = self._nodes[function, source.partition(":")[0]]
        return len(nodes) == 1 and nodes[0].op == "Identity" and self._is_own(function, nodes[0].input[0], seen)

    def _is_own_argument(self, function: str, index: int, seen: frozenset[tuple[str | None, str]]) -> bool:
        callers = self._callers[function]
        if function in self._run.functions:
            if index not in self._run.own_file_arguments.get(function, ()):
                return False
        elif not callers:
            return False
        return all(
            self._calls_only(caller, function) and self._is_own(caller.function, caller.node.input[index], seen)
            for caller in callers
        )

    def _calls_only(self, caller: PlacedNode, function: str) -> bool:
        """Whether the caller's inputs are the function's arguments one by one; `while` and others shift them."""
        return caller.node.op in CALLS and caller.node.attr["f"].func.name == function

    def _arguments(self, function: str) -> list[str]:
        """Their names; none where TensorFlow may also call it in ways that no node shows, or there are two of it."""
        known = self._functions[function]
        if len(known) != 1 or function in self._gradients or SAME_FUNCTION in known[0].attr:
            return []
        return [argument.name for argument in known[0].signature.input_arg]
