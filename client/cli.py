"""The command `celeriac`: the client's commands put together. Server commands join them, see `command_group`."""

from __future__ import annotations

import click

from client.command_group import CommandGroup
from client.commands.backfill import backfill
from client.commands.cancel import cancel
from client.commands.completion import completion
from client.commands.examples import examples
from client.commands.jobs import jobs
from client.commands.models import models
from client.commands.pause import pause, resume
from client.commands.result import result
from client.commands.status import status
from client.commands.submit import submit


@click.group(name="celeriac", cls=CommandGroup, epilog=examples("celeriac models", "celeriac submit --help"))
@click.version_option(package_name="celeriac")
def main() -> None:
    """Submit jobs to the models of a Celeriac server and fetch their results."""


for _command in (submit, backfill, result, status, cancel, jobs, models, pause, resume, completion):
    main.add_command(_command)
