"""What SQLite says of a checkpoint, as sentences about the run."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from client.errors import CheckpointError


class UnreadableCheckpoint(CheckpointError):
    """It is a checkpoint, or was one, and cannot be read: a restart may replace it."""


#: By SQLite's primary result code.
_SENTENCES = {
    sqlite3.SQLITE_BUSY: "Another backfill writes to this output: {path} is locked. Wait for it, or stop it.",
    sqlite3.SQLITE_CANTOPEN: "{path} cannot be opened: {error}. Is its folder one that you may write to?",
    sqlite3.SQLITE_READONLY: "{path} cannot be written: {error}. May you write to it and to its folder?",
    sqlite3.SQLITE_FULL: "{path} cannot be written: the disk is full. Make room and run the same command again.",
    sqlite3.SQLITE_IOERR: "{path} cannot be read or written: {error}. When that is mended, run the same command again.",
}
_DAMAGED = "{path} is damaged: {error}. Put back a copy of it and of the output, or begin anew with --restart."

#: SQLite keeps the primary code in the lowest byte of a result code.
_PRIMARY = 0xFF


def checkpoint_error(path: Path, error: sqlite3.Error) -> CheckpointError:
    """The sentence for an error of SQLite's; what is neither the lock nor the disk is damage."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & _PRIMARY
    if code in _SENTENCES:
        return CheckpointError(_SENTENCES[code].format(path=path, error=error))
    return UnreadableCheckpoint(_DAMAGED.format(path=path, error=error))
