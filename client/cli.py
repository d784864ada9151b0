"""The command `celeriac`: submit jobs, fetch results, list models. Server commands join it, see `command_group`."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from client.address import DEFAULT_URL
from client.answer import MEDIA_TYPES, check_destination, choose_format, print_answer, save
from client.celeriac import Celeriac
from client.command_group import EXIT_FAILED, CommandGroup
from client.commands.backfill import backfill
from client.errors import ClientError, Unreachable
from client.input_file import read_input, read_together
from client.payload import Payload
from client.retry import Patience
from client.tables import console, failure_lines, models_table
from client.wait_option import WaitCommand

#: Long enough for a server that is being restarted.
SUBMIT_PATIENCE = Patience(total_s=15.0)


def server_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what every command that asks a server takes; the command gets a `Celeriac` first, and `as_json`."""

    @click.option(
        "--url", envvar="CELERIAC_URL", default=DEFAULT_URL, show_default=True, show_envvar=True, help="The server."
    )
    @click.option("--api-key", envvar="CELERIAC_API_KEY", show_envvar=True, help="Sent as a bearer token.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, also on a terminal.")
    @functools.wraps(command)
    def with_client(url: str, api_key: str | None, **values: Any) -> None:
        with Celeriac(url, api_key, on_trouble=_tell_trouble) as api:
            command(api, **values)

    return with_client


def _examples(*lines: str) -> str:
    # The first line keeps click from filling the others into a paragraph.
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(name="celeriac", cls=CommandGroup, epilog=_examples("celeriac models", "celeriac submit --help"))
@click.version_option(package_name="celeriac")
def main() -> None:
    """Submit jobs to the models of a Celeriac server and fetch their results."""


@main.command(
    epilog=_examples("celeriac submit digits seven.npy", "celeriac submit coco street.jpg --min-score 0.4 --annotate")
)
@click.argument("model")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--version", metavar="V", help="The model's version, its number or a label; else the server chooses.")
@click.option("--lane", type=click.Choice(["interactive", "bulk"]), help="Bulk jobs run when no other waits.")
@click.option("--min-score", type=float, metavar="X", help="Detectors: the least score of a detection.")
@click.option("--max-detections", type=click.IntRange(min=1), metavar="N", help="Detectors: the most of a picture.")
@click.option("--annotate", is_flag=True, help="Detectors: also draw the boxes; see result --format png.")
@click.option("--expires-in-s", type=float, metavar="S", help="Do not run it later than this many seconds from now.")
@click.option("--tag", metavar="T", help="A word of yours, kept with the job.")
@click.option("--signature", metavar="NAME", help="Which of the model's signatures to run; else its default one.")
@click.option("--together", is_flag=True, help="One job of all FILEs, which are pictures: a row each.")
@click.option("--content-type", metavar="TYPE", help="What the files are; else their suffixes say it.")
@server_options
def submit(
    api: Celeriac,
    model: str,
    files: tuple[str, ...],
    version: str | None,
    content_type: str | None,
    together: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Submit one job for each FILE, or one of all together, to MODEL and print the jobs' ids, one a line.

    A FILE is an array (.npy, .npz), JSON with "instances" or "inputs" (.json), a picture (.jpg, .jpeg, .png, .webp,
    .gif, .bmp, .tif, .tiff), or - for standard input with --content-type. What is wrong with one file is told on
    standard error, the others go on, and the exit code is 1. A server that says "not now" or does not answer is asked
    again for 15 s; that makes no second job.
    """
    has_failed = False
    for names in [files] if together else [(name,) for name in files]:
        name = f"{len(names)} files together" if together else names[0]
        try:
            inputs = _read(names, together, content_type)
            job = api.patient(SUBMIT_PATIENCE).submit(model, inputs, version=version, **options)
        except Unreachable as error:
            # The files after it would fare no better.
            raise Unreachable(f"{name}: {error}" + (" Stopped here." if names[-1] != files[-1] else "")) from error
        except ClientError as error:
            click.echo(f"{name}: {error}", err=True)
            has_failed = True
        else:
            click.echo(json.dumps(job.record) if as_json else job.id)
    if has_failed:
        sys.exit(EXIT_FAILED)


@main.command(
    cls=WaitCommand,
    epilog=_examples(
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


@main.command(epilog=_examples("celeriac models", "celeriac models --json | jq '.models[].name'"))
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


def _read(names: Sequence[str], together: bool, content_type: str | None) -> Payload:
    if together:
        return read_together(names, sys.stdin.buffer, content_type)
    return read_input(names[0], sys.stdin.buffer, content_type)


def _tell_trouble(error: ClientError) -> None:
    click.echo(f"{error} Trying again.", err=True)


main.add_command(backfill)
