"""GET /v1/models, /v1/models/{model}: what is served, by whom, and how much waits for it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from api.json_response import json_response
from api.services import services
from tasks.model_registry import ModelRecord

routes = Blueprint("list_models", __name__)


@routes.get("/v1/models")
def list_models() -> Response:
    """All known models, by name."""
    return json_response({"models": [_model_json(record) for record in services().registry.all()]})


@routes.get("/v1/models/<model>")
def get_model(model: str) -> Response:
    """One model."""
    return json_response(_model_json(services().registry.get(model)))


def _model_json(record: ModelRecord) -> dict[str, Any]:
    card = record.card or {}
    state = services().registry.queue_state(record.name)
    return {
        "name": record.name,
        "status": str(record.status),
        "version": card.get("version"),
        "versions": [card["version"]] if card else [],
        "format": card.get("format"),
        "kind": card.get("kind"),
        "signature": card.get("signature"),
        "takes_pictures": card.get("takes_pictures"),
        "tuning": card.get("tuning"),
        "workers": [
            {"name": worker.name, "version": worker.version, "device": worker.device} for worker in record.workers
        ],
        "queued": state.queued,
        "running": state.running,
        "oldest_age_s": state.oldest_age_s,
        "finished": {str(status): count for status, count in state.finished.items()},
        "failure": record.failure,
        "gave_up": record.gave_up,
    }
