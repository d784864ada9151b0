"""The API's requests as values: nothing here talks to the network.

A client of any kind sends these and reads the answers with `client.reply`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from client import event_stream
from client.job_options import JobOptions
from client.payload import JSON, Payload


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        method: The HTTP method.
        path: Below the server's URL, quoted.
        params: The query string.
        headers: What this request adds to the client's own.
        content: The body; None: no body.
        held_s: How long the server may hold the answer back on purpose, in s.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    held_s: float = 0.0


def submit_call(
    model: str,
    inputs: Payload,
    options: JobOptions,
    version: int | str | None = None,
    idempotency_key: str | None = None,
) -> Call:
    """Submit one job, to the version that the server gives it unless one is named.

    Args:
        model: its name.
        inputs: what to send.
        options: what else the job is to have.
        version: its number, or a label such as `stable`.
        idempotency_key: the same for each try of one submission makes all of them the same job.
    """
    headers = {"Content-Type": inputs.content_type, **_key(idempotency_key)}
    return Call("POST", f"{_served(model, version)}/jobs", options.to_query(), headers, inputs.content)


def bulk_call(
    model: str,
    inputs: Payload,
    options: JobOptions,
    rows_per_job: int,
    version: int | str | None = None,
    idempotency_key: str | None = None,
) -> Call:
    """Submit many jobs in one request, as `submit_call` does one; each has so many of the rows."""
    params = {**options.to_query(), "rows_per_job": str(rows_per_job)}
    headers = {"Content-Type": inputs.content_type, **_key(idempotency_key)}
    return Call("POST", f"{_served(model, version)}/jobs:bulk", params, headers, inputs.content)


def events_call(job_id: str, last_event_id: str = "") -> Call:
    """Ask for a job's events, those after one that was had already."""
    headers = {"Accept": event_stream.MEDIA_TYPE} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
    return Call("GET", f"{_job(job_id)}/events", headers=headers)


def query_call(job_ids: Sequence[str], wait_s: float = 0.0) -> Call:
    """Ask for many records, held back up to `wait_s` until one of the jobs has ended."""
    body = {"ids": list(job_ids), **({"wait": wait_s} if wait_s > 0 else {})}
    return Call("POST", "/v1/jobs:query", headers={"Content-Type": JSON}, content=_json(body), held_s=wait_s)


def result_call(job_id: str, media_type: str, row: int | None = None) -> Call:
    """Ask for a job's result in one format; for the drawing of one row where the job has several pictures."""
    params = {} if row is None else {"row": str(row)}
    return Call("GET", f"{_job(job_id)}/result", params=params, headers={"Accept": media_type})


def results_call(job_ids: Sequence[str], media_type: str) -> Call:
    """Ask for the results of many jobs, as JSON or `.npz`; those that have none are left out."""
    headers = {"Content-Type": JSON, "Accept": media_type}
    return Call("POST", "/v1/jobs:results", headers=headers, content=_json({"ids": list(job_ids)}))


def free_call(job_ids: Sequence[str]) -> Call:
    """Delete the results of many finished jobs."""
    return Call("POST", "/v1/jobs:free", headers={"Content-Type": JSON}, content=_json({"ids": list(job_ids)}))


def cancel_call(job_id: str) -> Call:
    """Cancel a job."""
    return Call("DELETE", _job(job_id))


def delete_result_call(job_id: str) -> Call:
    """Delete the result of a job that has ended."""
    return Call("DELETE", f"{_job(job_id)}/result")


def jobs_call(filters: Mapping[str, str | None], after: str | None, limit: int) -> Call:
    """Ask for a page of one's own jobs, newest first."""
    asked = {**filters, "after": after, "limit": str(limit)}
    return Call("GET", "/v1/jobs", params={name: value for name, value in asked.items() if value is not None})


def models_call() -> Call:
    """Ask for all models."""
    return Call("GET", "/v1/models")


def model_call(model: str) -> Call:
    """Ask for one model."""
    return Call("GET", _served(model))


def pause_call(model: str) -> Call:
    """Stop the model's queue; what is submitted waits."""
    return Call("POST", f"{_served(model)}:pause")


def resume_call(model: str) -> Call:
    """Let the model's queue go on."""
    return Call("POST", f"{_served(model)}:resume")


def health_call() -> Call:
    """Ask whether the API is up."""
    return Call("GET", "/healthz")


def _served(model: str, version: int | str | None = None) -> str:
    return f"/v1/models/{_segment(model)}" + ("" if version is None else f"/versions/{_segment(str(version))}")


def _job(job_id: str) -> str:
    return f"/v1/jobs/{_segment(job_id)}"


def _key(idempotency_key: str | None) -> dict[str, str]:
    return {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}


def _json(body: Mapping[str, object]) -> bytes:
    return json.dumps(body).encode()


def _segment(name: str) -> str:
    return quote(name, safe="")
