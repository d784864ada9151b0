"""The command `celeriac backfill` as people and scripts use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from client.cli import main
from tests.unit.backfill_server import Server
from tests.unit.client_stand_in import Answer, StandIn

ROOT = Path(__file__).parents[2]
ROWS = 400


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def stand_in(server: Server) -> Iterator[StandIn]:
    with server.stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.npy"
    np.save(path, np.repeat(np.arange(ROWS, dtype="float32"), 3).reshape(ROWS, 3))
    return path


def arguments(stand_in: StandIn, rows: Path, *more: str, inputs: str = "") -> list[str]:
    output = str(rows.with_name("out.jsonl"))
    return ["backfill", inputs or str(rows), "--model", "linear", "--output", output, "--url", stand_in.url, *more]


def invoke(stand_in: StandIn, rows: Path, *more: str) -> Result:
    return CliRunner().invoke(main, arguments(stand_in, rows, *more))


def start(stand_in: StandIn, rows: Path, *more: str, inputs: str = "", before: str = ":") -> subprocess.Popen[str]:
    """The command in a process of its own; `before` is what its shell does first."""
    told = arguments(stand_in, rows, *more, inputs=inputs)
    command = [sys.executable, "-c", "from client.cli import main; main()", *told]
    command = ["bash", "-c", f'{before}; exec "$@"', "bash", *command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=rows.parent
    )


def ids(rows: Path) -> list[int]:
    return [int(json.loads(line)["id"]) for line in rows.with_name("out.jsonl").read_text().splitlines()]


def test_the_summary_is_on_standard_output_and_the_progress_is_not(stand_in: StandIn, rows: Path) -> None:
    done = invoke(stand_in, rows)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == f"400 rows answered: {rows.with_name('out.jsonl')}"
    assert ids(rows) == list(range(ROWS))


def test_the_summary_as_json_is_one_object(stand_in: StandIn, server: Server, rows: Path) -> None:
    server.fail = lambda x: "model_error" if 7 in x else None
    done = invoke(stand_in, rows, "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == told["exit_code"] == 2
    assert {name: told[name] for name in ("model", "version", "done", "failed", "total", "found", "stopped")} == {
        "model": "linear",
        "version": 1,
        "done": 399,
        "failed": 1,
        "total": 400,
        "found": 0,
        "stopped": None,
    }


def test_what_is_asked_for_is_asked_of_the_server(stand_in: StandIn, rows: Path) -> None:
    assert invoke(stand_in, rows, "--tag", "night", "--min-score", "0.5").exit_code == 0
    submissions = [request for request in stand_in.requests if request.path.endswith("/jobs")]
    assert {request.path for request in submissions} == {"/v1/models/linear/versions/1/jobs"}
    assert submissions[0].query == {"lane": "bulk", "tag": "night", "min_score": "0.5"}


def test_a_dry_run_reads_everything_tries_a_few_rows_and_writes_nothing(
    stand_in: StandIn, server: Server, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"x": [1, 2, 3]}\n{"x": [1, 2]}\n{"x": [4, 5, 6]}\n')
    done = invoke(stand_in, rows, "--dry-run")
    assert done.exit_code == 2
    assert "3 rows for linear, version 1; nothing was written.\n1 of them cannot be sent, such as:" in done.stdout
    assert "rows/s" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl"]
    assert len(server.jobs) == 1


def test_an_input_without_rows_is_no_failure_not_even_of_a_dry_run(stand_in: StandIn, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("")
    assert [invoke(stand_in, rows, *more).exit_code for more in (("--dry-run",), ())] == [0, 0]


def test_answers_come_as_those_of_the_signature_that_is_asked_for(
    stand_in: StandIn, server: Server, rows: Path
) -> None:
    server.card |= {"kind": "classifier", "signatures": {"raw": {**server.card["signature"], "kind": None}}}
    assert invoke(stand_in, rows, "--signature", "raw").exit_code == 0
    assert json.loads(rows.with_name("out.jsonl").read_text().splitlines()[1]) == {"id": "1", "y": [3.0, 3.0, 3.0]}


def test_a_dry_run_of_an_input_that_does_not_fit_ends_with_1(stand_in: StandIn, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.zeros((5, 7), "float32"))
    done = invoke(stand_in, tmp_path / "rows.npy", "--dry-run")
    assert done.exit_code == 1
    assert "float32" in done.output


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_an_input_without_rows_is_done_at_once(stand_in: StandIn, tmp_path: Path, options: list[str]) -> None:
    np.save(tmp_path / "rows.npy", np.zeros((0, 3), "float32"))
    done = invoke(stand_in, tmp_path / "rows.npy", *options)
    assert (done.exit_code, done.stdout.split(" rows ")[0]) == (0, "0")


def test_ctrl_c_stops_and_says_how_to_go_on_and_no_row_is_run_twice(
    stand_in: StandIn, server: Server, rows: Path
) -> None:
    # Given a model that answers two jobs and then no more
    query = server._query
    answered = {"job-0", "job-1"}
    server._query = lambda asked: query([one for one in asked if one in answered])  # type: ignore[method-assign]
    started = start(stand_in, rows, "--restart")
    # When the user stops it while jobs are on their way
    while len(server.freed) < 2:
        assert started.poll() is None, started.communicate()
    started.send_signal(signal.SIGINT)
    errors = started.communicate(timeout=20)[1]
    # Then it says what is left, and how to go on
    assert started.returncode == 1, errors
    assert "Stopped." in errors
    assert "the next run finds them" in errors
    (resume,) = [line for line in errors.splitlines() if line.startswith("To go on: ")]
    assert resume == "To go on: celeriac " + " ".join(arguments(stand_in, rows))
    # And the same command finishes the run
    server._query = query  # type: ignore[method-assign]
    assert invoke(stand_in, rows).exit_code == 0
    assert ids(rows) == list(range(ROWS))
    assert set(server.rows_run.values()) == {1}


@pytest.mark.parametrize("options", [[], ["--restart"]])
def test_an_output_whose_name_is_too_long_is_refused_with_a_sentence(
    stand_in: StandIn, rows: Path, options: list[str]
) -> None:
    output = rows.with_name("a" * 245 + ".jsonl")
    done = invoke(stand_in, rows, "--output", str(output), *options)
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    assert "cannot be written: File name too long." in done.stderr
    assert list(rows.parent.iterdir()) == [rows]


def test_a_version_that_only_looks_like_a_number_is_told_as_unknown(stand_in: StandIn, rows: Path) -> None:
    done = invoke(stand_in, rows, "--version", "²")
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    assert "has no version ²; it has 1." in done.stderr


def test_a_closed_standard_input_is_told(stand_in: StandIn, rows: Path) -> None:
    with start(stand_in, rows, "--format", "npy", inputs="-", before="exec 0<&-") as process:
        errors = process.communicate(timeout=20)[1]
    assert process.returncode == 1
    assert errors == "Standard input is closed; expected the rows there. Give them, or name a file.\n"


@pytest.mark.parametrize("before", ["exec 2>&-", "exec 2>/dev/full"])
def test_a_run_whose_messages_nobody_can_read_goes_to_its_end(
    stand_in: StandIn, server: Server, rows: Path, before: str
) -> None:
    server.card |= {"paused": True}  # what the run wants to say
    with start(stand_in, rows, before=before) as process:
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert ids(rows) == list(range(ROWS))


def test_jobs_that_the_server_did_not_take_are_not_told_to_be_left_there(
    stand_in: StandIn, server: Server, rows: Path
) -> None:
    refusal = {"error": {"type": "invalid_parameter", "message": "parameters.tag: expected another."}}
    server.refuse = lambda x: Answer.of(refusal, 400)
    done = invoke(stand_in, rows)
    assert done.exit_code == 1
    assert "parameters.tag: expected another." in done.stderr
    assert "left on the server" not in done.stderr
