"""What is guessed of a model that no worker has opened yet: how much memory its worker will take."""

from __future__ import annotations

from pathlib import Path

from model_store.errors import ModelStoreError
from model_store.store import find_model

#: A worker with TensorFlow and a model of a few KB, beside the libraries that all share; measured with the samples.
EMPTY_WORKER_BYTES = 350_000_000

#: The file's bytes are there once as it is read and once as it is used.
COPIES = 2


def guess_bytes(store: Path, name: str) -> int:
    """A worker's memory by the size of its model's newest version."""
    try:
        path = find_model(store, name).path
    except ModelStoreError:
        # Its worker will say what is wrong.
        return EMPTY_WORKER_BYTES
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return EMPTY_WORKER_BYTES + COPIES * sum(file.stat().st_size for file in files)


def newest_version(store: Path, name: str) -> int | None:
    """The version that a worker would open; None where there is none to be found."""
    try:
        return find_model(store, name).version
    except ModelStoreError:
        return None
