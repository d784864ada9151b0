"""Whether a model.toml trusts exactly this artifact, and the digest that names one.

A trusted artifact is opened with whatever it brings: any operator, code of its layers. All that decides what it
computes is in its digest, so that nothing else comes in under it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from model_store.errors import LoadError
from model_store.file_format import SAVED_MODEL, recognize
from model_store.spec import ModelSpec
from model_store.store import SAVED_MODEL_FILES

# What TensorFlow reads of a SavedModel's folder. A model.toml, which names the digest, is not among them.
SAVED_MODEL_FOLDERS = ("assets", "assets.extra", "variables")


def is_trusted(path: Path, spec: ModelSpec) -> bool:
    """Whether the `trusted_sha256` of a model.toml has the digest of this artifact.

    Raises:
        LoadError: The artifact cannot be read.
    """
    return bool(spec.trusted_sha256) and artifact_digest(path) in spec.trusted_sha256


def artifact_digest(path: Path) -> str:
    """The SHA-256 of an artifact, as 64 lower-case hex digits.

    A file's is that of its bytes. A SavedModel's is that of the lines which `sha256sum` prints for `saved_model.pb` (or
    `.pbtxt`, or the file of another name) and all files in `assets`, `assets.extra` and `variables` beside it, sorted
    by the bytes of their names.

    Raises:
        LoadError: A file is empty or cannot be read.
    """
    try:
        if path.is_dir():
            return _folder_digest(path, SAVED_MODEL_FILES)
        is_saved_model = recognize(path).name == SAVED_MODEL
        return _folder_digest(path.parent, (path.name,)) if is_saved_model else _file_digest(path)
    except OSError as error:
        raise LoadError(f"{error.filename or path} cannot be read: {error.strerror}.") from None


def _file_digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _folder_digest(folder: Path, files: Sequence[str]) -> str:
    names = sorted(name.encode(errors="surrogateescape") for name in _file_names(folder, files))
    lines = [_line(name, _file_digest(folder / name.decode(errors="surrogateescape"))) for name in names]
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _file_names(folder: Path, files: Sequence[str]) -> Iterator[str]:
    yield from (name for name in files if (folder / name).is_file())
    for name in SAVED_MODEL_FOLDERS:
        for entry in (folder / name).rglob("*"):
            if entry.is_symlink() and entry.is_dir():
                raise LoadError(f"{entry} is a link to a folder, which has no digest: put the files in its place.")
            if entry.is_file():
                yield entry.relative_to(folder).as_posix()


def _line(name: bytes, digest: str) -> bytes:
    """A line break in a name must not look like another file; sha256sum writes it so."""
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return (b"\\" if escaped != name else b"") + digest.encode() + b"  " + escaped + b"\n"
