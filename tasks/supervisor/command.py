"""The command `celeriac up`."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

import click

from model_store.errors import ModelStoreError
from tasks.errors import TasksError
from tasks.settings import read_settings
from tasks.supervisor import front, leash
from tasks.supervisor.lineup import lineup, servable


@click.command(epilog="\b\nExamples:\n  celeriac up\n  CELERIAC_MODEL_STORE=~/models PORT=8080 celeriac up")
@click.option(
    "--stop-with-parent",
    is_flag=True,
    help="Stop when the process that started this one ends, for example make.",
)
def up(stop_with_parent: bool) -> None:
    """Run everything: broker, a worker for each model, keeper, API, Flower.

    Starts again what dies, and stops all of it on Ctrl-C. Ends with 0 after a stop that was asked for, with 1 when it
    cannot go on without the broker or the API, with 2 when it could not start.
    """
    if stop_with_parent:
        leash.end_with_parent(signal.SIGTERM)
        if leash.is_orphan():
            raise SystemExit(0)
    try:
        settings = read_settings()
        code = front.run(settings, lineup(settings, servable(settings.model_store, _say)), _say)
    except (TasksError, ModelStoreError) as error:
        click.echo(str(error), err=True)
        code = 2
    sys.exit(code)


def _say(line: str) -> None:
    # Nobody may be listening any more; that is no reason to stop.
    with suppress(OSError):
        click.echo(line)


if __name__ == "__main__":
    up()
