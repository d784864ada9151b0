"""A backfill's checkpoint: which run this is, what is on its way, and what the output's files hold.

It is an SQLite database, so what changes together changes in one step: rows are written in the moment in which the
transaction with the files' positions is. A run locks it; it is free again when the run ends, however it does.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from client.backfill.checkpoint_errors import UnreadableCheckpoint, checkpoint_error
from client.backfill.outputs.durable_file import remove
from client.backfill.run_state import RunState, Span, SubmittedChunk
from client.errors import CheckpointError

#: SQLite keeps both in the file's header. The first says whose file it is ("Cele"), the second which tables it has.
APPLICATION_ID = 0x43656C65
FORMAT = 1

_TABLES = {
    "run": """only_row INTEGER PRIMARY KEY CHECK (only_row = 1), identity TEXT NOT NULL, started_at TEXT NOT NULL,
        is_cleared INTEGER NOT NULL, position INTEGER NOT NULL, rows_done INTEGER NOT NULL,
        rows_failed INTEGER NOT NULL, output TEXT, errors TEXT, finished_at TEXT""",
    "chunk": "first INTEGER PRIMARY KEY, rows INTEGER NOT NULL, idempotency_key TEXT NOT NULL, job_id TEXT",
    # What is written beyond run.position, where rows are written as they come.
    "island": "first INTEGER PRIMARY KEY, rows INTEGER NOT NULL",
    "unfreed": "job_id TEXT PRIMARY KEY",
}


class Checkpoint:
    """One run's checkpoint, locked for as long as it is open; to be used from one thread at a time.

    Every method raises `CheckpointError` when the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file.

        Raises:
            CheckpointError: Another process has it open, it is damaged, or it is no checkpoint of this version.
        """
        self._path = path
        with self._telling():
            # No transactions but ours; another process's lock is told at once.
            self._database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._database.close()
                raise

    def _prepare(self) -> None:
        # Asked for before the first access, the lock makes shared memory needless: network file systems have none.
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("BEGIN IMMEDIATE")
        application, version = self._number("application_id"), self._number("user_version")
        if application == 0 and not self._database.execute("SELECT 1 FROM sqlite_master").fetchone():
            self._make_tables()
        elif application != APPLICATION_ID:
            raise CheckpointError(f"{self._path} is there and no checkpoint of a backfill. Move it away.")
        elif version != FORMAT:
            raise UnreadableCheckpoint(
                f"{self._path} is of another version of Celeriac: its format is {version}, this one's is {FORMAT}. "
                "Go on with that version, or begin anew with --restart."
            )
        self._database.execute("COMMIT")
        if self._database.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("its pages contradict each other")

    def _number(self, pragma: str) -> int:
        return int(self._database.execute(f"PRAGMA {pragma}").fetchone()[0])

    def _make_tables(self) -> None:
        for table, columns in _TABLES.items():
            self._database.execute(f"DROP TABLE IF EXISTS {table}")
            self._database.execute(f"CREATE TABLE {table} ({columns})")
        self._database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._database.execute(f"PRAGMA user_version = {FORMAT}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let go of the lock."""
        with suppress(sqlite3.Error):
            self._database.close()

    def load(self) -> RunState | None:
        """Where the run is; None when there is none yet."""
        with self._telling():
            self._database.row_factory = sqlite3.Row
            run = self._database.execute("SELECT * FROM run").fetchone()
            chunks = self._database.execute("SELECT * FROM chunk ORDER BY first").fetchall()
            islands = self._database.execute("SELECT first, rows FROM island ORDER BY first").fetchall()
            unfreed = self._database.execute("SELECT job_id FROM unfreed").fetchall()
            try:
                return run and _state(run, chunks, islands, unfreed)
            except (IndexError, TypeError, ValueError) as error:
                raise sqlite3.DatabaseError(f"a value is no checkpoint's, {error}") from error

    def begin(self, identity: Mapping[str, Any], is_cleared: bool) -> None:
        """Make this a new run, whatever was there.

        Args:
            identity: What a later run must agree with to go on; JSON.
            is_cleared: Whether the files of an earlier run are gone; if not, `record_cleared` says when.
        """
        with self._durably():
            self._make_tables()
            self._database.execute(
                "INSERT INTO run VALUES (1, ?, ?, ?, 0, 0, 0, NULL, NULL, NULL)",
                (json.dumps(identity), datetime.now(UTC).isoformat(timespec="seconds"), is_cleared),
            )

    def record_cleared(self) -> None:
        """The files of an earlier run are gone."""
        with self._durably():
            self._database.execute("UPDATE run SET is_cleared = 1")

    def record_submitted(self, chunks: Iterable[SubmittedChunk]) -> None:
        """Remember chunks before they are sent; again for one whose job's id is known now, or that is cut smaller.

        A killed process forgets none. A cut of the power may: then the rows are sent once more, and written once.
        """
        with self._transaction("NORMAL"):
            self._database.executemany(
                "INSERT OR REPLACE INTO chunk VALUES (?, ?, ?, ?)",
                [(chunk.first, chunk.rows, chunk.idempotency_key, chunk.job_id) for chunk in chunks],
            )

    def record_written(
        self, spans: Sequence[Span], rows_failed: int, output: Mapping[str, Any], errors: Mapping[str, Any]
    ) -> None:
        """Rows are durable in the files, which are as long as the positions say: both become true in one step.

        Args:
            spans: The rows written since the last time.
            rows_failed: How many of them are in the error file.
            output: What the output's `flush` returned.
            errors: What the error file's `flush` returned.
        """
        rows = sum(span.rows for span in spans)
        with self._durably():
            for span in spans:
                self._database.execute("INSERT INTO island VALUES (?, ?)", (span.first, span.rows))
                within = "WHERE first >= ? AND first < ?"
                self._database.execute(
                    f"INSERT OR IGNORE INTO unfreed SELECT job_id FROM chunk {within} AND job_id IS NOT NULL",
                    (span.first, span.end),
                )
                self._database.execute(f"DELETE FROM chunk {within}", (span.first, span.end))
            self._database.execute(
                "UPDATE run SET position = ?, rows_done = rows_done + ?, rows_failed = rows_failed + ?, "
                "output = ?, errors = ?",
                (self._take_islands(), rows - rows_failed, rows_failed, json.dumps(output), json.dumps(errors)),
            )

    def _take_islands(self) -> int:
        """Remove the islands that touch the rows written without a gap; where those end then."""
        position: int = self._database.execute("SELECT position FROM run").fetchone()[0]
        while island := self._database.execute("SELECT rows FROM island WHERE first = ?", (position,)).fetchone():
            self._database.execute("DELETE FROM island WHERE first = ?", (position,))
            position += island[0]
        return position

    def record_freed(self, job_ids: Iterable[str]) -> None:
        """The results of written jobs are deleted from the server; until then `RunState.unfreed` names them."""
        with self._transaction("NORMAL"):
            self._database.executemany("DELETE FROM unfreed WHERE job_id = ?", ((job_id,) for job_id in job_ids))

    def finish(self) -> None:
        """The output is complete."""
        with self._durably():
            self._database.execute("UPDATE run SET finished_at = ?", (datetime.now(UTC).isoformat(timespec="seconds"),))

    @contextmanager
    def _durably(self) -> Iterator[None]:
        with self._transaction("FULL"):
            yield

    @contextmanager
    def _transaction(self, synchronous: str) -> Iterator[None]:
        """All of the block or nothing; FULL survives a cut of the power, NORMAL a kill of the process."""
        with self._telling():
            self._database.execute(f"PRAGMA synchronous = {synchronous}")
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise checkpoint_error(self._path, error) from error


