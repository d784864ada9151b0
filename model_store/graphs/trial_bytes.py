"""What to try a graph's input of bytes with: something that the graph can decode, where an empty string is nothing."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from io import BytesIO

import tensorflow as tf
from PIL import Image

from model_store.graphs.heads import Head, shape_of
from model_store.graphs.library import needed_functions
from model_store.graphs.node_graph import NodeDef, NodeGraph, attribute, node_name

PICTURE_DECODERS = {"DecodeJpeg", "DecodeAndCropJpeg", "DecodePng", "DecodeGif", "DecodeImage", "DecodeBmp"}
EXAMPLE_PARSERS = {"ParseExample", "ParseExampleV2", "ParseSingleExample"}
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
    return _example(graph, parsers[0], picture or b"") if parsers else picture


def _picture(graph: NodeGraph, takers: Sequence[NodeDef]) -> bytes | None:
    """A black picture, where the nodes or the functions that they call decode one."""
    bodies = needed_functions(graph.library, takers).function
    operations = {node.op for node in takers}.union(*({node.op for node in body.node_def} for body in bodies))
    if operations.isdisjoint(PICTURE_DECODERS):
        return None
    file = BytesIO()
    Image.new("RGB", (PICTURE_SIDE, PICTURE_SIDE)).save(file, "BMP" if "DecodeBmp" in operations else "JPEG")
    return file.getvalue()


def _example(graph: NodeGraph, parser: NodeDef, content: bytes) -> bytes:
    """A `tf.train.Example` with zeros for each feature that must be there, and the content for those of bytes."""
    example = tf.train.Example()
    types = attribute(parser, "Tdense").list.type
    shapes = [shape_of(shape) or () for shape in attribute(parser, "dense_shapes").list.shape]
    for key, dtype, shape in zip(_dense_keys(graph, parser), types, shapes, strict=True):
        count = math.prod(size or 1 for size in shape)
        feature = example.features.feature[key.decode("utf-8", "replace")]
        if dtype == tf.string.as_datatype_enum:
            feature.bytes_list.value.extend([content] * count)
        elif dtype == tf.int64.as_datatype_enum:
            feature.int64_list.value.extend([0] * count)
        else:
            feature.float_list.value.extend([0.0] * count)
    return bytes(example.SerializeToString())


def _dense_keys(graph: NodeGraph, parser: NodeDef) -> list[bytes]:
    """The names of the features, which each version of the operation is told in another way."""
    if parser.op == "ParseSingleExample":
        return list(attribute(parser, "dense_keys").list.s)
    if parser.op == "ParseExampleV2":
        return _texts(graph, parser.input[3:4])
    first = 2 + attribute(parser, "Nsparse").i
    return _texts(graph, parser.input[first : first + attribute(parser, "Ndense").i])


def _texts(graph: NodeGraph, sources: Sequence[str]) -> list[bytes]:
    values = [graph.constant(source) for source in sources]
    return [text for value in values if value is not None for text in value.ravel().tolist()]
