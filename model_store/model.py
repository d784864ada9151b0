"""A loaded model: one class for all formats, from arrays to arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from time import perf_counter
from typing import Any

import numpy as np
import tensorflow as tf

from model_store.batch_trial import Prepare, find_batching
from model_store.batching import Batching, fixed_batching, limited_by_bytes
from model_store.encoded_pictures import possible_wraps, takes_files
from model_store.errors import OutOfMemory, PredictError, WarmUpError
from model_store.program import Program, one_line
from model_store.row_calls import divide, fit_together, join
from model_store.row_trial import find_rows
from model_store.signature import TensorSpec, check_inputs
from model_store.spec import ImageSpec, ModelSpec
from model_store.store import StoredModel
from model_store.uneven_rows import even
from model_store.warm_up import OPEN_SIZES, observed_outputs, repeated_rows, trial_inputs, varied_rows

Arrays = Mapping[str, np.ndarray]

# Enough for rows to differ, and soon computed also where a row takes seconds.
VARIED_ROWS = 2
# A call decodes these at once, and their files do not tell how large they will be.
MOST_FILES = 4
# The trials of a batch shall not be what ends a process.
MAX_TRIAL_BYTES = 268_435_456


class Model:
    """A model that predicts, from any thread.

    Attributes:
        name: Its name in the store.
        version: The version that was loaded.
        format: "frozen_graph", "saved_model" or "keras".
        signature: The inputs that `predict` takes and the outputs wanted; `warm_up` adds what only a run can show.
        spec: What its model.toml says.
        image: How a picture becomes the input `image.input`; None when the model takes no pictures.
        row_outputs: Names of the outputs with one entry a row on axis 0.
        batching: How many rows are worth giving to it at once; one row until `warm_up` has found out.
        before_call: Called before each call of the program, on its thread; somebody may want to know that it lives.
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
        self.before_call: Callable[[], None] = _nothing
        self._program = program
        self._fixed_rows: int | None = None
        self._is_divided = False

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
        """Run the model, once or, where it has more rows than `batching` allows for a call, as often as they need.

        Args:
            inputs: An array for each input, with as many rows on axis 0 as all others; dtypes are cast where no
                value can change.

        Returns:
            An array for each output; those in `row_outputs` have the rows of the inputs on axis 0. Strings come as
            numpy's `U` dtype, decoded as UTF-8.

        Raises:
            InvalidInput: The arrays do not fit the signature.
            PredictError: The model failed, or gave another number of rows than it was given.
            OutOfMemory: Its device's or the process's memory did not suffice.
        """
        rows = check_inputs(self.signature, {name: TensorSpec.of(array) for name, array in inputs.items()})
        if not self._is_divided or self.batching.is_one_call(rows):
            return self._run_rows(inputs, rows)
        calls = divide(inputs, self.signature.row_inputs, rows, self.batching)
        parts = [self._run_rows(call_inputs, call_rows) for call_rows, call_inputs in calls]
        return self._join(parts, inputs, rows)

    def _join(self, parts: list[dict[str, np.ndarray]], inputs: Arrays, rows: int) -> dict[str, np.ndarray]:
        if self.spec.kind == "detector":
            parts = even(parts)
        if fit_together(parts):
            return join(parts, rows)
        if self._fixed_rows is None:
            return self._run_rows(inputs, rows)
        raise PredictError(
            f"{self.name} gave outputs of other shapes in each of the {len(parts)} calls that {rows} rows need, which "
            f"cannot be joined; send at most {self._fixed_rows} in a job."
        )

    def _run_rows(self, inputs: Arrays, rows: int) -> dict[str, np.ndarray]:
        outputs = self._run(inputs)
        for name in self.row_outputs:
            if outputs[name].shape[:1] != (rows,):
                raise PredictError(
                    f"{self.name} gave an output {name} of shape {outputs[name].shape} for {rows} rows of input."
                )
        return outputs

    def warm_up(self) -> float:
        """Run the model on trial inputs: the first job then does not pay for preparations, and batches have a size.

        Returns:
            Milliseconds that one call takes once prepared, of one row unless the model takes another number only.

        Raises:
            WarmUpError: The model cannot run, or not as the `[batching]` of its model.toml says.
        """
        inputs, outputs = self._first_run()
        started_s = perf_counter()
        self._run(inputs)
        call_ms = (perf_counter() - started_s) * 1000
        signature = replace(self.signature, outputs=observed_outputs(self.signature.outputs, outputs))
        rows = find_rows(self._run, signature, inputs, outputs)
        self.signature, self.row_outputs, self._fixed_rows = rows.signature, rows.outputs, rows.in_a_call
        self.batching = self._find_batching(inputs, call_ms)
        self._is_divided = self._fixed_rows is not None or self.takes_many_rows
        return call_ms

    def _first_run(self) -> tuple[Arrays, Arrays]:
        reasons = []
        for image, open_size in product(self._possible_images(), OPEN_SIZES):
            inputs = trial_inputs(self.signature, image, open_size)
            try:
                outputs = self._run(inputs)
            except PredictError as error:
                reasons.append(str(error))
            else:
                self.image = image
                return inputs, outputs
        shapes = ", ".join(f"{name} {array.shape}" for name, array in inputs.items())
        raise WarmUpError(f"{self.name} was loaded but cannot run. Tried on zeros, {shapes}: {reasons[-1]}")

    def _possible_images(self) -> list[ImageSpec | None]:
        """How pictures may become the input: the one way, or for one that takes their files those to be tried."""
        if self.image is None or not self._takes_files():
            return [self.image]
        return [replace(self.image, wrap=wrap) for wrap in possible_wraps(self.image)]

    def _takes_files(self) -> bool:
        """Whether it decodes pictures itself."""
        if self.image is None or self.image.input is None:
            return False
        return takes_files(self.signature.inputs[self.image.input])

    def _find_batching(self, inputs: Arrays, call_ms: float) -> Batching:
        spec = self.spec.batching
        if self._fixed_rows is not None:
            if spec.sizes and spec.sizes != (self._fixed_rows,):
                raise WarmUpError(f"{self._batching_key('sizes')} can only be [{self._fixed_rows}], the rows it takes.")
            return fixed_batching(spec, self._fixed_rows, call_ms)
        if self.takes_many_rows:
            is_measured = spec.max_batch_size is None and not spec.sizes
            if is_measured and self._takes_files():
                spec = replace(spec, max_batch_size=MOST_FILES)
            batching = find_batching(spec, self._prepare_trial(inputs))
            return limited_by_bytes(batching, _bytes(inputs)) if is_measured and self._has_open_sizes() else batching
        if (spec.max_batch_size or 1) > 1 or spec.sizes:
            key = self._batching_key("max_batch_size" if spec.max_batch_size else "sizes")
            raise WarmUpError(f"{key} must be left out: its inputs and outputs do not all have rows to share a call.")
        return Batching()

    def _has_open_sizes(self) -> bool:
        return any(spec.shape is None or None in spec.shape[1:] for spec in self.signature.inputs.values())

    def _batching_key(self, key: str) -> str:
        return f"{self.spec.file}: batching.{key} does not fit {self.name}; it"

    def _prepare_trial(self, inputs: Arrays) -> Prepare:
        """For trials on rows that vary, as zeros can be faster or slower; on those given where the model refuses."""
        names = self.signature.row_inputs
        source = varied_rows(inputs, names, VARIED_ROWS)
        try:
            self._run(source)
        except PredictError:
            source = inputs

        def prepare(rows: int) -> Callable[[], Arrays]:
            if rows * _bytes(inputs) > MAX_TRIAL_BYTES:
                raise OutOfMemory(f"{self.name} is tried with {MAX_TRIAL_BYTES} bytes at most.")
            rows_of_source = repeated_rows(source, names, rows)
            return lambda: self._run(rows_of_source)

        return prepare

    def _run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        try:
            tensors = {name: _to_tensor(inputs[name], spec) for name, spec in self.signature.inputs.items()}
            self.before_call()
            outputs = self._program.run(tensors)
            return {name: _to_array(outputs[name]) for name in self.signature.outputs}
        except (MemoryError, tf.errors.ResourceExhaustedError) as error:
            raise OutOfMemory(f"{self.name} ran out of memory: {one_line(error)}.") from None
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise PredictError(f"{self.name} failed on these inputs: {one_line(error)}.") from None


def _nothing() -> None:
    pass


def _bytes(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays.values())


def _has_open_rows(spec: TensorSpec) -> bool:
    return spec.shape is not None and spec.shape[:1] == (None,)


def _to_tensor(array: np.ndarray, spec: TensorSpec) -> tf.Tensor:
    return tf.constant(array if spec.dtype == "string" else array.astype(spec.dtype, copy=False))


def _to_array(tensor: tf.Tensor) -> np.ndarray:
    array = tensor.numpy()
    if tensor.dtype != tf.string:
        return np.asarray(array)
    return np.array([text.decode("utf-8", "replace") for text in np.ravel(array)], dtype=str).reshape(tensor.shape)
