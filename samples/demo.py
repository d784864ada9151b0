"""`make demo`: start the whole system, send real inputs to the sample models, show the answers, stop."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from rich import box
from rich.console import Console
from rich.table import Table

from client.celeriac import Celeriac
from client.errors import ClientError, JobFailed
from client.job import Job
from client.payload import Payload
from model_store.errors import ModelStoreError
from samples.inputs import DemoInput, demo_inputs, write_inputs
from tasks.errors import TasksError
from tasks.settings import Settings, read_settings
from tasks.supervisor.lineup import lineup, servable
from tasks.supervisor.system import System

STORE = Path("models")
CACHE = Path(".cache")
START_TIMEOUT_S = 180.0
JOB_TIMEOUT_S = 60.0

#: What was sent, its job, and the job's answer or why there is none.
_Answered: TypeAlias = tuple[DemoInput, Job, Mapping[str, Any] | ClientError]


def main() -> int:
    """Run the demo; 0 when every answer is the expected one, else 1."""
    console = Console(width=max(130, Console().width))
    try:
        with _own_settings() as settings:
            return _run(console, settings)
    except (TasksError, ModelStoreError, ClientError) as error:
        console.print(str(error), style="red")
        return 1


def _run(console: Console, settings: Settings) -> int:
    services = lineup(settings, servable(settings.model_store, console.print))
    console.print(f"Starting {', '.join(service.name for service in services)} …")
    with System(settings, services) as system:
        for service, reason in system.wait_until_ready(START_TIMEOUT_S).items():
            console.print(f"{service} was given up: {reason}")
        inputs = demo_inputs(CACHE)
        wrong = _show(console, _ask(f"http://{settings.host}:{settings.port}", inputs))
        console.print(f"What was sent is in {write_inputs(inputs, CACHE)}/.")
        return wrong


@contextmanager
def _own_settings() -> Iterator[Settings]:
    """Free ports, a broker and a folder of its own, so that the demo disturbs no running system."""
    with tempfile.TemporaryDirectory(prefix="celeriac-demo-") as var:
        own = {
            "REDIS_URL": "",
            "PORT": str(_free_port()),
            "CELERIAC_HOST": "127.0.0.1",
            "CELERIAC_FLOWER_HOST": "127.0.0.1",
            "CELERIAC_FLOWER_PORT": str(_free_port()),
            "CELERIAC_API_KEYS": "",
            "CELERIAC_MODEL_STORE": str(STORE),
            "CELERIAC_VAR": var,
        }
        # The services read their settings from this process's environment.
        os.environ.update(own)
        yield read_settings()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ask(url: str, inputs: list[DemoInput]) -> list[_Answered]:
    """Submit everything, then wait: as a client should."""
    with Celeriac(url, api_key="") as celeriac:
        sent = [
            (demo_input, celeriac.submit(demo_input.model, Payload(demo_input.payload, demo_input.content_type)))
            for demo_input in inputs
        ]
        return [(demo_input, job, _document(job)) for demo_input, job in sent]


def _document(job: Job) -> Mapping[str, Any] | ClientError:
    """The job's answer, or why there is none."""
    try:
        return job.result(JOB_TIMEOUT_S, arrays=False)
    except JobFailed as error:
        return error


def _show(console: Console, answers: list[_Answered]) -> int:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("input", "model", "job id", "answer"):
        table.add_column(heading, no_wrap=True)
    for heading in ("queue ms", "compute ms"):
        table.add_column(heading, no_wrap=True, justify="right")
    wrong = []
    for sent, job, document in answers:
        labels, answer = _read(document)
        record = job.record
        table.add_row(sent.title, sent.model, job.id, answer, _ms(record["queue_ms"]), _ms(record["compute_ms"]))
        if labels != sent.labels:
            wrong.append(f"{sent.title} on {sent.model}: expected {sent.expect}, got {answer}.")
    console.print(table)
    for sentence in wrong:
        console.print(sentence, style="red")
    console.print("All answers are as expected." if not wrong else f"{len(wrong)} answers are not as expected.")
    return 1 if wrong else 0


def _read(document: Mapping[str, Any] | ClientError) -> tuple[tuple[str, ...], str]:
    """The labels of a job's answer, and the answer for a reader."""
    if isinstance(document, ClientError):
        return (), str(document)
    found: list[Mapping[str, Any]] = document.get("detections", document.get("labels", []))
    labels = tuple(str(item["label"]) for item in found)
    return labels, ", ".join(f"{item['label']} {item['score']:.3f}" for item in found) or "nothing found"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
