"""POST /v1/models/{model}:pause, :resume: have a model's jobs wait, and run again."""

from __future__ import annotations

from flask import Blueprint, Response

from api.json_response import json_response
from api.list_models import model_json
from api.services import services

routes = Blueprint("pause_model", __name__)


@routes.post("/v1/models/<model>:pause")
def pause_model(model: str) -> Response:
    """Begin none of the model's jobs any more; asked again, nothing changes."""
    services().registry.pause(model)
    return _answer(model)


@routes.post("/v1/models/<model>:resume")
def resume_model(model: str) -> Response:
    """Begin them again; of one that is not paused, nothing changes."""
    services().registry.resume(model)
    return _answer(model)


def _answer(model: str) -> Response:
    services().pauses.forget()
    return json_response(model_json(services().registry.get(model)))
