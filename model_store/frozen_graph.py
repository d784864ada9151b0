"""Opens a frozen graph: a `.pb` file with a GraphDef and its weights, which does not say what goes in and out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError

from model_store.errors import LoadError
from model_store.graph_part import Run
from model_store.operator_check import refuse_operators
from model_store.program import Program, one_line, tensor_spec
from model_store.signature import Signature, TensorSpec
from model_store.spec import ModelSpec
from model_store.store import SAVED_MODEL_FILE

# The outputs of TensorFlow's Object Detection API (object_detection/core/standard_fields.py); a graph that has boxes
# and scores under these names also has loose ends of no use.
DETECTION_OUTPUTS = (
    "detection_boxes",
    "detection_scores",
    "detection_classes",
    "num_detections",
    "detection_masks",
    "detection_keypoints",
    "raw_detection_boxes",
    "raw_detection_scores",
)

# Loose ends that are not results.
SIDE_EFFECTS = {
    *("Assert", "Const", "NoOp", "Placeholder", "PlaceholderWithDefault", "Print", "PrintV2"),
    *("Assign", "AssignVariableOp", "RestoreV2", "SaveV2", "MergeV2Checkpoints", "ShardedFilename"),
    *("HistogramSummary", "ImageSummary", "MergeSummary", "ScalarSummary", "TensorSummaryV2"),
}
VARIABLES = {"VarHandleOp", "Variable", "VariableV2"}

# Scalars that TensorFlow 1 graphs were fed while training, with what they are in use.
TRAINING_SWITCHES = {"is_training": False, "training": False, "keras_learning_phase": False, "keep_prob": 1.0}

Nodes = Mapping[str, Any]
Tensors = Mapping[str, tf.Tensor]


def open_frozen_graph(path: Path, spec: ModelSpec) -> Program:
    """Open a frozen graph.

    Its inputs are the placeholders that its outputs need; its outputs are those of `spec` (names of nodes), or else the
    Object Detection API's names where the graph has them, or else all nodes that no other node needs.

    Raises:
        LoadError: The file is no frozen graph, or TensorFlow refuses it.
        Untrusted: The graph has operators that can do more than compute.
    """
    graph_def = _read(path)
    nodes = {node.name: node for node in graph_def.node}
    _refuse_variables(path, nodes)
    switches = {name: value for name, node in nodes.items() if (value := _switch_value(node)) is not None}
    refuse_operators(path, spec, graph_def, [Run(tuple(spec.outputs or _output_nodes(nodes)))])
    try:
        imported = tf.compat.v1.wrap_function(lambda: _import(graph_def, switches), [])
        fetches = _fetches(imported.graph, nodes, spec.outputs or _output_nodes(nodes))
        feeds = _feeds(imported.graph, nodes, fetches, switches)
        pruned = imported.prune(list(feeds.values()), fetches)
        call = _compile(pruned, feeds)
        signature = Signature(_specs(feeds), _specs(fetches))
    except (LoadError, ValueError, IndexError, TypeError, tf.errors.OpError) as error:
        raise LoadError(f"{path} cannot be used as a frozen graph: {one_line(error)}.") from None
    return Program("frozen_graph", signature, lambda tensors: call(*(tensors[name] for name in feeds)))


def _read(path: Path) -> Any:
    content = path.read_bytes()
    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(content)
    except DecodeError:
        raise LoadError(f"{path} is not a frozen graph, or only a part of one: {_hint(content)}.") from None
    if not graph_def.node:
        raise LoadError(f"{path} is not a frozen graph, as it holds no nodes: {_hint(content)}.")
    return graph_def


def _hint(content: bytes) -> str:
    if not content:
        return "it is empty"
    if content.lstrip()[:4] == b"node":
        return "it is a graph in text form, and its binary form is needed"
    if b"saved_model" in content or b"serving_default" in content:
        return f"it looks like a SavedModel's, which must be named {SAVED_MODEL_FILE} and lie beside its variables"
    return f"its {len(content)} bytes cannot be parsed as TensorFlow's GraphDef"


def _refuse_variables(path: Path, nodes: Nodes) -> None:
    variables = [name for name, node in nodes.items() if node.op in VARIABLES]
    if variables:
        raise LoadError(
            f"{path} is a graph that is not frozen: the values of its variables, such as {variables[0]}, lie in "
            f"another file. Freeze it with its checkpoint, or export a SavedModel."
        )


def _switch_value(node: Any) -> bool | float | None:
    if node.op != "Placeholder" or node.attr["shape"].shape.dim:
        return None
    value = TRAINING_SWITCHES.get(node.name.rpartition("/")[2])
    dtype = tf.bool if isinstance(value, bool) else tf.float32
    return value if node.attr["dtype"].type == dtype.as_datatype_enum else None


def _import(graph_def: Any, switches: Mapping[str, bool | float]) -> None:
    constants = {f"{name}:0": tf.constant(value) for name, value in switches.items()}
    tf.graph_util.import_graph_def(graph_def, input_map=constants, name="")


def _output_nodes(nodes: Nodes) -> list[str]:
    detection_outputs = [name for name in DETECTION_OUTPUTS if name in nodes]
    if {"detection_boxes", "detection_scores"} <= set(detection_outputs):
        return detection_outputs
    used = {_node_name(source) for node in nodes.values() for source in node.input}
    return [name for name, node in nodes.items() if name not in used and node.op not in SIDE_EFFECTS]


def _node_name(source: str) -> str:
    return source.lstrip("^").partition(":")[0]


def _fetches(graph: tf.Graph, nodes: Nodes, names: Iterable[str]) -> Tensors:
    """The tensors of the named nodes; a node's second and later tensors are called `name:1` and so on."""
    fetches = {}
    for name in names:
        node_name, _, index = name.partition(":")
        if node_name not in nodes:
            raise LoadError(f"it has no node {node_name}, which outputs in model.toml asks for")
        tensors = graph.get_operation_by_name(node_name).outputs
        if index:
            tensors = [tensors[int(index)]]
        fetches.update({tensor.name.removesuffix(":0"): tensor for tensor in tensors})
    return fetches


def _feeds(graph: tf.Graph, nodes: Nodes, fetches: Tensors, switches: Mapping[str, bool | float]) -> Tensors:
    if not fetches:
        raise LoadError("it has no outputs; name the nodes wanted as outputs in model.toml")
    needed = _needed(nodes, fetches)
    placeholders = [name for name, node in nodes.items() if node.op == "Placeholder" and name in needed]
    names = [name for name in placeholders if name not in switches]
    if not names:
        raise LoadError(f"it has no inputs: no placeholder leads to its outputs {', '.join(fetches)}")
    return {name: graph.get_tensor_by_name(f"{name}:0") for name in names}


def _needed(nodes: Nodes, fetches: Iterable[str]) -> set[str]:
    needed: set[str] = set()
    waiting = [_node_name(name) for name in fetches]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting.extend(_node_name(source) for source in nodes[name].input)
    return needed


def _compile(pruned: Any, feeds: Tensors) -> Any:
    """A pruned function of the TensorFlow 1 kind costs 0.6 ms a call; within a function of today's kind, 0.25 ms."""
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in feeds.values()]
    function = tf.function(lambda *tensors: pruned(*tensors), input_signature=specs, autograph=False)
    return function.get_concrete_function()


def _specs(tensors: Tensors) -> dict[str, TensorSpec]:
    return {name: tensor_spec(name, tensor) for name, tensor in tensors.items()}
