"""Operators that Keras in TensorFlow 2.0 to 2.3 wrote as layers: each a single node of a graph.

Only operators of the list below are taken, which compute from tensors alone.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework import op_def_registry

from model_store.errors import LoadError
from model_store.keras_files.config import Object, fields, layer_name

NODE_CLASSES = frozenset({"TensorFlowOpLayer"})

_NAMES = (
    "Abs Acos Acosh Add AddN AddV2 All Any ArgMax ArgMin Asin Asinh Atan Atan2 Atanh AvgPool BatchMatMul BatchMatMulV2 "
    "BiasAdd BroadcastTo Cast Ceil ClipByValue Concat ConcatV2 Conv2D Cos Cosh Cumprod Cumsum DepthToSpace Div "
    "DivNoNan Einsum Elu Equal Erf Erfc Exp ExpandDims Expm1 Fill Floor FloorDiv FloorMod Gather GatherNd GatherV2 "
    "Greater GreaterEqual Identity IsFinite IsInf IsNan LeakyRelu Less LessEqual Lgamma Log Log1p LogSoftmax "
    "LogicalAnd LogicalNot LogicalOr MatMul Max MaxPool Maximum Mean Min Minimum MirrorPad Mod Mul MulNoNan Neg "
    "NotEqual OneHot OnesLike Pack Pad PadV2 Pow Prod Range Rank RealDiv Reciprocal Relu Relu6 Reshape "
    "ResizeBilinear ResizeNearestNeighbor ReverseV2 Rint Round Rsqrt Select SelectV2 Selu Shape Sigmoid Sign Sin Sinh "
    "Size Slice Softmax Softplus Softsign SpaceToDepth Split SplitV Sqrt Square SquaredDifference Squeeze StopGradient "
    "StridedSlice Sub Sum Tan Tanh Tile TopKV2 Transpose Unpack Where Xdivy Xlogy ZerosLike"
)
OPERATORS = frozenset(_NAMES.split())
# An attribute that has another name in Python.
RENAMED = {"squeeze_dims": "axis"}


def node_of(description: Object) -> Any:
    """The node that a description has, as JSON, text or not; raises LoadError where it has none."""
    node = fields(description).get("node_def")
    try:
        return json_format.ParseDict(json.loads(node) if isinstance(node, str) else node or {}, NodeDef())
    except (json_format.ParseError, ValueError, TypeError, AttributeError):
        raise LoadError(f"is damaged: its layer {layer_name(description)!r} has no readable node.") from None


class Node(keras.Operation):  # type: ignore[misc]
    """Runs one node of a graph."""

    def __init__(self, node: Any, constants: Mapping[int, Any], name: str) -> None:
        super().__init__(name=name)
        self._run = getattr(tf.raw_ops, node.op)
        definition = op_def_registry.get(node.op)
        attributes = {RENAMED.get(attribute.name, attribute.name) for attribute in definition.attr}
        # Python has other names for some inputs, in the same order.
        names = [name for name in inspect.signature(self._run).parameters if name not in {*attributes, "name"}]
        self._inputs = dict(zip(names, definition.input_arg, strict=True))
        self._node = node
        self._constants = constants

    def call(self, inputs: Any) -> Any:
        """Takes the node's inputs in order, less those that the file has as constants."""
        tensors = list(keras.tree.flatten(inputs))
        for place, value in sorted(self._constants.items()):
            tensors.insert(place, value)
        given = {}
        for name, argument in self._inputs.items():
            count = self._node.attr[argument.number_attr].i if argument.number_attr else 1
            taken, tensors = [self._tensor(argument, tensor) for tensor in tensors[:count]], tensors[count:]
            given[name] = taken if argument.number_attr else taken[0]
        return self._run(**given, **self._attributes())

    def _tensor(self, argument: Any, value: Any) -> Any:
        dtype = self._node.attr[argument.type_attr].type if argument.type_attr else argument.type
        return tf.convert_to_tensor(value, tf.DType(dtype))

    def _attributes(self) -> dict[str, Any]:
        """Those that the inputs do not tell."""
        values = {RENAMED.get(name, name): value for name, value in self._node.attr.items()}
        names = inspect.signature(self._run).parameters.keys() & values.keys()
        return {name: _python_value(values[name]) for name in names}


def make_node(description: Object, name: str) -> Node:
    """The operator that a description has; it must be one of `OPERATORS`."""
    constants = fields(description).get("constants") or {}
    return Node(node_of(description), {int(place): value for place, value in constants.items()}, name)


def _python_value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "list":
        return [item for _, items in value.list.ListFields() for item in items]
    found = getattr(value, kind)
    return tf.DType(found) if kind == "type" else tf.TensorShape(found) if kind == "shape" else found
