"""The command `celeriac cancel`."""

from __future__ import annotations

import json
import sys

import click

from client.celeriac import Celeriac
from client.command_group import EXIT_FAILED
from client.commands.examples import examples
from client.commands.server_options import RESTART_PATIENCE, server_options
from client.errors import ClientError, Unreachable


@click.command(
    epilog=examples(
        "celeriac cancel ID", "celeriac jobs --status queued --tag night --json | jq -r .id | xargs celeriac cancel"
    )
)
@click.argument("job_ids", nargs=-1, required=True, metavar="ID...")
@server_options
def cancel(api: Celeriac, job_ids: tuple[str, ...], as_json: bool) -> None:
    """Cancel the jobs ID.

    A job that waits is never run; the answer of one that runs is thrown away. Why one cannot be cancelled, because it
    has ended for example, is told on standard error, the others go on, and the exit code is 1.
    """
    has_failed = False
    api = api.patient(RESTART_PATIENCE)
    for job_id in job_ids:
        try:
            job = api.get_job(job_id).cancel()
        except Unreachable:
            # The jobs after it would fare no better.
            raise
        except ClientError as error:
            click.echo(f"{job_id}: {error}", err=True)
            has_failed = True
        else:
            click.echo(json.dumps(job.record) if as_json else f"{job.id} {job.status}")
    if has_failed:
        sys.exit(EXIT_FAILED)
