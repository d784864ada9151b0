"""The commands `celeriac pause` and `celeriac resume`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from client.celeriac import Celeriac
from client.commands.examples import examples
from client.commands.model_names import complete_model
from client.commands.server_options import server_options


@click.command(epilog=examples("celeriac pause digits-h5"))
@click.argument("model", shell_complete=complete_model)
@server_options
def pause(api: Celeriac, model: str, as_json: bool) -> None:
    """Pause the queue of MODEL: its workers begin no more jobs, and what is submitted waits."""
    _tell(api.pause(model), as_json)


@click.command(epilog=examples("celeriac resume digits-h5"))
@click.argument("model", shell_complete=complete_model)
@server_options
def resume(api: Celeriac, model: str, as_json: bool) -> None:
    """Let the queue of MODEL go on."""
    _tell(api.resume(model), as_json)


def _tell(card: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(card))
        return
    state = "is paused" if card.get("paused") else "goes on"
    click.echo(f"The queue of {card.get('name')} {state}; {card.get('queued')} jobs wait.")
