from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from client.backfill.beginning import begin_or_resume, changed
from client.backfill.output_files import OutputFiles
from client.errors import CheckpointError, OutputError
from tests.backfill_run import IDENTITY, Run


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Of a run that has written two rows."""
    output = tmp_path / "out.jsonl"
    with closing(Run(output)) as run:
        run.answer(0, 2)
        run.recorder.flush()
    return output


def scribble(path: Path) -> None:
    path.write_bytes(b"no database " * 1000)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def spoil_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = random.Random(0).randbytes(len(content) - 4096)
    path.write_bytes(content)


def empty_the_run(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE run SET identity = 'no JSON', output = '{'")


def drop_a_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DROP TABLE island")


@pytest.mark.parametrize("damage", [scribble, cut, spoil_pages, empty_the_run, drop_a_table])
def test_a_damaged_checkpoint_is_told_and_only_a_restart_replaces_it(
    damage: Callable[[Path], None], output: Path
) -> None:
    checkpoint = OutputFiles(output).checkpoint
    damage(checkpoint)
    damaged = checkpoint.read_bytes()
    with pytest.raises(CheckpointError, match=r"is damaged.*begin anew with --restart"):
        Run(output)
    assert checkpoint.read_bytes() == damaged
    with closing(Run(output, restart=True)) as run:
        assert run.state.position == 0
        assert output.read_bytes() == b""


def test_a_checkpoint_of_another_version_is_told(output: Path) -> None:
    with closing(sqlite3.connect(OutputFiles(output).checkpoint)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(CheckpointError, match=r"of another version of Celeriac: its format is 99, this one's is 1"):
        Run(output)
    Run(output, restart=True).close()


def test_another_programs_database_is_never_replaced(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    with closing(sqlite3.connect(OutputFiles(output).checkpoint)) as database, database:
        database.execute("CREATE TABLE theirs (x)")
    for restart in (False, True):
        with pytest.raises(CheckpointError, match="no checkpoint of a backfill"):
            Run(output, restart=restart)
    with closing(sqlite3.connect(OutputFiles(output).checkpoint)) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


def test_an_empty_checkpoint_as_a_kill_leaves_it_is_a_new_one(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    OutputFiles(output).checkpoint.touch()
    with closing(Run(output)) as run:
        assert run.state.position == 0


def test_a_folder_in_the_place_of_a_file_is_told(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    OutputFiles(output).checkpoint.mkdir()
    for restart in (False, True):
        with pytest.raises(CheckpointError, match="cannot be opened"):
            Run(output, restart=restart)
    (tmp_path / "other.jsonl").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        Run(tmp_path / "other.jsonl")
    with pytest.raises(OutputError, match=r"cannot be written: Is a directory"):
        Run(tmp_path / "other.jsonl", restart=True)


def test_an_input_is_never_written_to_even_with_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("rows\n")
    monkeypatch.chdir(tmp_path)
    for restart in (False, True):
        with pytest.raises(OutputError, match="is read as input"):
            begin_or_resume(rows, IDENTITY, restart, ["*.csv", "x" * 1000, "\0", "rows.jsonl"])
    assert rows.read_text() == "rows\n"


def test_an_output_that_is_missing_after_its_backfill_has_finished_is_told(output: Path) -> None:
    with closing(Run(output)) as run:
        run.recorder.finish()
    output.unlink()
    with pytest.raises(OutputError, match="is missing, although its backfill has finished"):
        Run(output)


def test_what_changed_is_told_without_an_end_only_up_to_ten_fields() -> None:
    assert changed(IDENTITY, dict(IDENTITY)) == []
    assert changed({"a": [1], "b": None}, {"a": [1, 2]}) == [
        "a was [1] and is [1, 2] now.",
        "b was null and is not there now.",
    ]
    many = changed({"files": {str(name): 1 for name in range(100)}}, {"files": {str(name): 2 for name in range(100)}})
    assert len(many) == 11
    assert many[-1] == "90 more differ."
