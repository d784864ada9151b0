"""Opens a frozen graph: a file with a GraphDef and its weights, which does not say what goes in and out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import tensorflow as tf

from model_store.errors import LoadError, Untrusted
from model_store.graphs.ends import Ends, find_ends
from model_store.graphs.file import read_graph
from model_store.graphs.function import GraphFunction, make_function, refuse_unknown_operations
from model_store.graphs.heads import Head, with_types
from model_store.graphs.node_graph import NodeGraph
from model_store.graphs.old_operations import modernize
from model_store.graphs.ranks import with_found_ranks
from model_store.graphs.rows import opened_parts, with_open_rows
from model_store.graphs.switches import with_switches_set
from model_store.graphs.tables import fill_sources, make_tables
from model_store.graphs.trial_bytes import trial_bytes
from model_store.program import Program, Run, one_line, tensor_spec
from model_store.signature import Signature, TensorSpec
from model_store.spec import ModelSpec
from model_store.trust.graph_part import Run as GraphRun
from model_store.trust.graph_part import indexed_name
from model_store.trust.operator_check import refuse_operators

VARIABLES = {"VarHandleOp", "Variable", "VariableV2", "AutoReloadVariable", "VarIsInitializedOp"}

Tables = Mapping[str, tf.Tensor]


def open_frozen_graph(path: Path, spec: ModelSpec) -> Program:
    """Open a frozen graph.

    Its inputs and outputs are those of `spec`, or else found from its nodes: see `find_ends`. Only what the outputs
    need is imported.

    Raises:
        LoadError: The file is no frozen graph, or TensorFlow refuses it.
        Untrusted: The graph has operators that can do more than compute.
    """
    graph_def = read_graph(path)
    try:
        graph = with_switches_set(NodeGraph.of(graph_def), spec.inputs or ())
        ends = find_ends(graph, spec.inputs, spec.outputs)
        _refuse_variables(graph, ends)
        _refuse_what_may_not_run(path, spec, graph, ends)
        ends = _declared(graph, ends)
        tables = make_tables(graph, ends.nodes, path.parent)
        function = make_function(graph.part(ends.nodes), _feeds(ends.inputs), tables, ends.outputs)
        signature = Signature(_specs(_feeds(ends.inputs)), _specs(function.outputs))
        strings = tuple(dict.fromkeys(trial_bytes(graph, ends.nodes, ends.inputs).values()))
    except Untrusted:
        raise
    # A damaged graph can make TensorFlow's parts meet any Python error.
    except Exception as error:
        raise LoadError(f"{path} cannot be used as a frozen graph: {one_line(error)}.") from None
    opened = partial(_open_rows, graph, ends, tables, signature)
    run = _run(function, signature)
    return Program("frozen_graph", signature, run, tables, open_rows=opened, trial_strings=strings)


def _refuse_variables(graph: NodeGraph, ends: Ends) -> None:
    variable = next((name for name in graph.nodes if name in ends.nodes and graph.nodes[name].op in VARIABLES), None)
    if variable:
        raise LoadError(
            f"it is a graph that is not frozen: the values of its variables, such as {variable}, lie in another file. "
            "Freeze it with its checkpoint, or export a SavedModel"
        )


def _refuse_what_may_not_run(path: Path, spec: ModelSpec, graph: NodeGraph, ends: Ends) -> None:
    """Look through what leads to the outputs, to what tables are filled with, and to inputs within the graph.

    Nothing leads to those in a call, but TensorFlow can run parts of a graph as soon as it knows their shapes.
    """
    fed = frozenset(map(indexed_name, ends.inputs))
    fills = fill_sources(graph, ends.nodes)
    inner = [name for name, head in ends.inputs.items() if head.dtype is None]
    for run in (GraphRun((*ends.outputs.values(),), fed=fed), GraphRun((*fills,)), GraphRun((*inner,))):
        names, _ = graph.needed(run.targets, ends.inputs if run.fed else ())
        part = graph.part(names)
        modernize(part)
        refuse_unknown_operations(part)
        refuse_operators(path, spec, part, [run])


def _declared(graph: NodeGraph, ends: Ends) -> Ends:
    """With what the file does not declare of its inputs. From here on TensorFlow sees the graph."""
    typed = with_types(graph, ends.inputs)
    return replace(ends, inputs=with_found_ranks(graph, ends.nodes, typed))


def _open_rows(graph: NodeGraph, ends: Ends, tables: Tables, signature: Signature, rows: int) -> Iterator[Run]:
    """Ways to run the graph that may take any number of rows, though it was written for this one."""
    heads = with_open_rows(ends.inputs, rows)
    for part in opened_parts(graph, ends.nodes, heads, rows):
        try:
            function = make_function(part, _feeds(heads), tables, ends.outputs)
        # Whatever TensorFlow says, this is no way.
        except Exception:
            continue
        yield _run(function, signature)


def _feeds(heads: Mapping[str, Head]) -> dict[str, tf.TensorSpec]:
    return {name: tf.TensorSpec(head.shape, head.dtype) for name, head in heads.items()}


def _run(function: GraphFunction, signature: Signature) -> Run:
    call, inputs, outputs = function.call, tuple(signature.inputs), tuple(signature.outputs)
    return lambda tensors: dict(zip(outputs, call(*(tensors[name] for name in inputs)), strict=True))


def _specs(tensors: Mapping[str, tf.TensorSpec]) -> dict[str, TensorSpec]:
    return {name: tensor_spec(name, tensor) for name, tensor in tensors.items()}
