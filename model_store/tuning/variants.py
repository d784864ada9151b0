"""The ways to run an opened model: called directly, with its weights folded in, compiled by XLA. Each is a program."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from model_store.errors import VariantUnfit
from model_store.program import Program, Run, one_line
from model_store.signature import Signature

Call = Callable[..., list[tf.Tensor]]

# Constants are kept several times over while a graph is made of them, and a graph may have 2 GB.
MOST_FOLDED_BYTES = 268_435_456
# As measured on a slow core (models of 19 to 1,100 operations), to skip what there is no time for.
FOLDING_NODE_S = 0.0015
FOLDING_BYTE_S = 5e-9
COMPILING_NODE_S = 0.004
COMPILING_S = 0.2


@dataclass(frozen=True)
class Traced:
    """A program as one graph.

    Attributes:
        program: The program that it was made of.
        function: The graph, from the inputs to the outputs in the signature's order.
        nodes: How many operations it has, in all its functions.
    """

    program: Program
    function: Any
    nodes: int

    @property
    def weight_bytes(self) -> int:
        """Bytes of the variables that it reads."""
        return sum(variable.shape.num_elements() * variable.dtype.size for variable in self.function.variables)

    @property
    def folding_s(self) -> float:
        """About what `fold` takes."""
        return FOLDING_NODE_S * self.nodes + FOLDING_BYTE_S * self.weight_bytes

    @property
    def compiling_s(self) -> float:
        """About what XLA takes for each shape."""
        return COMPILING_S + COMPILING_NODE_S * self.nodes


def trace(program: Program) -> Traced:
    """Make one graph of a program; raises VariantUnfit where it cannot be one."""
    with _refusals("cannot be made into one graph"):
        function = _graph_of(_positional(program.run, program.signature), program.signature)
        graph_def = function.graph.as_graph_def()
    return Traced(program, function, len(graph_def.node) + sum(len(f.node_def) for f in graph_def.library.function))


def call_directly(traced: Traced) -> Program:
    """The same graph, called as an operation: Python's part of a TensorFlow function costs 0.2 ms a call."""
    return replace(traced.program, run=_direct_run(traced.function, traced.program.signature))


def fold(traced: Traced) -> Program:
    """The graph with the values of its variables for constants, which TensorFlow then computes with in advance.

    Raises:
        VariantUnfit: It has no variables, changes them, or has too many.
    """
    if not traced.function.variables:
        raise VariantUnfit("has no variables to fold: its weights are constants already")
    if traced.weight_bytes > MOST_FOLDED_BYTES:
        raise VariantUnfit(
            f"has {traced.weight_bytes >> 20} MiB of weights, and at most {MOST_FOLDED_BYTES >> 20} are folded"
        )
    signature = traced.program.signature
    with _refusals("cannot be folded"):
        frozen = convert_variables_to_constants_v2(traced.function, lower_control_flow=False)
        function = _graph_of(_fed_by_name(frozen, traced.function, len(signature.inputs)), signature)
    # The variables are of no use any more, so their owner is let go, unless it has tables too.
    owner = traced.program.owner if function.captured_inputs else None
    return replace(traced.program, run=_direct_run(function, signature), owner=owner, function=None)


def _fed_by_name(frozen: Any, function: Any, inputs: int) -> Call:
    """Calls a folded function, which takes the tables that the function reads as further inputs, in some order."""
    places = {tensor.name: place for place, tensor in enumerate(function.inputs[:inputs])}
    captured = {inner.name: outer for outer, inner in function.graph.captures}
    names = [tensor.name for tensor in frozen.inputs]

    def call(*tensors: tf.Tensor) -> list[tf.Tensor]:
        outputs: list[tf.Tensor] = frozen(
            *(tensors[places[name]] if name in places else captured[name] for name in names)
        )
        return outputs

    return call


def compile_by_xla(program: Program) -> Program:
    """The program compiled anew for each shape that it is called with; the first call with one shows whether it can be.

    Raises:
        VariantUnfit: It cannot be made into one graph.
    """
    signature = program.signature
    with _refusals("cannot be compiled by XLA"):
        compiled = _graph_of(_positional(program.run, signature), signature, jit_compile=True)
        # Called as an operation, the compiled function itself would run without being compiled.
        function = _graph_of(lambda *tensors: compiled(*tensors), signature)
    return replace(program, run=_direct_run(function, signature))


def divide_by_rows(compiled: Program, base: Program, row_input: str | None, sizes: Collection[int]) -> Program:
    """A program that runs `compiled` for the numbers of rows in `sizes`, and `base` for all others.

    Args:
        compiled: Has been called with each of the sizes.
        base: What it was made of.
        row_input: An input whose axis 0 counts rows; None for a model without rows, which is always `compiled`.
        sizes: Numbers of rows.
    """
    if row_input is None:
        return compiled
    fast, other = compiled.run, base.run

    def run(tensors: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        return (fast if tensors[row_input].shape[0] in sizes else other)(tensors)

    return replace(base, run=run)


def _positional(run: Run, signature: Signature) -> Call:
    def call(*tensors: tf.Tensor) -> list[tf.Tensor]:
        outputs = run(dict(zip(signature.inputs, tensors, strict=True)))
        return [outputs[name] for name in signature.outputs]

    return call


def _graph_of(call: Call, signature: Signature, jit_compile: bool | None = None) -> Any:
    specs = [tf.TensorSpec(spec.shape, tf.as_dtype(spec.dtype)) for spec in signature.inputs.values()]
    return tf.function(call, input_signature=specs, autograph=False, jit_compile=jit_compile).get_concrete_function()


def _direct_run(function: Any, signature: Signature) -> Run:
    names, output_names = tuple(signature.inputs), tuple(signature.outputs)
    captured = list(function.captured_inputs)
    dtypes = [tensor.dtype for tensor in function.outputs]

    def run(tensors: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        arguments = [*(tensors[name] for name in names), *captured]
        outputs = tf.raw_ops.StatefulPartitionedCall(args=arguments, Tout=dtypes, f=function)
        return dict(zip(output_names, outputs, strict=True))

    return run


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    try:
        yield
    except VariantUnfit:
        raise
    # TensorFlow raises errors of many kinds for graphs that it cannot transform.
    except Exception as error:
        raise VariantUnfit(f"{what}: {one_line(error)}") from None
