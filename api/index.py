"""GET /: where everything is. GET /openapi.json: the same for programs."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response

from api.json_response import json_response
from api.services import services

OPENAPI = Path(__file__).with_name("openapi.json")

routes = Blueprint("index", __name__)


@routes.get("/")
def index() -> Response:
    """The URLs to start from."""
    urls = {
        "models": "/v1/models",
        "submit": "/v1/models/{model}/jobs",
        "job": "/v1/jobs/{id}",
        "jobs": "/v1/jobs",
        "health": "/healthz",
        "ready": "/readyz",
        "metrics": "/metrics",
        "openapi": "/openapi.json",
    }
    return json_response({"name": "Celeriac", "version": services().version, "urls": urls})


@routes.get("/openapi.json")
def openapi() -> Response:
    """The description of this API, OpenAPI 3.1."""
    return Response(OPENAPI.read_bytes(), mimetype="application/json")
