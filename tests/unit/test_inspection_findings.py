from __future__ import annotations

import signal

import pytest

from tasks.inspection.findings import Ending, Findings, read_findings

CARD = {"format": "keras"}
STEPS = [
    {"step": "importing"},
    {"step": "reading"},
    {"step": "loading", "saved_by": "Keras 2.3.1"},
    {"step": "running", "format": "keras", "card": CARD},
]


def test_what_each_step_told_is_put_together() -> None:
    done = {"step": "done", "card": {"format": "keras", "kind": "tensors"}, "dry_run": {"ms": 1.0}}
    found = read_findings([*STEPS, done], Ending(0), 120)
    assert found == Findings(
        format="keras", saved_by="Keras 2.3.1", card={"format": "keras", "kind": "tensors"}, dry_run={"ms": 1.0}
    )


def test_a_model_that_is_refused_keeps_what_was_found_before() -> None:
    failed = {
        "step": "failed",
        "reason": "It is refused.",
        "is_refused": True,
        "operators_refused": [{"operator": "A"}],
    }
    found = read_findings([*STEPS[:3], failed], Ending(0), 120)
    assert (found.saved_by, found.is_refused, found.reason) == ("Keras 2.3.1", True, "It is refused.")
    assert found.operators_refused == [{"operator": "A"}]


@pytest.mark.parametrize(
    ("steps", "ending", "reason"),
    [
        (
            4,
            Ending(None),
            "It did not come to an end within 2.5 s: it was stopped while the model was being tried out.",
        ),
        (
            3,
            Ending(-signal.SIGKILL),
            "Its process was killed while the model was being loaded, most likely because the machine's memory did not "
            "suffice.",
        ),
        (
            4,
            Ending(-signal.SIGABRT, "Check failed: x > 0"),
            "It made its process crash (SIGABRT) while the model was being tried out: Check failed: x > 0",
        ),
        (2, Ending(-signal.SIGSEGV), "It made its process crash (SIGSEGV) while the file was being read."),
        (0, Ending(1), "It made its process crash (exit code 1) while TensorFlow was being imported."),
    ],
)
def test_a_child_that_ends_without_a_word_is_explained(steps: int, ending: Ending, reason: str) -> None:
    assert read_findings(STEPS[:steps], ending, 2.5).reason == reason
