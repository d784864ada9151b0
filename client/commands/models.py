"""The command `celeriac models`."""

from __future__ import annotations

import json

import click

from client.celeriac import Celeriac
from client.commands.examples import examples
from client.commands.server_options import server_options
from client.tables import console, failure_lines, models_table


@click.command(epilog=examples("celeriac models", "celeriac models --json | jq '.models[].name'"))
@server_options
def models(api: Celeriac, as_json: bool) -> None:
    """List the models: whether they are ready, what they take, how many jobs wait."""
    served = api.models()
    if as_json:
        click.echo(json.dumps({"models": served}))
        return
    console().print(models_table(served))
    for line in failure_lines(served):
        click.echo(line)
