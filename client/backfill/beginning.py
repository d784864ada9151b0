"""How a backfill's run begins: as a new one, as one that goes on, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from client.backfill.checkpoint import Checkpoint, open_checkpoint
from client.backfill.output_files import OutputFiles
from client.backfill.outputs.durable_file import remove
from client.backfill.outputs.output import output_opener
from client.backfill.run_state import RunState
from client.errors import CheckpointError, OutputError

#: More fields than that say no more than "it is another input".
_MOST_CHANGES = 10
#: A value may be a list of many files.
_MOST_CHARACTERS = 200

_HOW_TO_GO_ON = "Ask for what it was to go on, name another output, or begin anew with --restart."


def begin_or_resume(
    output: Path, identity: Mapping[str, Any], restart: bool, inputs: Sequence[str] = ()
) -> tuple[Checkpoint, RunState]:
    """The checkpoint of an output, locked for this run, and where the run is.

    Args:
        output: The file that the user named.
        identity: The run's input, model, version and options as JSON; to go on, they must be what they were.
        restart: Begin anew: what is at the output, and beside it from an earlier run, is removed.
        inputs: The files that the user named: none may be written to, whatever is said.

    Raises:
        OutputError: The name says no format, the output is there and no run of ours wrote it, or it is an input.
        CheckpointError: Another run writes there, the checkpoint is damaged or of another version, or another input,
            model or option is asked for than before; the sentences say which.
    """
    output_opener(output)
    files = OutputFiles(output)
    there = {path for path in (*files.written, files.checkpoint) if _is_there(path)}
    _refuse_inputs(files, inputs)
    if not restart and files.checkpoint not in there:
        _refuse_what_is_there(files)
    checkpoint = open_checkpoint(files.checkpoint, restart)
    try:
        state = _begin(files, checkpoint, identity, restart)
    except BaseException:
        checkpoint.close()
        raise
    return checkpoint, state


def _begin(files: OutputFiles, checkpoint: Checkpoint, identity: Mapping[str, Any], restart: bool) -> RunState:
    if restart:
        checkpoint.begin(identity, is_cleared=False)
    state = checkpoint.load()
    if state is None:
        _refuse_what_is_there(files)
        checkpoint.begin(identity, is_cleared=True)
    elif changes := changed(state.identity, identity):
        raise CheckpointError("\n".join([f"{files.checkpoint} is of another run.", *changes, _HOW_TO_GO_ON]))
    state = _loaded(checkpoint)
    if state.is_finished:
        _tidy_finished(files)
    if not state.is_cleared:
        # Killed in here, the next run finds that the files have still to go.
        for path in files.written:
            remove(path)
        checkpoint.record_cleared()
    return _loaded(checkpoint)


def _loaded(checkpoint: Checkpoint) -> RunState:
    state = checkpoint.load()
    if state is None:
        raise CheckpointError("The checkpoint has lost its run. Is its file written by something else?")
    return state


def _refuse_what_is_there(files: OutputFiles) -> None:
    for path in files.written:
        if _is_there(path):
            raise OutputError(
                f"{path} exists already and has no checkpoint. Name another output, or replace it with --restart."
            )


def _is_there(path: Path) -> bool:
    try:
        return path.is_symlink() or path.exists()
    except OSError as error:
        # A name that is too long, a folder that may not be entered.
        raise OutputError(f"{path} cannot be written: {error.strerror}. Name another output.") from None


def _refuse_inputs(files: OutputFiles, inputs: Sequence[str]) -> None:
    for path in (*files.written, files.checkpoint):
        if any(_is_same(path, name) for name in inputs):
            raise OutputError(f"{path} is read as input; a backfill cannot write there too. Name another output.")


def _is_same(path: Path, name: str) -> bool:
    try:
        return path.samefile(name)
    except (OSError, ValueError):
        # One of them is not there, or no name of a file, such as a pattern.
        return False


def _tidy_finished(files: OutputFiles) -> None:
    if not _is_there(files.output):
        raise OutputError(
            f"{files.output} is missing, although its backfill has finished. Put it back, or begin anew with --restart."
        )
    # Here when the run was killed behind its last step.
    for path in (files.spool, files.unfinished):
        remove(path)


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two identities, a sentence a field, such as "version was 3 and is 4 now."."""
    old, new = dict(_fields(before)), dict(_fields(now))
    sentences = [
        f"{name} was {_told(old, name)} and is {_told(new, name)} now."
        for name in {**old, **new}
        if _json(old, name) != _json(new, name)
    ]
    if len(sentences) > _MOST_CHANGES:
        return [*sentences[:_MOST_CHANGES], f"{len(sentences) - _MOST_CHANGES} more differ."]
    return sentences


def _fields(identity: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that is no object, by its path such as `input.size_bytes`."""
    for name, value in identity.items():
        if isinstance(value, Mapping):
            yield from _fields(value, f"{within}{name}.")
        else:
            yield within + name, value


def _json(fields: Mapping[str, Any], name: str) -> str:
    return json.dumps(fields[name], ensure_ascii=False) if name in fields else "not there"


def _told(fields: Mapping[str, Any], name: str) -> str:
    text = _json(fields, name)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
