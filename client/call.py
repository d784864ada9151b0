"""The API's requests as values: nothing here talks to the network.

A client of any kind sends these and reads the answers with `client.reply`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from client.input_file import InputFile


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


@dataclass(frozen=True)
class JobOptions:
    """What a job may be submitted with; None and False leave it to the server.

    Attributes:
        lane: "interactive" or "bulk".
        min_score: Detectors: the least score of a detection that is answered.
        max_detections: Detectors: the most detections of a picture that are answered.
        annotate: Detectors: also draw the boxes.
        expires_in_s: Not run later than this after its submission, in s.
        tag: A word of the client's own, kept with the job.
        signature: Which of the model's signatures to run, by name; None for its default one.
    """

    lane: str | None = None
    min_score: float | None = None
    max_detections: int | None = None
    annotate: bool = False
    expires_in_s: float | None = None
    tag: str | None = None
    signature: str | None = None

    def to_query(self) -> dict[str, str]:
        """The options that are set, as query parameters."""
        values = {
            "lane": self.lane,
            "min_score": self.min_score,
            "max_detections": self.max_detections,
            "annotate": "true" if self.annotate else None,
            "expires_in_s": self.expires_in_s,
            "tag": self.tag,
            "signature": self.signature,
        }
        return {name: str(value) for name, value in values.items() if value is not None}


def submit_call(
    model: str, inputs: InputFile, options: JobOptions, version: int | None = None, idempotency_key: str | None = None
) -> Call:
    """Submit one job, to the model's newest version unless one is named.

    Args:
        model: its name.
        inputs: what to send.
        options: what else the job is to have.
        version: the model's, if not its newest.
        idempotency_key: the same for each try of one submission makes all of them the same job.
    """
    chosen = "" if version is None else f"/versions/{version}"
    key = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
    return Call(
        "POST",
        f"/v1/models/{_segment(model)}{chosen}/jobs",
        params=options.to_query(),
        headers={"Content-Type": inputs.content_type, **key},
        content=inputs.content,
    )


def job_call(job_id: str, wait_s: float = 0.0) -> Call:
    """Ask for a job's record, held back up to `wait_s` until the job ends."""
    params = {"wait": f"{wait_s:.3f}".rstrip("0").rstrip(".")} if wait_s > 0 else {}
    return Call("GET", f"/v1/jobs/{_segment(job_id)}", params=params, held_s=wait_s)


def result_call(job_id: str, media_type: str, row: int | None = None) -> Call:
    """Ask for a job's result in one format; for the drawing of one row where the job has several pictures."""
    params = {} if row is None else {"row": str(row)}
    return Call("GET", f"/v1/jobs/{_segment(job_id)}/result", params=params, headers={"Accept": media_type})


def models_call() -> Call:
    """Ask for all models."""
    return Call("GET", "/v1/models")


def _segment(name: str) -> str:
    return quote(name, safe="")
