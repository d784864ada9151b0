"""The command `celeriac submit`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from client.celeriac import Celeriac
from client.command_group import EXIT_FAILED
from client.commands.examples import examples
from client.commands.model_names import complete_model
from client.commands.server_options import RESTART_PATIENCE, server_options
from client.errors import ClientError, Unreachable
from client.input_file import read_input, read_together
from client.payload import Payload

#: Lets shells complete it; what is wrong with a file is told when its turn comes.
FILE = click.Path(allow_dash=True, readable=False)


@click.command(
    epilog=examples("celeriac submit digits seven.npy", "celeriac submit coco street.jpg --min-score 0.4 --annotate")
)
@click.argument("model", shell_complete=complete_model)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=FILE)
@click.option("--version", metavar="V", help="The model's version, its number or a label; else the server chooses.")
@click.option("--lane", type=click.Choice(["interactive", "bulk"]), help="Bulk jobs run when no other waits.")
@click.option("--min-score", type=float, metavar="X", help="Detectors: the least score of a detection.")
@click.option("--max-detections", type=click.IntRange(min=1), metavar="N", help="Detectors: the most of a picture.")
@click.option("--annotate", is_flag=True, help="Detectors: also draw the boxes; see result --format png.")
@click.option("--expires-in-s", type=float, metavar="S", help="Do not run it later than this many seconds from now.")
@click.option("--tag", metavar="T", help="A word of yours, kept with the job.")
@click.option("--signature", metavar="NAME", help="Which of the model's signatures to run; else its default one.")
@click.option("--callback-url", metavar="URL", help="Where the server is to send each job's record at its end, signed.")
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
            job = api.patient(RESTART_PATIENCE).submit(model, inputs, version=version, **options)
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


def _read(names: Sequence[str], together: bool, content_type: str | None) -> Payload:
    if together:
        return read_together(names, sys.stdin.buffer, content_type)
    return read_input(names[0], sys.stdin.buffer, content_type)
