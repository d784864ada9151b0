"""Flask in front of plain Celery.

`/jobs` is what Flask's docs show ("Background Tasks with Celery"): one endpoint submits, another tells whether the
result is ready. `/predict` waits for the result in the request, which they do not show but people do.
"""

from __future__ import annotations

from celery.result import AsyncResult
from flask import Flask, Response, jsonify, request

from benchmarks.contestants.plain_celery.app import app as celery_app
from benchmarks.contestants.plain_celery.app import predict

app = Flask(__name__)


@app.post("/jobs")
def start() -> Response:
    """Take the bytes of a `.npy`, give the id of the result."""
    return _not_ready(predict.delay(request.get_data()).id)


@app.get("/jobs/<result_id>")
def look(result_id: str) -> Response:
    """The model's outputs once they are there."""
    result: AsyncResult[list[float]] = AsyncResult(result_id, app=celery_app)
    return jsonify(result.result) if result.ready() else _not_ready(result_id)


@app.post("/predict")
def answer() -> Response:
    """Take the bytes of a `.npy`, give the model's outputs."""
    return jsonify(predict.delay(request.get_data()).get(timeout=30))


def _not_ready(result_id: str) -> Response:
    response = jsonify({"result_id": result_id})
    response.status_code = 202
    response.headers["Location"] = f"/jobs/{result_id}"
    return response
