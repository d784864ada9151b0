"""Which of a graph's nodes are its results: those that nobody consumes, less what training left behind."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from model_store.errors import LoadError
from model_store.graphs.node_graph import NodeDef, NodeGraph, node_name

# The outputs of TensorFlow's Object Detection API (object_detection/core/standard_fields.py); a graph that has boxes
# and scores under these names also has loose ends of no use.
DETECTION_OUTPUTS = (
    *("detection_boxes", "detection_scores", "detection_classes", "num_detections"),
    *("detection_masks", "detection_keypoints", "raw_detection_boxes", "raw_detection_scores"),
)

# Who looks at values or keeps them, and gives none to compute with.
OBSERVERS = {
    *("HistogramSummary", "ImageSummary", "AudioSummary", "AudioSummaryV2", "MergeSummary", "ScalarSummary"),
    *("TensorSummary", "TensorSummaryV2", "PrintV2", "Save", "SaveSlices", "SaveV2", "NoOp"),
    *("QueueEnqueue", "QueueEnqueueV2", "QueueEnqueueMany", "QueueEnqueueManyV2"),
}
NO_RESULTS = OBSERVERS | {
    *("Assert", "Abort", "Const", "MergeV2Checkpoints", "ShardedFilename", "RestoreV2", "WriteFile"),
    *("Placeholder", "PlaceholderV2", "PlaceholderWithDefault", "Assign", "AssignAdd", "AssignSub"),
    *("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp", "LookupTableImport", "LookupTableImportV2"),
}
# What they give tells of the shape of what they take, not of its values.
SHAPES = {"Shape", "ShapeN", "Size", "Rank"}
# Values behind these may be there or not, until those bring the cases together.
BRANCHES = {"Switch", "RefSwitch", "Enter", "RefEnter"}
JUNCTIONS = {"Merge", "RefMerge", "Exit", "RefExit"}
# Scopes of what is no result: tf.gradients and tf.GradientTape name theirs so, and tf.debugging.Assert.
LEFTOVER_SCOPE = re.compile(r"(gradients|gradient_tape|Assert|AssertGuard)(_\d+)?")
# Further tensors of these are for training, or tell which way values came.
ONE_RESULT = {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "Merge", "RefMerge"}


def find_outputs(graph: NodeGraph, feeds: Iterable[str]) -> dict[str, str]:
    """The outputs by name: nodes, for all that they give, or tensors, which have a colon.

    These are the Object Detection API's where the graph has them. Otherwise they are the nodes that nobody consumes
    and that the inputs' values get to; where there are none, those that only the inputs' shapes get to, and then those
    that are only looked at, by summaries and savers.

    Args:
        graph: All of it.
        feeds: The tensors that are its inputs.

    Raises:
        LoadError: There are none.
    """
    found = _detection_outputs(graph) or {name: name for name in _ends(graph, {node_name(feed) for feed in feeds})}
    if not found:
        raise LoadError("it has no outputs; name the nodes wanted as outputs in model.toml")
    return {name: f"{node}:0" if graph.nodes[node].op in ONE_RESULT else node for name, node in found.items()}


def _detection_outputs(graph: NodeGraph) -> dict[str, str]:
    """The shortest scope that has them is the graph itself, or one that it was imported into."""
    scopes = [name.removesuffix("detection_boxes") for name in graph.nodes if _last_part(name) == "detection_boxes"]
    for scope in sorted(scopes, key=len):
        outputs = {name: scope + name for name in DETECTION_OUTPUTS if scope + name in graph.nodes}
        if "detection_scores" in outputs:
            return outputs
    return {}


def _ends(graph: NodeGraph, feeds: Iterable[str]) -> list[str]:
    branches = graph.reached(_of(graph, BRANCHES), lambda node: node.op not in JUNCTIONS)
    values = graph.reached(feeds, lambda node: node.op not in SHAPES) - set(feeds)
    followed = graph.reached(feeds, lambda node: True) - set(feeds)

    def is_result(node: NodeDef) -> bool:
        return node.op not in NO_RESULTS and not (node.name in branches and node.op not in JUNCTIONS)

    def is_of_values(node: NodeDef) -> bool:
        is_leftover = any(map(LEFTOVER_SCOPE.fullmatch, node.name.split("/")))
        return is_result(node) and node.name in values and node.op not in SHAPES and not is_leftover

    unused = _unused(graph, ignored=())
    choices = (
        [name for name in unused if is_of_values(graph.nodes[name])],
        [name for name in unused if is_result(graph.nodes[name]) and name in followed],
        [name for name in _unused(graph, ignored=OBSERVERS) if is_of_values(graph.nodes[name])],
        [name for name in unused if is_result(graph.nodes[name])],
    )
    return next((choice for choice in choices if choice), [])


def _unused(graph: NodeGraph, ignored: Collection[str]) -> list[str]:
    """The nodes that no other needs, apart from operations that are ignored."""
    used = {node_name(source) for node in graph.nodes.values() if node.op not in ignored for source in node.input}
    return [name for name in graph.nodes if name not in used]


def _of(graph: NodeGraph, operations: set[str]) -> list[str]:
    return [name for name, node in graph.nodes.items() if node.op in operations]


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]
