"""A job's record in words, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from client.tables import printable


def job_text(record: Mapping[str, Any]) -> str:
    """How a job is, in a line, such as `queued, 2 in front, starts in about 1.4 s`."""
    facts = [str(record.get("status")), *_facts(record)]
    return printable(", ".join(facts))


def job_failure_lines(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Why jobs failed, a line each."""
    return [printable(f"{record.get('id')}: {_failure(record)}") for record in records if record.get("failure")]


def _facts(record: Mapping[str, Any]) -> list[str]:
    match record.get("status"):
        case "queued":
            in_front, start_s = record.get("queue_position"), record.get("estimated_start_s")
            return [
                *(["its model is paused"] if record.get("paused") else []),
                *([] if in_front is None else [f"{in_front} in front"]),
                *([] if start_s is None else [f"starts in about {start_s:g} s"]),
            ]
        case "running":
            attempt = record.get("attempt") or 1
            return [f"by {record.get('worker')}", *([f"attempt {attempt}"] if attempt > 1 else [])]
        case "succeeded":
            queue_ms, compute_ms = record.get("queue_ms"), record.get("compute_ms")
            return [
                *([] if queue_ms is None else [f"{queue_ms:.1f} ms in the queue"]),
                *([] if compute_ms is None else [f"{compute_ms:.1f} ms in the model"]),
            ]
        case "failed":
            return [_failure(record)]
    return []


def _failure(record: Mapping[str, Any]) -> str:
    return str((record.get("failure") or {}).get("message", "the server did not say why"))
