"""Makes a function of a part of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from model_store.errors import LoadError
from model_store.graphs.node_graph import node_name
from model_store.graphs.old_operations import modernize

# Handles of what only lives within a graph; everything else can be sent.
HANDLES = (tf.resource, tf.variant)


@dataclass(frozen=True)
class GraphFunction:
    """A function of tensors.

    Attributes:
        call: Takes a tensor for each feed, and gives one for each of `outputs`, both in order.
        outputs: What each of them is, by name.
    """

    call: Any
    outputs: Mapping[str, tf.TensorSpec]


def make_function(
    part: Any, feeds: Mapping[str, tf.TensorSpec], values: Mapping[str, tf.Tensor], outputs: Mapping[str, str]
) -> GraphFunction:
    """Make a function of a GraphDef's nodes.

    Args:
        part: A GraphDef with all nodes that the outputs need; it is changed. Those of feeds and values may be there
            too.
        feeds: The tensors to be given in each call, which stand in place of the graph's.
        values: Tensors that always stand in place of the graph's.
        outputs: Nodes, for all tensors that they give but handles, or tensors, which have a colon; by name.

    Raises:
        LoadError: An operation is unknown, or there is nothing that could be given.
    """
    modernize(part)
    specs: dict[str, tf.TensorSpec] = {}

    def imported(*tensors: tf.Tensor) -> list[tf.Tensor]:
        given = {
            **dict(zip(feeds, tensors, strict=True)),
            **{name: tf.identity(value) for name, value in values.items()},
        }
        inputs = {name if ":" in name else f"{name}:0": tensor for name, tensor in given.items()}
        nodes = [node_name(source) for source in outputs.values()]
        operations = tf.graph_util.import_graph_def(part, inputs, return_elements=nodes, name="")
        found = _tensors(dict(zip(outputs, operations, strict=True)), outputs)
        specs.update({name: tf.TensorSpec(tensor.shape, tensor.dtype) for name, tensor in found.items()})
        return list(found.values())

    wrapped = tf.compat.v1.wrap_function(imported, list(feeds.values()))
    if not specs:
        raise LoadError(f"it has no outputs: {', '.join(outputs)} give nothing that can be sent")
    # A function of the TensorFlow 1 kind costs 0.6 ms a call; within a function of today's kind, 0.25 ms.
    function = tf.function(lambda *tensors: wrapped(*tensors), input_signature=list(feeds.values()), autograph=False)
    return GraphFunction(function.get_concrete_function(), specs)


def _tensors(operations: Mapping[str, tf.Operation], outputs: Mapping[str, str]) -> dict[str, tf.Tensor]:
    """The tensors by name; a node's second and later ones are called `name:1` and so on."""
    found = {}
    for name, operation in operations.items():
        index = outputs[name].partition(":")[2]
        if index and int(index) >= len(operation.outputs):
            raise LoadError(f"it has no tensor {name}, which outputs in model.toml asks for")
        if index:
            found[name] = operation.outputs[int(index)]
        else:
            found.update({f"{name}:{number}" if number else name: tensor for number, tensor in _sendable(operation)})
    return found


def _sendable(operation: tf.Operation) -> Sequence[tuple[int, tf.Tensor]]:
    return [(number, tensor) for number, tensor in enumerate(operation.outputs) if tensor.dtype not in HANDLES]


def refuse_unknown_operations(part: Any) -> None:
    """Raise LoadError where a GraphDef has operations that this TensorFlow does not."""
    functions = part.library.function
    used = {node.op for node in part.node}.union(*({node.op for node in body.node_def} for body in functions))
    own = {function.signature.name for function in functions}
    unknown = sorted(op for op in used - own if not hasattr(tf.raw_ops, op))
    if unknown:
        raise LoadError(
            f"it needs {', '.join(unknown)}, which TensorFlow {tf.__version__} does not have: operations of an add-on "
            "library, or of a TensorFlow that is newer or long gone"
        )
