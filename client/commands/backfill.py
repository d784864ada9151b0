"""The command `celeriac backfill`."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from client.backfill.dry_run import Findings, look
from client.backfill.inputs.opening import FORMATS
from client.backfill.inputs.options import ReadOptions
from client.backfill.performing import Server, perform
from client.backfill.progress import Bar, Lines, Progress
from client.backfill.request import Request
from client.backfill.summary import Summary
from client.commands.examples import examples
from client.commands.model_names import complete_model
from client.commands.server_options import address_options
from client.job_options import JobOptions


@click.command(
    epilog=examples(
        "celeriac backfill rows.npy --model digits-h5 --output answers.parquet",
        "celeriac backfill 'street/*.jpg' --model coco --output boxes.jsonl --min-score 0.4",
        "zcat rows.jsonl.gz | celeriac backfill - --format jsonl --model emotions --output answers.jsonl",
    )
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--model", required=True, metavar="M", shell_complete=complete_model, help="The model's name.")
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Where the answers go: .jsonl, .parquet or .npz.",
)
@click.option("--format", type=click.Choice(FORMATS), help="What INPUT is; else its suffix says it.")
@click.option("--id-column", metavar="C", help="The column with each row's key; else its number or path.")
@click.option("--encoding", metavar="E", help="Of text; else UTF-8, or what its byte order mark says.")
@click.option("--round-floats", is_flag=True, help="Round floats of a file to a narrower dtype of the model.")
@click.option("--version", metavar="V", help="The model's version, its number or a label; else the server chooses.")
@click.option("--signature", metavar="NAME", help="Which of the model's signatures to run; else its default one.")
@click.option("--min-score", type=float, metavar="X", help="Detectors: the least score of a detection.")
@click.option("--max-detections", type=click.IntRange(min=1), metavar="N", help="Detectors: the most of a picture.")
@click.option("--tag", metavar="T", help="A word of yours, kept with each job.")
@click.option("--lane", type=click.Choice(["interactive", "bulk"]), default="bulk", show_default=True)
@click.option("--unordered", is_flag=True, help="Write rows as they come, not in the input's order.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rows.")
@click.option("--max-failures", type=click.IntRange(min=0), metavar="N", help="Stop when more than N rows have failed.")
@click.option("--dry-run", is_flag=True, help="Only read INPUT, check it against the model, and try a few rows.")
@click.option("--restart", is_flag=True, help="Begin anew: remove what an earlier run has written there.")
@address_options
def backfill(
    inputs: tuple[str, ...],
    model: str,
    output: Path,
    format: str | None,
    id_column: str | None,
    encoding: str | None,
    round_floats: bool,
    version: str | None,
    unordered: bool,
    limit: int | None,
    max_failures: int | None,
    dry_run: bool,
    restart: bool,
    url: str,
    api_key: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Bring every row of INPUT through the model and write the answers to OUT.

    INPUT is a folder, a pattern or a list of pictures; a .npy, .npz, .csv, .jsonl or .parquet file; a .txt file with a
    picture's path a line; or - for standard input. Each row has a key, and each key is exactly once in OUT or in
    OUT.errors.jsonl, which says why it has no answer.

    It may be stopped or killed at any moment: the same command goes on where it was, with OUT.checkpoint. The exit code
    is 0 when all rows have answers, 2 when some failed, and 1 when it was stopped or could not be done.
    """
    request = Request(
        inputs=inputs,
        format=format,
        reading=ReadOptions(id_column=id_column, encoding=encoding, round_floats=round_floats),
        model=model,
        version=version,
        options=JobOptions(**options),
        output=output,
        is_ordered=not unordered,
        limit=limit,
        most_failures=max_failures,
        restart=restart,
    )
    progress = _progress()
    try:
        found = (look if dry_run else perform)(request, Server(url, api_key), progress)
    finally:
        progress.close()
    _tell(found, as_json)
    sys.exit(found.exit_code)


def _progress() -> Progress:
    # There is none where the shell has closed it.
    has_terminal = sys.stderr is not None and sys.stderr.isatty()
    return Bar(Console(stderr=True)) if has_terminal else Lines()


def _tell(found: Summary | Findings, as_json: bool) -> None:
    click.echo(json.dumps(found.to_json()) if as_json else found.to_text())
    if isinstance(found, Summary) and found.stopped is not None:
        click.echo(found.stopped, err=True)
        click.echo(f"To go on: {_same_command()}", err=True)


def _same_command() -> str:
    return shlex.join(["celeriac", *(argument for argument in sys.argv[1:] if argument != "--restart")])
