"""A loaded model: one class for all formats, from arrays to arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from model_store.errors import InvalidInput, PredictError
from model_store.other_signatures import warm_up_others
from model_store.program import Program
from model_store.program_call import call_program
from model_store.rows.batch_trial import SEARCH_S
from model_store.rows.batching import Batching, at_most
from model_store.rows.calls import divide, fit_together, join
from model_store.rows.uneven import even
from model_store.serving import Serving
from model_store.signature import Signature, TensorSpec, check_inputs
from model_store.spec import ImageSpec, ModelSpec
from model_store.store import StoredModel
from model_store.tuning.choice import Tuning
from model_store.tuning.plan import TuningPlan
from model_store.warm_up import WarmUp

Arrays = Mapping[str, np.ndarray]


class Model:
    """A model by one of its signatures, that predicts, from any thread. By the default one it knows the others.

    Attributes:
        name: Its name in the store.
        version: The version that was loaded.
        format: "frozen_graph", "saved_model" or "keras".
        signature_name: What the file calls the signature.
        changes_state: Whether a call may change what later calls give; only known where there are several signatures.
        spec: What its model.toml says.
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
        self.spec = spec
        self.before_call: Callable[[], None] = _nothing
        self._serving = Serving(program, program.signature, image)
        self._search_s = search_s
        self._others = dict(others or {})
        for other in self._others.values():
            other.before_call = lambda: self.before_call()

    @property
    def signature(self) -> Signature:
        """The inputs that `predict` takes and the outputs wanted; `warm_up` adds what only a run can show."""
        return self._serving.signature

    @property
    def image(self) -> ImageSpec | None:
        """How a picture becomes the input `image.input`; None when the model takes no pictures."""
        return self._serving.image

    @property
    def row_outputs(self) -> frozenset[str]:
        """Names of the outputs with one entry a row on axis 0; none until `warm_up` has found out."""
        return self._serving.row_outputs

    @property
    def takes_many_rows(self) -> bool:
        """Whether rows of several jobs can share one call, whose outputs can then be divided among them.

        Not until `warm_up` has found out.
        """
        return self._serving.takes_many_rows

    @property
    def batching(self) -> Batching:
        """How many rows are worth giving to it at once; one row until `warm_up` has found out."""
        return self._serving.batching

    @property
    def tuning(self) -> Tuning:
        """Which way of running it was found to be the fastest; the plain one until `warm_up` was given a plan."""
        return self._serving.tuning

    @property
    def tuning_file(self) -> Path | None:
        """Where that was kept; None where it was not, or was found by an earlier start."""
        return self._serving.tuning_file

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
            "refused_signatures": dict(self._serving.program.refused),
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
        if not self._serving.takes_divided_rows or self.batching.is_one_call(rows):
            return self._run_rows(inputs, rows)
        calls = divide(inputs, self.signature.row_inputs, rows, self.batching)
        parts = [self._run_rows(call_inputs, call_rows) for call_rows, call_inputs in calls]
        return self._join(parts, inputs, rows)

    def _join(self, parts: list[dict[str, np.ndarray]], inputs: Arrays, rows: int) -> dict[str, np.ndarray]:
        if self.spec.kind == "detector":
            parts = even(parts)
        if fit_together(parts):
            return join(parts, rows)
        if self._serving.fixed_rows is None:
            return self._run_rows(inputs, rows)
        raise PredictError(
            f"{self.name} gave outputs of other shapes in each of the {len(parts)} calls that {rows} rows need, which "
            f"cannot be joined; send at most {self._serving.fixed_rows} in a job."
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
        warm_up = WarmUp(self.name, self.spec, self._serving, self.before_call, self._search_s)
        call_ms = warm_up.run(plan)
        self._serving = warm_up.serving
        warm_up_others(self._others, self.spec.batching.max_batch_size)
        return call_ms

    def limit_rows(self, most: int) -> None:
        """Give at most so many rows to it at once, whatever was found worth it."""
        self._serving = replace(self._serving, batching=at_most(self.batching, most))

    def _run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        return call_program(self.name, self._serving.program, self.signature, inputs, self.before_call)


def _nothing() -> None:
    pass
