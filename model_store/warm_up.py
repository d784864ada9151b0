"""The warm-up of a model: first runs on trial inputs, and all that only they can show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from model_store.errors import PredictError, VariantUnfit, WarmUpError
from model_store.pictures.encoded import possible_wraps, takes_files
from model_store.program import Program
from model_store.program_call import call_program
from model_store.rows.batch_trial import SEARCH_S, best_ms, find_batching, warm_rows
from model_store.rows.batching import Batching, fixed_batching, limited_by_bytes
from model_store.rows.trial import find_rows, gives_the_same
from model_store.serving import Serving
from model_store.signature import Signature
from model_store.spec import ImageSpec, ModelSpec
from model_store.trial_inputs import observed_outputs, trials, varied_rows
from model_store.tuning.choice import Tuning
from model_store.tuning.plan import TuningPlan
from model_store.tuning.trial import Prepare
from model_store.tuning.trial_calls import accepted, trial_calls
from model_store.tuning.trial_rows import COMPARED_ROWS, compared_rows
from model_store.tuning.tuner import Bench, keep, recall, tune

Arrays = Mapping[str, np.ndarray]

# Enough for rows to differ, and soon computed also where a row takes seconds.
VARIED_ROWS = 2
# A call decodes these at once, and their files do not tell how large they will be.
MOST_FILES = 4
# Where a call takes no longer, variants are compared on more rows than these.
SHORT_CALL_MS = 20.0


class WarmUp:
    """Finds out how an opened model is best served; for one use, by one thread.

    Attributes:
        serving: What is known so far.
    """

    def __init__(
        self,
        name: str,
        spec: ModelSpec,
        opened: Serving,
        before_call: Callable[[], None],
        search_s: float = SEARCH_S,
    ) -> None:
        """Begin with a model as it was opened.

        Args:
            name: What errors call it.
            spec: What its model.toml says.
            opened: What its file and model.toml tell.
            before_call: Called before each call of a program.
            search_s: About how long the search for a good number of rows takes, in seconds.
        """
        self.serving = opened
        self._name = name
        self._spec = spec
        self._before_call = before_call
        self._search_s = search_s

    def run(self, plan: TuningPlan | None) -> float:
        """Find out; returns the milliseconds of a call, and raises, as `Model.warm_up` says."""
        # What was kept of a graph that is opened to any rows is one of the opened graph.
        kept = None if self.serving.program.open_rows else self._take_kept(plan)
        inputs, outputs = self._first_run()
        call_ms = self._call_ms(inputs)
        self._find_rows(inputs, outputs)
        if self.serving.program.open_rows:
            self._open_rows(inputs)
            kept = self._take_kept(plan)
        self._learn(takes_many_rows=_takes_many_rows(self.serving.signature, self.serving.row_outputs))
        if kept is not None:
            self._use_kept(kept, inputs)
        elif plan is not None and plan.looks(self._spec.tuning):
            self._tune(plan, inputs, call_ms)
            call_ms = self._call_ms(inputs)
        else:
            self._learn(batching=self._find_batching(inputs, call_ms))
        return call_ms

    def _learn(self, **found: Any) -> None:
        self.serving = replace(self.serving, **found)

    def _take_kept(self, plan: TuningPlan | None) -> Tuning | None:
        """Run from now on as an earlier start has found best, where one has and that still runs."""
        opened = self.serving
        found = None if plan is None else recall(opened.program, self._spec, plan)
        if found is None:
            return None
        program, tuning = found
        try:
            self._learn(program=program)
            self._first_run()
        except WarmUpError:
            self.serving = opened
            return None
        return tuning

    def _first_run(self) -> tuple[Arrays, Arrays]:
        reasons = []
        for image, inputs in self._first_trials():
            try:
                outputs = self._call(inputs)
            except PredictError as error:
                reasons.append(str(error))
            else:
                self._learn(image=image)
                return inputs, outputs
        shapes = ", ".join(f"{name} {array.shape}" for name, array in inputs.items())
        raise WarmUpError(f"{self._name} was loaded but cannot run. Tried on zeros, {shapes}: {reasons[-1]}")

    def _first_trials(self) -> Iterator[tuple[ImageSpec | None, Arrays]]:
        for image in self._possible_images():
            for inputs in trials(self.serving.signature, image, self.serving.program.trial_strings):
                yield image, inputs

    def _possible_images(self) -> list[ImageSpec | None]:
        """How pictures may become the input: the one way, or for one that takes their files those to be tried."""
        image = self.serving.image
        if image is None or not self._takes_files():
            return [image]
        return [replace(image, wrap=wrap) for wrap in possible_wraps(image)]

    def _takes_files(self) -> bool:
        """Whether it decodes pictures itself."""
        image = self.serving.image
        if image is None or image.input is None:
            return False
        return takes_files(self.serving.signature.inputs[image.input])

    def _find_rows(self, inputs: Arrays, outputs: Arrays) -> None:
        declared = self.serving.signature
        signature = replace(declared, outputs=observed_outputs(declared.outputs, outputs))
        rows = find_rows(self._call, signature, inputs, outputs)
        self._learn(signature=rows.signature, row_outputs=rows.outputs, fixed_rows=rows.in_a_call)

    def _open_rows(self, inputs: Arrays) -> None:
        """Take the first way to run the program that takes any number of rows and gives the same, if there is one."""
        program, rows, signature = self.serving.program, self.serving.fixed_rows, self.serving.signature
        ways = program.open_rows(rows) if program.open_rows and rows is not None else ()
        program = replace(program, open_rows=None)
        self._learn(program=program)
        for run in ways:
            opened = replace(program, run=run)
            call = partial(self._call, program=opened)
            if rows is not None and gives_the_same(self._call, call, signature.row_inputs, rows, inputs):
                self._learn(program=replace(opened, signature=signature), fixed_rows=None)
                return

    def _use_kept(self, kept: Tuning, inputs: Arrays) -> None:
        self._learn(tuning=kept, batching=kept.batching)
        if self.serving.takes_many_rows:
            warm_rows(self._prepare_trial(inputs), kept.warm_rows)

    def _tune(self, plan: TuningPlan, inputs: Arrays, call_ms: float) -> None:
        spec, opened = self._spec.tuning, self.serving.program
        bench = self._bench(inputs, call_ms)
        try:
            program, tuning = tune(bench, spec.variant, plan.limit_for(spec))
        except VariantUnfit as error:
            reason = f"{self._name} {error}; leave it out, or say auto"
            raise WarmUpError(f"{self._spec.file}: tuning.variant cannot be {spec.variant}: {reason}.") from None
        file = keep(opened, self._spec, plan, tuning)
        self._learn(program=program, tuning=tuning, batching=tuning.batching, tuning_file=file)

    def _bench(self, inputs: Arrays, call_ms: float) -> Bench:
        serving, names = self.serving, self.serving.signature.row_inputs
        given_rows = next((len(inputs[name]) for name in names), 1)
        only_rows = serving.fixed_rows or (None if serving.takes_many_rows else given_rows)
        many = COMPARED_ROWS if call_ms < SHORT_CALL_MS else VARIED_ROWS
        source = accepted(self._call, compared_rows(inputs, names, only_rows or many), inputs)
        # What was found out of the rows is so for the program too, but where it takes a fixed number of them.
        takes_found = serving.fixed_rows is None
        return Bench(
            program=replace(serving.program, signature=serving.signature) if takes_found else serving.program,
            prepare=lambda program: trial_calls(partial(self._call, program=program), source, names),
            find_batching=lambda program: self._find_batching(inputs, self._call_ms(inputs, program), program),
            call_ms=call_ms,
            rows=only_rows,
            may_pad=self._spec.batching.sizes is None,
            has_open_sizes=self._has_open_sizes(),
        )

    def _find_batching(self, inputs: Arrays, call_ms: float, program: Program | None = None) -> Batching:
        spec, fixed_rows = self._spec.batching, self.serving.fixed_rows
        if fixed_rows is not None:
            if spec.sizes and spec.sizes != (fixed_rows,):
                raise WarmUpError(f"{self._batching_key('sizes')} can only be [{fixed_rows}], the rows it takes.")
            return fixed_batching(spec, fixed_rows, call_ms)
        if self.serving.takes_many_rows:
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
        return any(spec.shape is None or None in spec.shape[1:] for spec in self.serving.signature.inputs.values())

    def _batching_key(self, key: str) -> str:
        return f"{self._spec.file}: batching.{key} does not fit {self._name}; it"

    def _prepare_trial(self, inputs: Arrays, program: Program | None = None) -> Prepare:
        """For trials on rows that vary, as zeros can be faster or slower; on those given where the model refuses."""
        names = self.serving.signature.row_inputs
        source = accepted(self._call, varied_rows(inputs, names, VARIED_ROWS), inputs)
        return trial_calls(partial(self._call, program=program), source, names)

    def _call_ms(self, inputs: Arrays, program: Program | None = None) -> float:
        return best_ms(lambda: self._call(inputs, program))

    def _call(self, inputs: Arrays, program: Program | None = None) -> dict[str, np.ndarray]:
        serving = self.serving
        return call_program(self._name, program or serving.program, serving.signature, inputs, self._before_call)


def _bytes(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays.values())


def _takes_many_rows(signature: Signature, row_outputs: frozenset[str]) -> bool:
    has_only_rows = signature.row_inputs == set(signature.inputs)
    return has_only_rows and row_outputs == set(signature.outputs) and signature.fixed_rows is None
