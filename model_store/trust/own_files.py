"""Whether an operator reads a file of its own SavedModel: where the name that it gets comes from.

TensorFlow's loader gives the names of the assets and of the variables. A name that is a constant, is computed or comes
from whoever sends a job can be that of any file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from model_store.trust.graph_part import SAME_FUNCTION, PlacedNode, Run, called_functions, indexed_name
from model_store.trust.operators import NAME_INPUTS

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
FOREIGN_NAME = "they read a file whose name does not come from the SavedModel's own assets or variables"

# A value in a function, or in the graph itself, by the name that a node there takes it by.
Place = tuple[str | None, str]


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
        waiting = [(placed.function, source) for source in inputs[NAME_INPUTS[placed.node.op] :][:1]]
        seen = set()
        is_found = False
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            origins = self._origins(*place)
            if origins is None:
                return False
            is_found = is_found or not origins
            waiting.extend(origins)
        return is_found

    def _origins(self, function: str | None, source: str) -> list[Place] | None:
        """Where a value comes from: nowhere else where the loader gives it; None where it may come from anywhere."""
        if function is None and indexed_name(source) in self._run.own_files:
            return []
        if function is not None and source in (arguments := self._arguments(function)):
            return self._argument_origins(function, arguments.index(source))
        nodes = self._nodes[function, source.partition(":")[0]]
        is_passed_on = len(nodes) == 1 and nodes[0].op == "Identity" and nodes[0].input
        return [(function, nodes[0].input[0])] if is_passed_on else None

    def _argument_origins(self, function: str, index: int) -> list[Place] | None:
        callers = self._callers[function]
        if function in self._run.functions:
            if index not in self._run.own_file_arguments.get(function, ()):
                return None
        elif not callers:
            return None
        if any(index >= len(caller.node.input) or not self._calls_only(caller, function) for caller in callers):
            return None
        return [(caller.function, caller.node.input[index]) for caller in callers]

    def _calls_only(self, caller: PlacedNode, function: str) -> bool:
        """Whether the caller's inputs are the function's arguments one by one; `while` and others shift them."""
        return caller.node.op in CALLS and caller.node.attr["f"].func.name == function

    def _arguments(self, function: str) -> list[str]:
        """Their names; none where TensorFlow may also call it in ways that no node shows, or there are two of it."""
        known = self._functions[function]
        if len(known) != 1 or function in self._gradients or SAME_FUNCTION in known[0].attr:
            return []
        return [argument.name for argument in known[0].signature.input_arg]
