"""The command `celeriac jobs`."""

from __future__ import annotations

import json
from itertools import islice

import click

from client.celeriac import Celeriac
from client.commands.examples import examples
from client.commands.model_names import complete_model
from client.commands.server_options import server_options
from client.job_text import job_failure_lines
from client.record import STATUSES
from client.tables import console, jobs_table


@click.command(
    epilog=examples(
        "celeriac jobs --model digits-h5 --status failed",
        "celeriac jobs --tag night --limit 100000 --json | jq -r .id",
    )
)
@click.option("--model", shell_complete=complete_model, help="Only jobs of this model.")
@click.option("--status", type=click.Choice(STATUSES), help="Only jobs that are in this status now.")
@click.option("--tag", metavar="T", help="Only jobs with exactly this tag.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="The most jobs to list."
)
@server_options
def jobs(api: Celeriac, model: str | None, status: str | None, tag: str | None, limit: int, as_json: bool) -> None:
    """List your own jobs, the newest first.

    With --json one record a line, as they come from the server: any number of them takes little memory.
    """
    records = (job.record for job in islice(api.jobs(model=model, status=status, tag=tag), limit))
    if as_json:
        for record in records:
            click.echo(json.dumps(record))
        return
    listed = list(records)
    console().print(jobs_table(listed))
    for line in job_failure_lines(listed):
        click.echo(line)
