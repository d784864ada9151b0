"""What was found out about a model: values only, from the steps that a child process told of."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# What the child does, in this order; it tells each step before it begins it.
IMPORTING, READING, LOADING, RUNNING, DONE, FAILED = "importing", "reading", "loading", "running", "done", "failed"
DOINGS = {
    IMPORTING: "TensorFlow was being imported",
    READING: "the file was being read",
    LOADING: "the model was being loaded",
    RUNNING: "the model was being tried out",
}


@dataclass(frozen=True)
class Ending:
    """How the child process ended.

    Attributes:
        exit_code: As Python gives it, so minus the signal's number; None where it was ended as its time was over.
        last_words: What it printed last that says why; empty where nothing does.
    """

    exit_code: int | None
    last_words: str = ""


@dataclass(frozen=True)
class Findings:
    """What the child found.

    Attributes:
        format: "frozen_graph", "saved_model" or "keras"; None where that did not come out.
        saved_by: What wrote the file, such as "TensorFlow 2.15.0"; None where the file does not say.
        operators_refused: As `RefusedOperator.to_json` gives them, also of a model that is trusted.
        card: The model's card, of `Model.describe`, once it was loaded.
        rows: Which inputs and outputs have rows, `{"inputs", "outputs", "only"}`; None where there are none.
        dry_run: `{"ms", "rows", "memory_bytes"}`: what a call of so many rows takes, and the most memory of the whole
            trial, with all numbers of rows that a worker tries too; None where it did not pass.
        is_refused: Whether the model is not trusted.
        reason: Why it cannot be served, in one line; None where it can.
    """

    format: str | None = None
    saved_by: str | None = None
    operators_refused: Sequence[Mapping[str, str]] = ()
    card: Mapping[str, Any] = field(default_factory=dict)
    rows: Mapping[str, Any] | None = None
    dry_run: Mapping[str, Any] | None = None
    is_refused: bool = False
    reason: str | None = None


def read_findings(steps: Sequence[Mapping[str, Any]], ending: Ending, timeout_s: float) -> Findings:
    """Put together what the steps say.

    Args:
        steps: What the child told, one after another.
        ending: How it ended.
        timeout_s: How much time it had.
    """
    told: dict[str, Any] = {}
    for step in steps:
        told |= step
    last = told.pop("step", IMPORTING)
    if last not in (DONE, FAILED):
        told["reason"] = _sudden_end(last, ending, timeout_s)
    return Findings(**told)


def _sudden_end(step: str, ending: Ending, timeout_s: float) -> str:
    doing = DOINGS[step]
    if ending.exit_code is None:
        return f"It did not come to an end within {timeout_s:g} s: it was stopped while {doing}."
    if ending.exit_code == -signal.SIGKILL:
        return f"Its process was killed while {doing}, most likely because the machine's memory did not suffice."
    name = signal.Signals(-ending.exit_code).name if ending.exit_code < 0 else f"exit code {ending.exit_code}"
    words = f": {ending.last_words}" if ending.last_words else "."
    return f"It made its process crash ({name}) while {doing}{words}"
