"""The command `celeriac inspect`: what a model file is, and whether it can be served."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import click

from model_store.errors import ModelStoreError
from model_store.spec import SPEC_FILE_NAME, parse_spec
from model_store.store import FILE_SUFFIXES
from model_store.trust.digest import artifact_digest
from tasks.inspection.findings import Findings
from tasks.inspection.process import inspect_apart
from tasks.inspection.report import Report, printable, to_json, to_lines
from tasks.inspection.starting_toml import starting_toml, write_new
from tasks.inspection.subject import Subject, find_subject, refuse_other_files

EXIT_CANNOT_BE_SERVED = 2


@click.command(epilog="\b\nExamples:\n  celeriac inspect models/my-model\n  celeriac inspect frozen.pb --json")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--toml", "toml_file", type=click.Path(path_type=Path), metavar="FILE", help="Write model.toml to FILE.")
@click.option("--no-toml", is_flag=True, help="Write no model.toml.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    metavar="S",
    help="Give up after so many seconds.",
)
def inspect(path: Path, as_json: bool, toml_file: Path | None, no_toml: bool, timeout_s: float) -> None:
    """Say what the model at PATH is, and whether it can be served.

    PATH is a model file, a SavedModel's folder, a version folder or a model's folder, in a model store or anywhere
    else. The model is opened and tried in a process of its own, as a worker would; nothing of one that is not trusted
    runs.

    A first model.toml is written beside the model where there is none and it is the only model there. No file is ever
    overwritten.

    The exit code is 0 for a model that can be served, and 2 with the reason in one line for any other.
    """
    if toml_file and no_toml:
        raise click.UsageError("--toml and --no-toml contradict each other.")
    report = inspected(path, timeout_s)
    if report.loads and not no_toml:
        report = _with_toml(report, toml_file, _toml_place(find_subject(path)))
    if as_json:
        click.echo(json.dumps(to_json(report)))
    else:
        for line in to_lines(report):
            click.echo(line)
        if report.findings.reason:
            click.echo(printable(report.findings.reason), err=True)
    sys.exit(0 if report.loads else EXIT_CANNOT_BE_SERVED)


def inspected(path: Path, timeout_s: float) -> Report:
    """Find out all about the model at a path, but for writing a model.toml."""
    report = Report(path.absolute(), None, None, Findings())
    try:
        subject = find_subject(path)
        report = Report(subject.path, subject.size_bytes, None, Findings(), subject.spec_file)
        report = replace(report, sha256=artifact_digest(subject.path))
        refuse_other_files(subject)
        if subject.spec_file:
            parse_spec(subject.spec_file.read_text(encoding="utf-8"), subject.spec_file)
    except ModelStoreError as error:
        return replace(report, findings=Findings(reason=" ".join(str(error).split())))
    except (OSError, UnicodeDecodeError) as error:
        return replace(report, findings=Findings(reason=f"{path} cannot be read: {error}."))
    found = inspect_apart(subject, timeout_s)
    return replace(report, findings=found, warnings=tuple(_warnings(found)))


def _warnings(found: Findings) -> list[str]:
    if found.operators_refused and not found.is_refused and found.reason is None:
        return ["Its operators would be refused, but model.toml trusts this very file."]
    return []


def _toml_place(subject: Subject) -> Path | None:
    """Where a first model.toml goes without being asked; None where it would hold for other models too."""
    if subject.path.is_dir() or subject.version is not None:
        return subject.folder / SPEC_FILE_NAME
    models = [entry for entry in subject.folder.iterdir() if entry.suffix.lower() in FILE_SUFFIXES]
    return subject.folder / SPEC_FILE_NAME if models == [subject.path] else None


def _with_toml(report: Report, asked: Path | None, usual: Path | None) -> Report:
    file = asked or (None if report.model_toml else usual)
    if file is not None:
        note = write_new(file, starting_toml(report))
        if note is None:
            return replace(report, model_toml=file.absolute(), is_toml_new=True)
    elif report.model_toml:
        return report
    else:
        note = "No model.toml was written, as other models lie beside this one; see --toml."
    return replace(report, warnings=(*report.warnings, note))


if __name__ == "__main__":
    inspect()
