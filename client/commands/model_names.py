"""The names of the server's models, for the shell to complete."""

from __future__ import annotations

import threading

import click
from click.shell_completion import CompletionItem

from client.celeriac import Celeriac
from client.errors import ClientError
from client.retry import Patience

#: Somebody has pressed a key and waits: a server that takes longer, or is away, completes nothing.
LIMIT_S = 1.0


def complete_model(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The models that begin so, with their statuses."""
    found: list[CompletionItem] = []

    def ask() -> None:
        try:
            with Celeriac(ctx.params.get("url"), ctx.params.get("api_key"), patience=Patience(total_s=0)) as api:
                models = api.models()
        except ClientError:
            return
        found.extend(
            CompletionItem(str(model["name"]), help=str(model.get("status", "")))
            for model in models
            if str(model.get("name", "")).startswith(incomplete)
        )

    # Not a time limit of the client's: finding a host's address has none, and each part of an answer has its own.
    asking = threading.Thread(target=ask, name="complete-model", daemon=True)
    asking.start()
    asking.join(LIMIT_S)
    return list(found)
