"""GET /healthz: the process is up. GET /readyz: the whole system can do what is expected of it."""

from __future__ import annotations

from flask import Blueprint, Response

from api.errors import NotReady
from api.json_response import json_response
from api.services import services
from tasks.model_registry import ModelRecord, ModelStatus

#: An evicted model is served on demand.
SERVED = (ModelStatus.READY, ModelStatus.EVICTED)

routes = Blueprint("health", __name__)


@routes.get("/healthz")
def healthz() -> Response:
    """Always 200; asks nobody else."""
    return json_response({"status": "ok", "version": services().version})


@routes.get("/readyz")
def readyz() -> Response:
    """200 when Redis answers and each expected model is ready, served on demand, or was given up."""
    missing = [record for record in services().registry.all() if _is_missing(record)]
    if missing:
        listed = ", ".join(f"{record.name} ({record.status})" for record in missing)
        raise NotReady(f"Not ready: {listed}.")
    return json_response({"status": "ready"})


def _is_missing(record: ModelRecord) -> bool:
    return record.expected and not record.gave_up and record.status not in SERVED
