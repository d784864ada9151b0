"""A loaded model: one class for all formats, from arrays to arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from model_store.batch_trial import best_ms, find_batching, warm_rows
from model_store.batching import Batching, fixed_batching, limited_by_bytes
from model_store.errors import OutOfMemory, PredictError, VariantUnfit, WarmUpError
from model_store.program import Program, one_line
from model_store.row_calls import divide, fit_together, join
from model_store.row_trial import find_rows
from model_store.signature import TensorSpec, check_inputs
from model_store.spec import ImageSpec, ModelSpec
from model_store.store import StoredModel
from model_store.trial_calls import accepted, trial_calls
from model_store.trial_rows import COMPARED_ROWS, compared_rows
from model_store.tuner import Bench, keep, recall, tune
from model_store.tuning import Tuning
from model_store.tuning_plan import TuningPlan
from model_store.tuning_trial import Prepare
from model_store.warm_up import OPEN_SIZES, observed_outputs, trial_inputs, varied_rows

Arrays = Mapping[str, np.ndarray]

# Enough for rows to differ, and soon computed also where a row takes seconds.
VARIED_ROWS = 2
# Where a call takes no longer, variants are compared on more rows than these.
SHORT_CALL_MS = 20.0


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
        tuning: Which way of running it was found to be the fastest; the plain one until `warm_up` was given a plan.
        tuning_file: Where that was kept; None where it was not, or was found by an earlier start.
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
        self.tuning = Tuning()
        self.tuning_file: Path | None = None
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
            "tuning": self.tuning.describe(),
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

    def warm_up(self, plan: TuningPlan | None = None) -> float:
        """Run the model on trial inputs: the first job then does not pay for preparations, and batches have a size.

        Args:
            plan: How the fastest way to run it is found; without one it is run as it was opened.

        Returns:
            Milliseconds that one call takes once prepared, of one row unless the model takes another number only.

        Raises:
            WarmUpError: The model cannot run, or not as the `[batching]` or `[tuning]` of its model.toml says.
        """
        kept = self._take_kept(plan)
        inputs, outputs = self._first_run()
        call_ms = self._call_ms(inputs)
        signature = replace(self.signature, outputs=observed_outputs(self.signature.outputs, outputs))
        rows = find_rows(self._run, signature, inputs, outputs)
        self.signature, self.row_outputs, self._fixed_rows = rows.signature, rows.outputs, rows.in_a_call
        if kept is not None:
            self._use_kept(kept, inputs)
        elif plan is not None and plan.looks(self.spec.tuning):
            self._tune(plan, inputs, call_ms)
            call_ms = self._call_ms(inputs)
        else:
            self.batching = self._find_batching(inputs, call_ms)
        self._is_divided = self._fixed_rows is not None or self.takes_many_rows
        return call_ms

    def _take_kept(self, plan: TuningPlan | None) -> Tuning | None:
        """Run from now on as an earlier start has found best, where one has and that still runs."""
        opened = self._program
        found = None if plan is None else recall(opened, self.spec, plan)
        if found is None:
            return None
        try:
            self._program, tuning = found
            self._first_run()
        except WarmUpError:
            self._program = opened
            return None
        return tuning

    def _use_kept(self, kept: Tuning, inputs: Arrays) -> None:
        self.tuning, self.batching = kept, kept.batching
        if self.takes_many_rows:
            warm_rows(self._prepare_trial(inputs), kept.warm_rows)

    def _tune(self, plan: TuningPlan, inputs: Arrays, call_ms: float) -> None:
        spec, opened = self.spec.tuning, self._program
        bench = self._bench(inputs, call_ms)
        try:
            self._program, self.tuning = tune(bench, spec.variant, plan.limit_for(spec))
        except VariantUnfit as error:
            reason = f"{self.name} {error}; leave it out, or say auto"
            raise WarmUpError(f"{self.spec.file}: tuning.variant cannot be {spec.variant}: {reason}.") from None
        self.batching = self.tuning.batching
        self.tuning_file = keep(opened, self.spec, plan, self.tuning)

    def _bench(self, inputs: Arrays, call_ms: float) -> Bench:
        names = self.signature.row_inputs
        given_rows = next((len(inputs[name]) for name in names), 1)
        only_rows = self._fixed_rows or (None if self.takes_many_rows else given_rows)
        many = COMPARED_ROWS if call_ms < SHORT_CALL_MS else VARIED_ROWS
        source = accepted(self._run, compared_rows(inputs, names, only_rows or many), inputs)
        # What was found out of the rows is so for the program too, but where it takes a fixed number of them.
        takes_found = self._fixed_rows is None
        return Bench(
            program=replace(self._program, signature=self.signature) if takes_found else self._program,
            prepare=lambda program: trial_calls(lambda arrays: self._run(arrays, program), source, names),
            find_batching=lambda program: self._find_batching(inputs, self._call_ms(inputs, program), program),
            call_ms=call_ms,
            rows=only_rows,
            may_pad=self.spec.batching.sizes is None,
            has_open_sizes=self._has_open_sizes(),
        )

    def _call_ms(self, inputs: Arrays, program: Program | None = None) -> float:
        return best_ms(lambda: self._run(inputs, program))

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

    def _find_batching(self, inputs: Arrays, call_ms: float, program: Program | None = None) -> Batching:
        spec = self.spec.batching
        if self._fixed_rows is not None:
            if spec.sizes and spec.sizes != (self._fixed_rows,):
                raise WarmUpError(f"{self._batching_key('sizes')} can only be [{self._fixed_rows}], the rows it takes.")
            return fixed_batching(spec, self._fixed_rows, call_ms)
        if self.takes_many_rows:
            batching = find_batching(spec, self._prepare_trial(inputs, program))
            is_measured = spec.max_batch_size is None and not spec.sizes
            return limited_by_bytes(batching, _bytes(inputs)) if is_measured and self._has_open_sizes() else batching
        if (spec.max_batch_size or 1) > 1 or spec.sizes:
            key = self._batching_key("max_batch_size" if spec.max_batch_size else "sizes")
            raise WarmUpError(f"{key} must be left out: its inputs and outputs do not all have rows to share a call.")
        return Batching()

    def _has_open_sizes(self) -> bool:
        return any(spec.shape is None or None in spec.shape[1:] for spec in self.signature.inputs.values())

    def _batching_key(self, key: str) -> str:
        return f"{self.spec.file}: batching.{key} does not fit {self.name}; it"

    def _prepare_trial(self, inputs: Arrays, program: Program | None = None) -> Prepare:
        """For trials on rows that vary, as zeros can be faster or slower; on those given where the model refuses."""
        names = self.signature.row_inputs
        source = accepted(self._run, varied_rows(inputs, names, VARIED_ROWS), inputs)
        return trial_calls(lambda arrays: self._run(arrays, program), source, names)

    def _run(self, inputs: Arrays, program: Program | None = None) -> dict[str, np.ndarray]:
        try:
            tensors = {name: _to_tensor(inputs[name], spec) for name, spec in self.signature.inputs.items()}
            self.before_call()
            outputs = (program or self._program).run(tensors)
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
