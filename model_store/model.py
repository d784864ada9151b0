"""A loaded model: one class for all formats, from arrays to arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from model_store.byte_strings import as_text
from model_store.errors import InvalidInput, OutOfMemory, PredictError, VariantUnfit, WarmUpError
from model_store.other_signatures import warm_up_others
from model_store.pictures.encoded import possible_wraps, takes_files
from model_store.program import Program, one_line
from model_store.rows.batch_trial import SEARCH_S, best_ms, find_batching, warm_rows
from model_store.rows.batching import Batching, fixed_batching, limited_by_bytes
from model_store.rows.calls import divide, fit_together, join
from model_store.rows.trial import find_rows, gives_the_same
from model_store.rows.uneven import even
from model_store.signature import Signature, TensorSpec, check_inputs
from model_store.spec import ImageSpec, ModelSpec
from model_store.store import StoredModel
from model_store.tuning.choice import Tuning
from model_store.tuning.plan import TuningPlan
from model_store.tuning.trial import Prepare
from model_store.tuning.trial_calls import accepted, trial_calls
from model_store.tuning.trial_rows import COMPARED_ROWS, compared_rows
from model_store.tuning.tuner import Bench, keep, recall, tune
from model_store.warm_up import observed_outputs, trials, varied_rows

Arrays = Mapping[str, np.ndarray]

# Enough for rows to differ, and soon computed also where a row takes seconds.
VARIED_ROWS = 2
# A call decodes these at once, and their files do not tell how large they will be.
MOST_FILES = 4
# Where a call takes no longer, variants are compared on more rows than these.
SHORT_CALL_MS = 20.0


class Model:
    """A model by one of its signatures, that predicts, from any thread. By the default one it knows the others.

    Attributes:
        name: Its name in the store.
        version: The version that was loaded.
        format: "frozen_graph", "saved_model" or "keras".
        signature_name: What the file calls the signature.
        changes_state: Whether a call may change what later calls give; only known where there are several signatures.
        signature: The inputs that `predict` takes and the outputs wanted; `warm_up` adds what only a run can show.
        spec: What its model.toml says.
        image: How a picture becomes the input `image.input`; None when the model takes no pictures.
        row_outputs: Names of the outputs with one entry a row on axis 0; none until `warm_up` has found out.
        takes_many_rows: Whether the rows of several jobs can share one call, whose outputs can then be divided among
            them; not until `warm_up` has found out.
        batching: How many rows are worth giving to it at once; one row until `warm_up` has found out.
        tuning: Which way of running it was found to be the fastest; the plain one until `warm_up` was given a plan.
        tuning_file: Where that was kept; None where it was not, or was found by an earlier start.
        before_call: Called before each call of the program, on its thread; somebody may want to know that it lives.
    """

    def __init__(
        self,
        stored: StoredModel,
        program: Program,
        spec: ModelSpec,
        image: ImageSpec | None,
        others: Mapping[str, Model] | None = None,
        search_s: float = SEARCH_S,
    ) -> None:
        self.name = stored.name
        self.version = stored.version
        self.format = program.format
        self.signature_name = program.signature_name
        self.changes_state = program.changes_state
        self.signature = program.signature
        self.spec = spec
        self.image = image
        self.row_outputs: frozenset[str] = frozenset()
        self.takes_many_rows = False
        self.batching = Batching()
        self.tuning = Tuning()
        self.tuning_file: Path | None = None
        self.before_call: Callable[[], None] = _nothing
        self._program = program
        self._fixed_rows: int | None = None
        self._is_divided = False
        self._search_s = search_s
        self._others = dict(others or {})
        for other in self._others.values():
            other.before_call = lambda: self.before_call()

    def describe(self) -> dict[str, Any]:
        """The model's card, of JSON values."""
        return {
            "name": self.name,
            "version": self.version,
            "format": self.format,
            "kind": self.spec.kind,
            "signature": self.signature.to_json(),
            "default_signature": self.signature_name,
            "signatures": {name: model._describe_signature() for name, model in self._by_name().items()},
            "refused_signatures": dict(self._program.refused),
            "takes_pictures": self.image is not None,
            "labels": self.spec.labels is not None,
            "batching": self.batching.to_json(),
            "tuning": self.tuning.describe(),
        }

    def _describe_signature(self) -> dict[str, Any]:
        return {**self.signature.to_json(), "kind": self.spec.kind, "takes_pictures": self.image is not None}

    def with_signature(self, name: str | None) -> Model:
        """The same model by another signature, or itself for None, an empty name and its own.

        Raises:
            InvalidInput: The file has no such signature, or it cannot be served.
        """
        found = self._by_name().get(name) if name else self
        if found is None:
            raise InvalidInput("signature", f"one of {', '.join(self._by_name())}", repr(str(name)[:80]))
        return found

    @property
    def most_rows(self) -> int:
        """Most rows worth giving to it at once by any of its signatures."""
        return max(model.batching.max_rows for model in self._by_name().values())

    def _by_name(self) -> dict[str, Model]:
        return {self.signature_name: self, **self._others}

    def predict(self, inputs: Arrays, signature: str | None = None) -> dict[str, np.ndarray]:
        """Run the model, once or, where it has more rows than `batching` allows for a call, as often as they need.

        Args:
            inputs: An array for each input, with as many rows on axis 0 as all others; dtypes are cast where no
                value can change.
            signature: The name of the one to run; None is this one.

        Returns:
            An array for each output; those in `row_outputs` have the rows of the inputs on axis 0. Strings come as
            numpy's `U` dtype, or as objects of `bytes` where they are not all text, see `model_store.byte_strings`.

        Raises:
            InvalidInput: The arrays do not fit the signature.
            PredictError: The model failed, or gave another number of rows than it was given.
            OutOfMemory: Its device's or the process's memory did not suffice.
        """
        if signature and signature != self.signature_name:
            return self.with_signature(signature).predict(inputs)
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

    def warm_up(self, plan: TuningPlan | None = None) -> float:
        """Run the model on trial inputs: the first job then does not pay for preparations, and batches have a size.

        So for its further signatures, see `model_store.other_signatures`.

        Args:
            plan: How the fastest way to run it is found; without one it is run as it was opened.

        Returns:
            Milliseconds that one call takes once prepared, of one row unless the model takes another number only.

        Raises:
            WarmUpError: The model cannot run, or not as the `[batching]` or `[tuning]` of its model.toml says.
        """
        # What was kept of a graph that is opened to any rows is one of the opened graph.
        kept = None if self._program.open_rows else self._take_kept(plan)
        inputs, outputs = self._first_run()
        call_ms = self._call_ms(inputs)
        signature = replace(self.signature, outputs=observed_outputs(self.signature.outputs, outputs))
        rows = find_rows(self._run, signature, inputs, outputs)
        self.signature, self.row_outputs, self._fixed_rows = rows.signature, rows.outputs, rows.in_a_call
        if self._program.open_rows:
            self._open_rows(inputs)
            kept = self._take_kept(plan)
        self.takes_many_rows = _takes_many_rows(self.signature, self.row_outputs)
        if kept is not None:
            self._use_kept(kept, inputs)
        elif plan is not None and plan.looks(self.spec.tuning):
            self._tune(plan, inputs, call_ms)
            call_ms = self._call_ms(inputs)
        else:
            self.batching = self._find_batching(inputs, call_ms)
        self._is_divided = self._fixed_rows is not None or self.takes_many_rows
        warm_up_others(self._others, self.spec.batching.max_batch_size)
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
        for image, inputs in self._first_trials():
            try:
                outputs = self._run(inputs)
            except PredictError as error:
                reasons.append(str(error))
            else:
                self.image = image
                return inputs, outputs
        shapes = ", ".join(f"{name} {array.shape}" for name, array in inputs.items())
        raise WarmUpError(f"{self.name} was loaded but cannot run. Tried on zeros, {shapes}: {reasons[-1]}")

    def _open_rows(self, inputs: Arrays) -> None:
        """Take the first way to run the program that takes any number of rows and gives the same, if there is one."""
        program, rows, names = replace(self._program, open_rows=None), self._fixed_rows, self.signature.row_inputs
        ways = self._program.open_rows(rows) if self._program.open_rows and rows is not None else ()
        self._program = program
        for run in ways:
            opened = replace(program, run=run)
            if rows is not None and gives_the_same(self._run, partial(self._run, program=opened), names, rows, inputs):
                self._program, self._fixed_rows = replace(opened, signature=self.signature), None
                return

    def _first_trials(self) -> Iterator[tuple[ImageSpec | None, Arrays]]:
        for image in self._possible_images():
            for inputs in trials(self.signature, image, self._program.trial_strings):
                yield image, inputs

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

    def _find_batching(self, inputs: Arrays, call_ms: float, program: Program | None = None) -> Batching:
        spec = self.spec.batching
        if self._fixed_rows is not None:
            if spec.sizes and spec.sizes != (self._fixed_rows,):
                raise WarmUpError(f"{self._batching_key('sizes')} can only be [{self._fixed_rows}], the rows it takes.")
            return fixed_batching(spec, self._fixed_rows, call_ms)
        if self.takes_many_rows:
            is_measured = spec.max_batch_size is None and not spec.sizes
            if is_measured and self._takes_files():
                spec = replace(spec, max_batch_size=MOST_FILES)
            batching = find_batching(spec, self._prepare_trial(inputs, program), self._search_s)
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


def _takes_many_rows(signature: Signature, row_outputs: frozenset[str]) -> bool:
    has_only_rows = signature.row_inputs == set(signature.inputs)
    return has_only_rows and row_outputs == set(signature.outputs) and signature.fixed_rows is None


def _to_tensor(array: np.ndarray, spec: TensorSpec) -> tf.Tensor:
    return tf.constant(array if spec.dtype == "string" else array.astype(spec.dtype, copy=False))


def _to_array(tensor: tf.Tensor) -> np.ndarray:
    array = tensor.numpy()
    return as_text(np.array(array, dtype=object)) if tensor.dtype == tf.string else np.asarray(array)
