"""One call of a program with arrays: what TensorFlow raises becomes a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from model_store.byte_strings import as_text
from model_store.errors import OutOfMemory, PredictError
from model_store.program import Program, one_line
from model_store.signature import Signature, TensorSpec

Arrays = Mapping[str, np.ndarray]


def call_program(
    name: str, program: Program, signature: Signature, inputs: Arrays, before_call: Callable[[], None]
) -> dict[str, np.ndarray]:
    """Run a program once.

    Args:
        name: What errors call the model.
        program: What is run.
        signature: The inputs that it takes and the outputs wanted.
        inputs: An array for each input; dtypes are cast.
        before_call: Called once the inputs are ready, on this thread.

    Raises:
        PredictError: It failed.
        OutOfMemory: Its device's or the process's memory did not suffice.
    """
    try:
        tensors = {key: _to_tensor(inputs[key], spec) for key, spec in signature.inputs.items()}
        before_call()
        outputs = program.run(tensors)
        return {key: _to_array(outputs[key]) for key in signature.outputs}
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise OutOfMemory(f"{name} ran out of memory: {one_line(error)}.") from None
    except (tf.errors.OpError, ValueError, TypeError) as error:
        raise PredictError(f"{name} failed on these inputs: {one_line(error)}.") from None


def _to_tensor(array: np.ndarray, spec: TensorSpec) -> tf.Tensor:
    return tf.constant(array if spec.dtype == "string" else array.astype(spec.dtype, copy=False))


def _to_array(tensor: tf.Tensor) -> np.ndarray:
    array = tensor.numpy()
    return as_text(np.array(array, dtype=object)) if tensor.dtype == tf.string else np.asarray(array)
