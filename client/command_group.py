"""The commands of `celeriac`: the client's own, and those that an installed server joins to them.

A command joins by an entry point of the group `celeriac.commands` that names a click command. It is loaded only
when it is invoked or listed, so that the client starts without the server's packages.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from client.errors import ClientError, JobUnfinished

JOINED_GROUP = "celeriac.commands"
EXIT_FAILED = 1
EXIT_UNFINISHED = 3


class CommandGroup(click.Group):
    """A group with its own commands and the joined ones; its own win. Errors of the client end as sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted; nothing is loaded for it."""
        return sorted({*super().list_commands(ctx), *_joined()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, loaded now; None when there is none."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        entry_point = _joined().get(cmd_name)
        return None if entry_point is None else load_command(entry_point)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; its exit code is 3 for an unfinished job, 1 for any other error of the client."""
        try:
            return super().invoke(ctx)
        except ClientError as error:
            click.echo(str(error), err=True)
            ctx.exit(EXIT_UNFINISHED if isinstance(error, JobUnfinished) else EXIT_FAILED)


def load_command(entry_point: EntryPoint) -> click.Command:
    """The command that an entry point names, or one that says why it cannot be had."""
    try:
        command = entry_point.load()
    except Exception as error:  # Whatever is wrong with one command, the others must go on.
        return _unavailable(entry_point.name, f"{type(error).__name__}: {error}")
    if not isinstance(command, click.Command):
        return _unavailable(entry_point.name, f"{entry_point.value} is a {type(command).__name__}, no click command")
    return command


def _unavailable(name: str, reason: str) -> click.Command:
    sentence = f"`celeriac {name}` is not available here ({reason}). Install the server to have it."

    def refuse() -> None:
        raise ClientError(sentence)

    return click.Command(
        name,
        callback=refuse,
        help=sentence,
        short_help=f"Not available here ({reason}).",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


def _joined() -> dict[str, EntryPoint]:
    return {entry_point.name: entry_point for entry_point in entry_points(group=JOINED_GROUP)}
