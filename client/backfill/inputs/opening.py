"""An input as a user names it -> a source, checked against the model before anything is sent."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path
from typing import BinaryIO, TypeAlias

from client.backfill.chunk import UnreadRow
from client.backfill.fit import Fit
from client.backfill.inputs.block_reader import BlockSource
from client.backfill.inputs.csv_source import open_csv
from client.backfill.inputs.json_lines_source import open_json_lines
from client.backfill.inputs.key_check import require_unique
from client.backfill.inputs.npy_source import open_npy
from client.backfill.inputs.npz_source import open_npz
from client.backfill.inputs.options import ReadOptions
from client.backfill.inputs.path_list_source import open_path_list
from client.backfill.inputs.picture_bytes import SUFFIXES
from client.backfill.inputs.picture_source import open_pictures
from client.backfill.inputs.standard_input import SpooledInput
from client.backfill.parquet_module import parquet_module
from client.backfill.source import Source
from client.errors import InputError
from client.input_file import STANDARD_INPUT

Open: TypeAlias = Callable[[Path, Fit, ReadOptions], BlockSource]

PICTURES = "pictures"

#: Kinds of one file, by the names that `--format` has for them.
_OPENERS: Mapping[str, Open] = {
    "npy": open_npy,
    "npz": open_npz,
    "csv": open_csv,
    "jsonl": open_json_lines,
    "paths": open_path_list,
}
_PARQUET = "parquet"
FORMATS = (PICTURES, *_OPENERS, _PARQUET)

_SUFFIXES = {
    ".npy": "npy",
    ".npz": "npz",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": _PARQUET,
    ".pq": _PARQUET,
    ".txt": "paths",
}
_GZIP_SUFFIX = ".gz"

#: When none of so many rows at the beginning fits the model, the input is refused as a whole.
_TRIED_ROWS = 1000


def open_source(
    names: str | Sequence[str],
    fit: Fit,
    options: ReadOptions | None = None,
    *,
    format: str | None = None,
    stdin: BinaryIO | None = None,
    spool_folder: Path | None = None,
) -> Source:
    """Open an input and check it against the model: its names, dtypes, shapes, and that its keys are unique.

    Args:
        names: A file, a folder or a pattern; several of pictures; or "-", standard input.
        fit: What the model takes.
        options: How it is read.
        format: One of `FORMATS`; None: the suffix says it.
        stdin: Where "-" is read from, to its end; None: the process's standard input.
        spool_folder: Where standard input is put aside until the source is closed; None: for temporary files.

    Raises:
        InputError: It cannot be read, or no row of it can fit the model.
    """
    listed = [names] if isinstance(names, str) else list(names)
    options = options or ReadOptions()
    if format is not None and format not in FORMATS:
        raise InputError(f"The format {format!r} is not known; expected one of {', '.join(FORMATS)}.")
    if listed == [STANDARD_INPUT]:
        source = _open_standard_input(fit, options, format, stdin or _standard_input(), spool_folder)
    else:
        source = _open_names(listed, fit, options, format)
    try:
        _try_rows(source, fit)
        if source.keys is not None:
            require_unique(source.keys, "The id")
    except BaseException:
        source.close()
        raise
    return source


def _open_names(names: Sequence[str], fit: Fit, options: ReadOptions, format: str | None) -> BlockSource:
    if not names:
        raise InputError("There is no input; expected a file, a folder, a pattern or - for standard input.")
    if STANDARD_INPUT in names:
        raise InputError("Standard input (-) comes alone, without other inputs.")
    kinds = {format or _kind(name) for name in names}
    if kinds == {PICTURES}:
        return _marked(open_pictures(names, fit, options), PICTURES, options)
    paths = [path for name in names for path in _files(name)]
    if len(paths) != 1:
        raise InputError(f"Expected one file, or several pictures; found {len(paths)}: {', '.join(paths[:3])}.")
    (kind,) = kinds
    path = Path(paths[0])
    if not path.is_file():
        what = "is no file" if path.exists() else "does not exist"
        raise InputError(f"{path} {what}; expected a {kind} file.")
    return _marked(_opener(kind)(path, fit, options), kind, options)


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise InputError("Standard input is closed; expected the rows there. Give them, or name a file.")
    return sys.stdin.buffer


def _open_standard_input(
    fit: Fit, options: ReadOptions, format: str | None, stdin: BinaryIO, folder: Path | None
) -> BlockSource:
    if format is None or format == PICTURES:
        formats = ", ".join(name for name in FORMATS if name != PICTURES)
        raise InputError(f"Standard input has no suffix; say what it is with --format, one of {formats}.")
    opener = _opener(format)
    spooled = SpooledInput(stdin, folder)
    try:
        source = opener(spooled.path, fit, replace(options, folder=options.folder or Path()))
    except BaseException:
        spooled.close()
        raise
    return _marked(replace(source, fingerprint=spooled.fingerprint, discard=spooled.close), format, options)


def _kind(name: str) -> str:
    path = Path(name)
    suffix = (Path(path.stem) if path.suffix.lower() == _GZIP_SUFFIX else path).suffix.lower()
    if path.is_dir():
        return PICTURES
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if suffix in SUFFIXES or (has_magic(name) and not path.exists()):
        return PICTURES
    raise InputError(
        f"The suffix of {name} says not what it is; expected {', '.join(_SUFFIXES)} (text also with {_GZIP_SUFFIX}), a "
        "picture or a folder of pictures. Or say --format."
    )


def _files(name: str) -> list[str]:
    if not has_magic(name) or Path(name).exists():
        return [name]
    return sorted(glob(name, recursive=True))  # noqa: PTH207, see picture_files


def _opener(kind: str) -> Open:
    if kind != _PARQUET:
        return _OPENERS[kind]
    opener: Open = parquet_module("client.backfill.inputs.parquet_source", InputError).open_parquet
    return opener


def _marked(source: BlockSource, kind: str, options: ReadOptions) -> BlockSource:
    """With what else decides which rows and keys it has."""
    how = {"kind": kind, "id_column": options.id_column, "encoding": options.encoding}
    return replace(source, fingerprint={**how, "round_floats": options.round_floats, **source.fingerprint})


def _try_rows(source: BlockSource, fit: Fit) -> None:
    """Return when one of the first rows fits. Of pictures none needs to: each may be damaged by itself."""
    if source.fingerprint["kind"] in (PICTURES, "paths"):
        return
    refused: list[UnreadRow] = []
    with closing(source.read(0)) as reader:
        while len(refused) < _TRIED_ROWS and (rows := reader.next(1, 1)):
            if not isinstance(rows[0], UnreadRow):
                return
            refused.append(rows[0])
    if refused:
        tried = f"None of the first {len(refused)} rows fits" if len(refused) > 1 else "The only row does not fit"
        raise InputError(f"{tried} model {fit.model!r}. Row 0: {refused[0].reason}")
