"""Operators that parse a serialised `tf.train.Example`, and an Example that they take: an empty string is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import tensorflow as tf

from model_store.graphs.heads import shape_of
from model_store.graphs.node_graph import NodeDef, attribute

#: The values of constants that hold strings, by the names of the nodes' outputs.
Texts = Callable[[Sequence[str]], list[bytes]]

EXAMPLE_PARSERS = {"ParseExample", "ParseExampleV2", "ParseSingleExample"}
# Where the keys of dense features stand among the inputs of ParseExampleV2 (tensorflow/core/ops/parsing_ops.cc).
DENSE_KEYS_INPUT = 3


@dataclass(frozen=True)
class Feature:
    """What an Example must have: a number of values, of a type as in TensorFlow's enumeration."""

    name: str
    dtype: int
    count: int


def needed_features(parser: NodeDef, texts: Texts) -> Iterator[Feature]:
    """The features that a parser cannot miss, as far as their names are constants."""
    types = attribute(parser, "Tdense").list.type
    shapes = attribute(parser, "dense_shapes").list.shape
    for key, dtype, shape in zip(_dense_keys(parser, texts), types, shapes, strict=False):
        yield Feature(key.decode("utf-8", "replace"), dtype, math.prod(size or 1 for size in shape_of(shape) or ()))


def serialized_example(features: Iterable[Feature], content: bytes = b"") -> bytes:
    """An Example with zeros for these features, and the content for those of bytes."""
    example = tf.train.Example()
    for wanted in features:
        feature = example.features.feature[wanted.name]
        if wanted.dtype == tf.string.as_datatype_enum:
            feature.bytes_list.value[:] = [content] * wanted.count
        elif wanted.dtype == tf.int64.as_datatype_enum:
            feature.int64_list.value[:] = [0] * wanted.count
        else:
            feature.float_list.value[:] = [0.0] * wanted.count
    return bytes(example.SerializeToString())


def _dense_keys(parser: NodeDef, texts: Texts) -> list[bytes]:
    """The names of the features, which each version of the operation is told in another way."""
    if parser.op == "ParseSingleExample":
        return list(attribute(parser, "dense_keys").list.s)
    if parser.op == "ParseExampleV2":
        return texts(parser.input[DENSE_KEYS_INPUT : DENSE_KEYS_INPUT + 1])
    first = 2 + attribute(parser, "Nsparse").i
    return texts(parser.input[first : first + attribute(parser, "Ndense").i])
