"""A program from a concrete function of TensorFlow's: tensors by name in and out, however the function nests them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from model_store.errors import LoadError
from model_store.program import Program, Run, tensor_spec
from model_store.signature import Signature, TensorSpec

# How the names of operators begin that change what later calls give: they write variables, tables or files.
WRITERS = (
    "Assign",
    "Apply",
    "LookupTableImport",
    "LookupTableInsert",
    "LookupTableRemove",
    "ResourceApply",
    "ResourceScatter",
    "ResourceSparseApply",
    "Restore",
    "Save",
    "SparseApply",
    "WriteFile",
)


def concrete_program(function: Any, owner: Any) -> Program:
    """Make a SavedModel's function callable with tensors by name.

    A signature's function takes its inputs by their names and gives a dictionary. Any other may take them one after
    the other or nested, beside Python values such as `training=False`, which stay as they were traced. Its outputs are
    named by their keys and places, as TensorFlow names those of signatures: `output_0` where there is only one.

    Raises:
        LoadError: It takes or gives something else than dense tensors, or gives nothing.
    """
    if function.structured_input_signature is None:
        raise LoadError("it does not say what it takes")
    arguments, named = function.structured_input_signature
    gives = function.structured_outputs
    leaves = tf.nest.flatten((arguments, named))
    takes_names = not arguments and all(isinstance(leaf, tf.TensorSpec) for leaf in named.values())
    names = sorted(named) if takes_names else _input_names(leaves)
    inputs = {name: tensor_spec(name, leaf) for name, leaf in zip(names, leaves, strict=True) if name}
    outputs = {name: _output_spec(name, leaf) for name, leaf in _named_leaves(gives)}
    if not outputs:
        raise LoadError("it gives no tensor")
    is_flat = takes_names and isinstance(gives, Mapping) and set(gives) == set(outputs)
    run = _flat_run(function, named) if is_flat else _nested_run(function, leaves, names)
    return Program("saved_model", Signature(inputs, outputs), run, owner, function)


def changes_state(function: Any) -> bool:
    """Whether a call of a concrete function may change what later calls give, as one that trains the model does."""
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for nested in graph.library.function for node in nested.node_def)]
    return any(node.op.startswith(WRITERS) for node in nodes)


def _input_names(leaves: Sequence[Any]) -> list[str | None]:
    """A name for each tensor among what a function takes, unique; None for Python values."""
    names: list[str | None] = []
    for index, leaf in enumerate(leaves):
        if not isinstance(leaf, tf.TypeSpec):
            names.append(None)
            continue
        if not isinstance(leaf, tf.TensorSpec):
            raise LoadError(f"its input {index + 1} is a {_kind(leaf)}, and only dense tensors can be sent")
        names.append(leaf.name if leaf.name and leaf.name not in names else f"input_{index}")
    return names


def _output_spec(name: str, leaf: Any) -> TensorSpec:
    if not isinstance(leaf, tf.Tensor | tf.TensorSpec):
        raise LoadError(f"its output {name!r} is a {_kind(leaf)}, and only dense tensors can be answered")
    return tensor_spec(name, leaf)


def _kind(leaf: Any) -> str:
    return type(leaf).__name__.removesuffix("Spec")


def _named_leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """What is not nested any more, each with the keys and places that lead to it; dictionaries in sorted order."""
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield from _named_leaves(value[key], f"{name}/{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _named_leaves(item, f"{name or 'output'}_{place}")
    elif value is not None:
        yield name or "output_0", value


def _flat_run(function: Any, named: Mapping[str, tf.TensorSpec]) -> Run:
    # TensorFlow makes a Python name of any other, and would say so with each call.
    keywords = {name: name if name.isidentifier() else spec.name for name, spec in named.items()}
    if all(name == keyword for name, keyword in keywords.items()):
        return lambda tensors: function(**tensors)
    return lambda tensors: function(**{keywords[name]: tensor for name, tensor in tensors.items()})


def _nested_run(function: Any, leaves: Sequence[Any], names: Sequence[str | None]) -> Run:
    def run(tensors: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        given = [tensors[name] if name else leaf for name, leaf in zip(names, leaves, strict=True)]
        arguments, named = tf.nest.pack_sequence_as(function.structured_input_signature, given)
        return dict(_named_leaves(function(*arguments, **named)))

    return run
