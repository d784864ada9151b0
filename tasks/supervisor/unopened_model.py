"""What can be said of a stored model before a worker opens it: its version, and a guess of the memory that it takes."""

from __future__ import annotations

from pathlib import Path

from model_store.errors import ModelStoreError
from model_store.store import find_model

#: A worker with a model of a few KB takes 300 MB, beside the libraries that all share (tensorflow-cpu 2.21).
EMPTY_WORKER_BYTES = 350_000_000

#: The file's bytes are there once as they were read and once as they are used.
COPIES = 2


def guess_bytes(store: Path, name: str) -> int:
    """A worker's memory by the size of the model's newest version."""
    try:
        path = find_model(store, name).path
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        return EMPTY_WORKER_BYTES + COPIES * sum(file.stat().st_size for file in files)
    except (ModelStoreError, OSError):
        # Its worker will say what is wrong.
        return EMPTY_WORKER_BYTES


def newest_version(store: Path, name: str) -> int | None:
    """The version that a worker would open; None where there is none to be found."""
    try:
        return find_model(store, name).version
    except ModelStoreError:
        return None