def _state(
    run: sqlite3.Row, chunks: Iterable[sqlite3.Row], islands: Iterable[sqlite3.Row], unfreed: Iterable[sqlite3.Row]
) -> RunState:
    return RunState(
        identity=json.loads(run["identity"]),
        started_at=datetime.fromisoformat(run["started_at"]),
        is_cleared=bool(run["is_cleared"]),
        position=int(run["position"]),
        rows_done=int(run["rows_done"]),
        rows_failed=int(run["rows_failed"]),
        output=json.loads(run["output"]) if run["output"] else None,
        errors=json.loads(run["errors"]) if run["errors"] else None,
        is_finished=run["finished_at"] is not None,
        pending=tuple(SubmittedChunk(*chunk) for chunk in chunks),
        islands=tuple(Span(*island) for island in islands),
        unfreed=tuple(job_id for (job_id,) in unfreed),
    )


def open_checkpoint(path: Path, restart: bool) -> Checkpoint:
    """The checkpoint at `path`; with `restart` a new one where the old one cannot be read.

    Raises:
        CheckpointError: It cannot be used; nothing was changed.
    """
    try:
        return Checkpoint(path)
    except UnreadableCheckpoint:
        if not restart:
            raise
    for part in ("-wal", ""):
        remove(path.with_name(path.name + part))
    return Checkpoint(path)
