"""Calls layers on each other in the order that their inputs allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from model_store.errors import LoadError
from model_store.keras_files.keras2.calls import Call, Constant, Reference, references, replaced

CallLayer = Callable[[str, Any, Mapping[str, Any]], Any]


class Graph:
    """The tensors of a functional model in the making.

    Args:
        inputs: The tensor of each input layer.
        calls: The calls of each other layer, in the file's order.
        used: References to all tensors that anything uses.
    """

    def __init__(
        self, inputs: Mapping[str, Any], calls: Mapping[str, Sequence[Call]], used: Sequence[Reference]
    ) -> None:
        self._calls = calls
        self._outputs: dict[str, list[list[Any]]] = {name: [] for name in calls}
        self._outputs |= {name: [[tensor]] for name, tensor in inputs.items()}
        # The calls of a model within are counted from 1 where it was given its input before: from the least in use.
        self._first: dict[str, int] = {}
        for reference in used:
            self._first[reference.layer] = min(reference.call, self._first.get(reference.layer, reference.call))

    def run(self, call_layer: CallLayer) -> None:
        """Make all calls; raises LoadError where some wait for tensors that nothing gives."""
        waiting = {name: list(calls) for name, calls in self._calls.items() if calls}
        while waiting:
            done = [self._run_layer(name, calls, call_layer) for name, calls in waiting.items()]
            if not any(done):
                raise LoadError(f"is damaged: nothing gives what its layer {next(iter(waiting))!r} is called on.")
            waiting = {name: calls for name, calls in waiting.items() if calls}

    def _run_layer(self, name: str, calls: list[Call], call_layer: CallLayer) -> int:
        """Make the layer's calls as far as their inputs are there; gives how many."""
        done = 0
        while calls and all(self._has(reference) for reference in references(calls[0])):
            call = calls.pop(0)
            keywords = {key: replaced(value, self.tensor) for key, value in call.keywords.items()}
            self._outputs[name].append(
                keras.tree.flatten(call_layer(name, replaced(call.inputs, self.tensor), keywords))
            )
            done += 1
        return done

    def _has(self, reference: Reference) -> bool:
        return self._index(reference) < len(self._outputs.get(reference.layer, ()))

    def _index(self, reference: Reference) -> int:
        return reference.call - self._first.get(reference.layer, 0)

    def tensor(self, reference: Reference | Constant) -> Any:
        """What a Reference stands for; raises LoadError where there is no such tensor."""
        if isinstance(reference, Constant):
            return reference.value
        try:
            return self._outputs[reference.layer][self._index(reference)][reference.output]
        except (KeyError, IndexError):
            raise LoadError(f"is damaged: its layer {reference.layer!r} has no output as it names one.") from None
