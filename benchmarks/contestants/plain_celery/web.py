"""Flask in front of plain Celery, submit and wait in one request."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request

from benchmarks.contestants.plain_celery.app import predict

app = Flask(__name__)


@app.post("/predict")
def answer() -> Response:
    """Take the bytes of a `.npy`, give the model's outputs."""
    return jsonify(predict.delay(request.get_data()).get(timeout=30))
