"""The command `celeriac status`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from client.async_celeriac import AsyncCeleriac
from client.celeriac import Celeriac
from client.command_group import EXIT_FAILED
from client.commands.examples import examples
from client.commands.server_options import address_options, tell_trouble
from client.errors import ClientError
from client.job_text import job_failure_lines, job_text
from client.record import JobRecord
from client.tables import console, jobs_table

#: Each is a connection, and a thread of the server's.
MOST_FOLLOWED = 64


@click.command(
    epilog=examples("celeriac status ID", 'celeriac status --follow "$(celeriac submit digits-h5 seven.npy)"')
)
@click.argument("job_ids", nargs=-1, required=True, metavar="ID...")
@click.option("--follow", is_flag=True, help="Tell each change, also of the place in the queue, until all have ended.")
@address_options
def status(job_ids: tuple[str, ...], follow: bool, url: str, api_key: str | None, as_json: bool) -> None:
    """Say how the jobs ID are.

    The exit code is 0 when all were found, and with --follow when all succeeded; 1 otherwise.
    """
    wanted = list(dict.fromkeys(job_ids))
    if not follow:
        is_fine = _tell_all(url, api_key, wanted, as_json)
    elif len(wanted) > MOST_FOLLOWED:
        raise click.UsageError(f"At most {MOST_FOLLOWED} jobs can be followed at once; these are {len(wanted)}.")
    else:
        is_fine = asyncio.run(_follow_all(url, api_key, wanted, as_json))
    if not is_fine:
        sys.exit(EXIT_FAILED)


def _tell_all(url: str, api_key: str | None, job_ids: Sequence[str], as_json: bool) -> bool:
    with Celeriac(url, api_key, on_trouble=tell_trouble) as api:
        found = api.query(job_ids)
    records = [entry.body for entry in found.values() if isinstance(entry, JobRecord)]
    if as_json:
        for record in records:
            click.echo(json.dumps(record))
    elif records:
        console().print(jobs_table(records))
        for line in job_failure_lines(records):
            click.echo(line)
    for job_id, entry in found.items():
        if isinstance(entry, ClientError):
            click.echo(f"{job_id}: {entry}", err=True)
    return len(records) == len(job_ids)


async def _follow_all(url: str, api_key: str | None, job_ids: Sequence[str], as_json: bool) -> bool:
    async with AsyncCeleriac(url, api_key, connections=len(job_ids), on_trouble=tell_trouble) as api:
        return all(await asyncio.gather(*(_follow(api, job_id, as_json) for job_id in job_ids)))


async def _follow(api: AsyncCeleriac, job_id: str, as_json: bool) -> bool:
    """Whether the job succeeded."""
    has_succeeded = False
    try:
        async for record in api.follow(job_id):
            click.echo(_line(record.body, as_json))
            has_succeeded = record.status == "succeeded"
    except ClientError as error:
        click.echo(f"{job_id}: {error}", err=True)
    return has_succeeded


def _line(record: Mapping[str, Any], as_json: bool) -> str:
    return json.dumps(record) if as_json else f"{record['id']}  {job_text(record)}"
