"""The command `celeriac result`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from client.answer import MEDIA_TYPES, check_destination, choose_format, print_answer, save
from client.celeriac import Celeriac
from client.commands.examples import examples
from client.commands.server_options import server_options
from client.retry import Patience
from client.wait_option import WaitCommand


@click.command(
    cls=WaitCommand,
    epilog=examples(
        "celeriac result ID --wait 60 --output boxes.png",
        'celeriac result "$(celeriac submit digits seven.npy)" --wait',
    ),
)
@click.argument("job_id", metavar="ID")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=0,
    metavar="[S]",
    help="Wait until the job ends, at most S seconds if given.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Save the answer; the suffix is its format."
)
@click.option(
    "--format", "asked", type=click.Choice(list(MEDIA_TYPES)), help="The answer's format, whatever the suffix."
)
@click.option("--row", type=click.IntRange(min=0), metavar="N", help="Which drawing, of a job of several pictures.")
@server_options
def result(
    api: Celeriac,
    job_id: str,
    wait_s: float,
    output: Path | None,
    asked: str | None,
    row: int | None,
    as_json: bool,
) -> None:
    """Print or save the answer of job ID.

    The exit code is 0 with an answer, 3 when the job has not ended yet, and 1 when it failed, was cancelled or expired
    or the server cannot be asked.
    """
    is_terminal = sys.stdout.isatty()
    chosen = choose_format(asked, output)
    check_destination(chosen, output, is_terminal)
    patience = Patience(total_s=min(Patience.total_s, wait_s))
    job = api.patient(patience).get_job(job_id, wait_s)
    job.require_result()
    content = job.result_as(MEDIA_TYPES[chosen], row)
    if output is None:
        print_answer(content, chosen, as_table=is_terminal and not as_json and asked is None)
    else:
        save(content, output)
