"""A loaded model: one class for all formats, from arrays to arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
import tensorflow as tf

from model_store.batching import Batching
from model_store.errors import OutOfMemory, PredictError, WarmUpError
from model_store.program import Program, one_line
from model_store.signature import TensorSpec, check_inputs
from model_store.spec import ImageSpec, ModelSpec
from model_store.store import StoredModel
from model_store.warm_up import OPEN_SIZES, observed_outputs, row_outputs, trial_inputs, with_fixed_rows

Arrays = Mapping[str, np.ndarray]


class Model:
    """A model that predicts, from any thread.

    Attributes:
        name: Its name in the store.
        version: The version that was loaded.
        format: "frozen_graph", "saved_model" or "keras".
        signature: Its inputs and the outputs wanted; `warm_up` adds what only a run can show.
        spec: What its model.toml says.
        image: How a picture becomes the input `image.input`; None when the model takes no pictures.
        row_outputs: Names of the outputs with one entry a row on axis 0.
        batching: How many rows are worth giving to it at once; one row until `warm_up` has found out.
    """

    def __init__(self, stored: StoredModel, program: Program, spec: ModelSpec, image: ImageSpec | None) -> None:
        self.name = stored.name
        self.version = stored.version
        self.format = program.format
        self.signature = program.signature
        self.spec = spec
        self.image = image
        self.row_outputs = frozenset(name for name, spec in self.signature.outputs.items() if _has_open_rows(spec))
        self.batching = Batching()
        self._program = program

    @property
    def takes_many_rows(self) -> bool:
        """Whether the rows of several jobs can share one call, whose outputs can then be divided among them."""
        has_only_rows = self.signature.row_inputs == set(self.signature.inputs)
        gives_only_rows = self.row_outputs == set(self.signature.outputs)
        return has_only_rows and gives_only_rows and self.signature.fixed_rows is None

    def describe(self) -> dict[str, Any]:
        """The model's card, of JSON values."""
        return {
            "name": self.name,
            "version": self.version,
            "format": self.format,
            "kind": self.spec.kind,
            "signature": self.signature.to_json(),
            "takes_pictures": self.image is not None,
            "labels": self.spec.labels is not None,
            "batching": self.batching.to_json(),
        }

    def predict(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Run the model once.

        Args:
            inputs: An array for each input, with as many rows on axis 0 as all others; dtypes are cast where no
                value can change.

        Returns:
            An array for each output. Strings come as numpy's `U` dtype, decoded as UTF-8.

        Raises:
            InvalidInput: The arrays do not fit the signature.
            PredictError: The model failed, or gave another number of rows than it was given.
            OutOfMemory: Its device's or the process's memory did not suffice.
        """
        rows = check_inputs(self.signature, {name: TensorSpec.of(array) for name, array in inputs.items()})
        outputs = self._run(inputs)
        for name in self.row_outputs:
            if outputs[name].shape[:1] != (rows,):
                raise PredictError(
                    f"{self.name} gave an output {name} of shape {outputs[name].shape} for {rows} rows of input."
                )
        return outputs

    def warm_up(self) -> float:
        """Run the model on zeros, so that the first job does not pay for TensorFlow's preparations.

        Returns:
            Milliseconds that one row takes once prepared.

        Raises:
            WarmUpError: The model cannot run.
        """
        inputs, outputs = self._first_run()
        started_s = perf_counter()
        self._run(inputs)
        row_ms = (perf_counter() - started_s) * 1000
        self.signature = replace(self.signature, outputs=observed_outputs(self.signature.outputs, outputs))
        self._try_two_rows(inputs, outputs)
        return row_ms

    def _first_run(self) -> tuple[Arrays, Arrays]:
        reasons = []
        for open_size in OPEN_SIZES:
            inputs = trial_inputs(self.signature, self.image, open_size)
            try:
                return inputs, self._run(inputs)
            except PredictError as error:
                reasons.append(str(error))
        shapes = ", ".join(f"{name} {array.shape}" for name, array in inputs.items())
        raise WarmUpError(f"{self.name} was loaded but cannot run. Tried on zeros, {shapes}: {reasons[-1]}")

    def _try_two_rows(self, one: Arrays, outputs: Arrays) -> None:
        names = self.signature.row_inputs
        if not names or self.signature.fixed_rows is not None:
            self.row_outputs = frozenset()
            return
        two = {name: np.repeat(array, 2, axis=0) if name in names else array for name, array in one.items()}
        try:
            self.row_outputs = row_outputs(outputs, self._run(two))
        except PredictError:
            self.row_outputs = frozenset()
            self.signature = replace(self.signature, inputs=with_fixed_rows(self.signature.inputs, 1, names))

    def _run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        try:
            tensors = {name: _to_tensor(inputs[name], spec) for name, spec in self.signature.inputs.items()}
            outputs = self._program.run(tensors)
            return {name: _to_array(outputs[name]) for name in self.signature.outputs}
        except (MemoryError, tf.errors.ResourceExhaustedError) as error:
            raise OutOfMemory(f"{self.name} ran out of memory: {one_line(error)}.") from None
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise PredictError(f"{self.name} failed on these inputs: {one_line(error)}.") from None


def _has_open_rows(spec: TensorSpec) -> bool:
    return spec.shape is not None and spec.shape[:1] == (None,)


def _to_tensor(array: np.ndarray, spec: TensorSpec) -> tf.Tensor:
    return tf.constant(array if spec.dtype == "string" else array.astype(spec.dtype, copy=False))


def _to_array(tensor: tf.Tensor) -> np.ndarray:
    array = tensor.numpy()
    if tensor.dtype != tf.string:
        return np.asarray(array)
    return np.array([text.decode("utf-8", "replace") for text in np.ravel(array)], dtype=str).reshape(tensor.shape)
