"""Refuses graphs with operators that can do more than compute, before TensorFlow sees the graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorflow.python.framework import op_def_registry

from model_store.errors import Untrusted
from model_store.spec import ModelSpec
from model_store.trust.digest import is_trusted
from model_store.trust.graph_part import PlacedNode, Run, runnable_nodes
from model_store.trust.import_time import computed_at_import
from model_store.trust.operators import NAME_INPUTS, group_of, refusal
from model_store.trust.own_files import FOREIGN_NAME, NameOrigins

# Enough to see what is wrong with a model, in a sentence that can still be read.
MOST_TOLD = 4


@dataclass(frozen=True, order=True)
class RefusedOperator:
    """An operator that a model file may not bring.

    Attributes:
        operator: TensorFlow's name of it.
        where: The function of the graph's library that it is in; empty for the graph itself.
        reason: What it does, such as "they read or write files that the graph names".
    """

    operator: str
    where: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """As JSON values."""
        return {"operator": self.operator, "where": self.where, "reason": self.reason}


def refuse_operators(path: Path, spec: ModelSpec, graph_def: Any, runs: Iterable[Run]) -> None:
    """Check all that can run of a graph.

    Args:
        path: The artifact that the graph is from.
        spec: Its model.toml, which may trust it.
        graph_def: The GraphDef as it will be imported.
        runs: What will be asked of it. Nodes and functions that none of these leads to cannot run, but for those that
            follow from constants alone.

    Raises:
        Untrusted: Operators in it are not allowed, and `trusted_sha256` does not have the artifact.
    """
    refused = refused_operators(graph_def, runs)
    if refused and not is_trusted(path, spec):
        raise Untrusted(
            f"{path} is refused, as its graph has the operators {_told(refused)}. A model file is a program: who "
            "trusts this one puts its digest, which `celeriac inspect` prints, into trusted_sha256 in its model.toml.",
            [one.to_json() for one in refused],
        )


def refused_operators(graph_def: Any, runs: Iterable[Run]) -> list[RefusedOperator]:
    """What may not be in the graph, without repetition, sorted."""
    asked = {one for run in runs for one in _refused(graph_def, run)}
    return sorted(asked | set(_refused_at_import(graph_def)))


def _refused(graph_def: Any, run: Run) -> Iterator[RefusedOperator]:
    nodes = runnable_nodes(graph_def, run)
    functions = {function.signature.name for function in graph_def.library.function}
    origins = NameOrigins(graph_def, run, nodes)
    for placed in nodes:
        reason = _reason(placed, functions, origins)
        if reason:
            yield RefusedOperator(placed.node.op, placed.function or "", reason)


def _refused_at_import(graph_def: Any) -> Iterator[RefusedOperator]:
    def is_refused(placed: PlacedNode) -> bool:
        return group_of(placed.node.op) is not None and refusal(placed.node.op, placed.node.attr) is not None

    for placed in computed_at_import(graph_def, _is_stateful, is_refused):
        reason = refusal(placed.node.op, placed.node.attr) or ""
        yield RefusedOperator(placed.node.op, placed.function or "", reason)


def _is_stateful(operator: str) -> bool:
    definition = op_def_registry.get(operator)
    return definition is None or bool(definition.is_stateful)


def _reason(placed: PlacedNode, functions: set[str], origins: NameOrigins) -> str | None:
    operator = placed.node.op
    is_judged = group_of(operator) is not None
    if not is_judged and (operator in functions or op_def_registry.get(operator) is None):
        # A function is looked through itself; what TensorFlow does not have it cannot run, and says so by its name.
        return None
    if operator in NAME_INPUTS and not origins.is_own_file(placed):
        return FOREIGN_NAME
    return refusal(operator, placed.node.attr)


def _told(refused: Sequence[RefusedOperator]) -> str:
    told = [f"{one.operator} ({_place(one)}: {one.reason})" for one in refused[:MOST_TOLD]]
    more = len(refused) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")


def _place(refused: RefusedOperator) -> str:
    return f"in its function {refused.where}" if refused.where else "in the graph itself"
