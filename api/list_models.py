"""GET /v1/models, /v1/models/{model}: what is served, by whom, and how much waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response

from api.json_response import json_response
from api.model_versions import read_versions
from api.services import services
from tasks.iso_time import iso_time
from tasks.model_registry import ModelRecord, ModelStatus

routes = Blueprint("list_models", __name__)

#: What is told as the version says it that jobs get by default; null until a worker was ready once.
_OF_THE_CARD = (
    *("format", "kind", "signature", "default_signature", "signatures", "refused_signatures", "takes_pictures"),
    *("batching", "tuning"),
)


@routes.get("/v1/models")
def list_models() -> Response:
    """All known models, by name."""
    return json_response({"models": [model_json(record) for record in services().registry.all()]})


@routes.get("/v1/models/<model>")
def get_model(model: str) -> Response:
    """One model."""
    return json_response(model_json(services().registry.get(model)))


def model_json(record: ModelRecord) -> dict[str, Any]:
    """A model with its load."""
    card = record.card or {}
    state = services().registry.queue_state(record.name)
    return {
        "name": record.name,
        "status": str(record.status),
        "paused": record.paused,
        "version": card.get("version"),
        **_versions_json(record, card),
        **{key: card.get(key) for key in _OF_THE_CARD},
        "workers": [
            {"name": worker.name, "version": worker.version, "versions": worker.versions, "device": worker.device}
            for worker in record.workers
        ],
        "queued": state.queued,
        "running": state.running,
        "oldest_age_s": state.oldest_age_s,
        "finished": {str(status): count for status, count in state.finished.items()},
        "failure": record.failure,
        "gave_up": record.gave_up,
        "waits_for": record.waits_for if record.status is ModelStatus.EVICTED else None,
        "memory_bytes": record.memory_bytes,
    }


def _versions_json(record: ModelRecord, card: Mapping[str, Any]) -> dict[str, Any]:
    versions, labels = _served(record)
    return {
        "versions": versions,
        "labels_of_versions": labels,
        "shares": card.get("shares", {}),
        "failures": [_failure_json(failure) for failure in card.get("failures", [])],
        "labels_failure": card.get("labels_failure"),
    }


def _served(record: ModelRecord) -> tuple[list[int], dict[str, int]]:
    """Versions and labels that a job may name."""
    if record.card is None:
        return [], {}
    served = read_versions(record)
    return sorted(served.cards), dict(served.labels)


def _failure_json(failure: Mapping[str, Any]) -> dict[str, Any]:
    """Why a version is not served, and since when."""
    return {"version": failure["version"], "reason": failure["reason"], "at": iso_time(failure["at_us"])}
