"""What a worker publishes: itself, and its model's card with all versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.model_registry import LiveWorker
from tasks.versions.rollout import Rollout

Report = tuple[Mapping[str, Any], LiveWorker]


def of(rollout: Rollout, worker: str, pid: int, device: str) -> Report:
    """The card and the worker, as they are now.

    The card is that of the version that jobs get by default; beside it stand those of all versions, labels, failures.
    """
    serving = rollout.serving
    card = serving.default.model.describe() | {
        "versions": {str(number): served.model.describe() for number, served in serving.loaded.items()},
        "labels_of_versions": dict(serving.labels),
        "shares": dict(rollout.labels.shares),
        "failures": [
            {"version": number, "reason": failure.reason, "at_us": failure.at_us}
            for number, failure in sorted(rollout.failures.items())
        ],
        "labels_failure": rollout.labels_failure,
    }
    live = LiveWorker(
        worker, pid, serving.default.model.version, device, tuple(sorted(serving.loaded)), dict(serving.labels)
    )
    return card, live
