"""Opens a frozen graph: a file with a GraphDef and its weights, which does not say what goes in and out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from model_store.errors import LoadError
from model_store.graph_ends import Ends, find_ends
from model_store.graph_file import read_graph
from model_store.graph_function import GraphFunction, make_function
from model_store.graph_tables import make_tables
from model_store.node_graph import NodeGraph
from model_store.program import Program, Run, one_line, tensor_spec
from model_store.signature import Signature, TensorSpec
from model_store.spec import ModelSpec

VARIABLES = {"VarHandleOp", "Variable", "VariableV2", "AutoReloadVariable", "VarIsInitializedOp"}

Tables = Mapping[str, tf.Tensor]


def open_frozen_graph(path: Path, spec: ModelSpec) -> Program:
    """Open a frozen graph.

    Its inputs and outputs are those of `spec`, or else found from its nodes: see `find_ends`. Only what the outputs
    need is imported.

    Raises:
        LoadError: The file is no frozen graph, or TensorFlow refuses it.
    """
    graph_def = read_graph(path)
    try:
        graph = NodeGraph.of(graph_def)
        ends = find_ends(graph, spec.inputs, spec.outputs)
        _refuse_variables(graph, ends)
        tables = make_tables(graph, ends.nodes, path.parent)
        function = _make_function(graph, ends, tables)
        signature = Signature(_specs(_feeds(ends)), _specs(function.outputs))
    # A damaged graph can make TensorFlow's parts meet any Python error.
    except Exception as error:
        raise LoadError(f"{path} cannot be used as a frozen graph: {one_line(error)}.") from None
    return Program("frozen_graph", signature, _run(function, signature), owner=tables)


def _refuse_variables(graph: NodeGraph, ends: Ends) -> None:
    variable = next((name for name in graph.nodes if name in ends.nodes and graph.nodes[name].op in VARIABLES), None)
    if variable:
        raise LoadError(
            f"it is a graph that is not frozen: the values of its variables, such as {variable}, lie in another file. "
            "Freeze it with its checkpoint, or export a SavedModel"
        )


def _make_function(graph: NodeGraph, ends: Ends, tables: Tables) -> GraphFunction:
    names = set(ends.nodes) - set(tables)
    switches = {name: tf.cast(switch.value, switch.dtype) for name, switch in ends.switches.items()}
    return make_function(graph.part(names), _feeds(ends), {**switches, **tables}, ends.outputs)


def _feeds(ends: Ends) -> dict[str, tf.TensorSpec]:
    return {name: tf.TensorSpec(head.shape, head.dtype) for name, head in ends.inputs.items()}


def _run(function: GraphFunction, signature: Signature) -> Run:
    call, inputs, outputs = function.call, tuple(signature.inputs), tuple(signature.outputs)
    return lambda tensors: dict(zip(outputs, call(*(tensors[name] for name in inputs)), strict=True))


def _specs(tensors: Mapping[str, tf.TensorSpec]) -> dict[str, TensorSpec]:
    return {name: tensor_spec(name, tensor) for name, tensor in tensors.items()}
