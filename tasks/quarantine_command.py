"""The command `celeriac quarantine`: jobs that their workers died of. It never shows what is in their inputs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import click

from tasks.broker import connect
from tasks.broker_address import broker_url
from tasks.errors import TasksError
from tasks.iso_time import iso_time
from tasks.job_store import JobStore
from tasks.quarantine import Quarantine, Quarantined
from tasks.settings import read_settings

_COLUMNS = ("id", "model", "quarantined_at", "attempt", "worker")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
job_id = click.argument("job_id", metavar="ID")


@click.group(epilog="\b\nExamples:\n  celeriac quarantine list\n  celeriac quarantine retry --help")
def quarantine() -> None:
    """Jobs that failed as poisoned: their workers died, or had to be ended, each time that they ran.

    Each is kept with its input for CELERIAC_QUARANTINE_TTL_S. The exit code is 1, with a sentence, for an id that is
    not there and a broker that does not answer.
    """


@quarantine.command("list", epilog="\b\nExamples:\n  celeriac quarantine list --model my-model")
@click.option("--model", metavar="MODEL", help="Only this model's.")
@as_json
def list_jobs(model: str | None, as_json: bool) -> None:
    """List the jobs, by model, the one that came first foremost."""
    with _opened() as kept:
        found = [_described(one) for one in kept.jobs(model)]
    if as_json:
        click.echo(json.dumps({"jobs": found}))
    elif found:
        click.echo(_table(found))
    else:
        click.echo("The quarantine is empty." if model is None else f"The quarantine has no job of the model {model}.")


@quarantine.command(epilog="\b\nExamples:\n  celeriac quarantine show ID --json")
@job_id
@as_json
def show(job_id: str, as_json: bool) -> None:
    """Show job ID: its record, and its input's type and size."""
    with _opened() as kept:
        found = _described(kept.get(job_id))
    if as_json:
        click.echo(json.dumps(found))
    else:
        width = max(map(len, found))
        for name, value in found.items():
            click.echo(f"{name:{width}}  {'' if value is None else value}".rstrip())


@quarantine.command(epilog="\b\nExamples:\n  celeriac quarantine retry ID")
@job_id
@as_json
def retry(job_id: str, as_json: bool) -> None:
    """Submit the input of job ID once more and print the new job's id; the old job stays in the quarantine."""
    with _opened() as kept:
        job = kept.retry(job_id)
    click.echo(json.dumps({"id": job.id, "retry_of": job.retry_of}) if as_json else job.id)


@quarantine.command(epilog="\b\nExamples:\n  celeriac quarantine drop ID")
@job_id
@as_json
def drop(job_id: str, as_json: bool) -> None:
    """Free the input of job ID; its record stays for CELERIAC_RESULT_TTL_S."""
    with _opened() as kept:
        kept.drop(job_id)
    click.echo(json.dumps({"dropped": job_id}) if as_json else f"Job {job_id} has left the quarantine.")


@contextmanager
def _opened() -> Iterator[Quarantine]:
    try:
        settings = read_settings()
        with closing(connect(broker_url(settings), settings.sentinel_master)) as client:
            yield Quarantine(client, JobStore(client, settings.result_ttl_s), settings.result_ttl_s)
    except TasksError as error:
        click.echo(str(error), err=True)
        sys.exit(1)


def _described(found: Quarantined) -> dict[str, Any]:
    """What is told of a job, named as in its record over HTTP."""
    job = found.job
    return {
        "id": job.id,
        "model": job.model,
        "version": job.version,
        "status": str(job.status),
        "quarantined_at": iso_time(found.since_us),
        "attempt": job.attempt,
        "worker": job.worker,
        "failure_type": job.failure_type,
        "failure_message": job.failure_message,
        "content_type": job.content_type,
        "input_bytes": found.input_bytes,
        "rows": job.rows,
        "owner": job.owner,
        "lane": str(job.lane),
        "tag": job.tag,
        "created_at": iso_time(job.created_at_us),
        "started_at": iso_time(job.started_at_us),
        "retry_of": job.retry_of or None,
    }


def _table(found: list[dict[str, Any]]) -> str:
    rows = [_COLUMNS, *([str(one[name]) for name in _COLUMNS] for one in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return "\n".join("  ".join(f"{text:{w}}" for text, w in zip(row, widths, strict=True)).rstrip() for row in rows)


if __name__ == "__main__":
    quarantine()
