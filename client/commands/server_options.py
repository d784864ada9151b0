"""What every command that asks a server takes: where it is, who asks, and that the answer is for a program."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from client.address import API_KEY_VARIABLE, DEFAULT_URL, URL_VARIABLE
from client.celeriac import Celeriac
from client.errors import ClientError
from client.retry import Patience

#: For commands that change something, or many things: with a server that is being restarted.
RESTART_PATIENCE = Patience(total_s=15.0)


def address_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options; the command gets `url`, `api_key` and `as_json`."""
    options = (
        click.option(
            "--url", envvar=URL_VARIABLE, default=DEFAULT_URL, show_default=True, show_envvar=True, help="The server."
        ),
        click.option("--api-key", envvar=API_KEY_VARIABLE, show_envvar=True, help="Sent as a bearer token."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON, also on a terminal."),
    )
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), command)


def server_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options; the command gets a `Celeriac` first, and `as_json`."""

    @address_options
    @functools.wraps(command)
    def with_client(url: str, api_key: str | None, **values: Any) -> None:
        with Celeriac(url, api_key, on_trouble=tell_trouble) as api:
            command(api, **values)

    return with_client


def tell_trouble(error: ClientError) -> None:
    """Say on standard error why it takes longer."""
    click.echo(f"{error} Trying again.", err=True)
