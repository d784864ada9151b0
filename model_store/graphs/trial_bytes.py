"""What to try a graph's input of bytes with: something that the graph can decode, where an empty string is nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from io import BytesIO

import tensorflow as tf
from PIL import Image

from model_store.graphs.example_parser import EXAMPLE_PARSERS, needed_features, serialized_example
from model_store.graphs.heads import Head
from model_store.graphs.library import needed_functions
from model_store.graphs.node_graph import NodeDef, NodeGraph, node_name

PICTURE_DECODERS = {"DecodeJpeg", "DecodeAndCropJpeg", "DecodePng", "DecodeGif", "DecodeImage", "DecodeBmp"}
# Large enough for nets that shrink a picture much.
PICTURE_SIDE = 224


def trial_bytes(graph: NodeGraph, nodes: Collection[str], heads: Mapping[str, Head]) -> dict[str, bytes]:
    """Bytes for each input that is decoded as a picture or as a `tf.train.Example`.

    Args:
        graph: All of it.
        nodes: The names of the nodes that are needed.
        heads: The inputs.
    """
    return {
        name: content
        for name, head in heads.items()
        if head.dtype == tf.string and (content := _content(graph, nodes, name)) is not None
    }


def _content(graph: NodeGraph, nodes: Collection[str], name: str) -> bytes | None:
    reached = graph.reached([node_name(name)], lambda node: node.op not in EXAMPLE_PARSERS)
    takers = [graph.nodes[taker] for taker in reached if taker in nodes]
    parsers = [node for node in takers if node.op in EXAMPLE_PARSERS]
    behind = graph.reached(reached, lambda node: True) if parsers else reached
    picture = _picture(graph, [graph.nodes[taker] for taker in behind if taker in nodes])
    if not parsers:
        return picture
    return serialized_example(needed_features(parsers[0], partial(_texts, graph)), picture or b"")


def _picture(graph: NodeGraph, takers: Sequence[NodeDef]) -> bytes | None:
    """A black picture, where the nodes or the functions that they call decode one."""
    bodies = needed_functions(graph.library, takers).function
    operations = {node.op for node in takers}.union(*({node.op for node in body.node_def} for body in bodies))
    if operations.isdisjoint(PICTURE_DECODERS):
        return None
    file = BytesIO()
    Image.new("RGB", (PICTURE_SIDE, PICTURE_SIDE)).save(file, "BMP" if "DecodeBmp" in operations else "JPEG")
    return file.getvalue()


def _texts(graph: NodeGraph, sources: Sequence[str]) -> list[bytes]:
    values = [graph.constant(source) for source in sources]
    return [text for value in values if value is not None for text in value.ravel().tolist()]
