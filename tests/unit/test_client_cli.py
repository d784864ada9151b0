from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from client.cli import main
from client.retry import Patience
from tests.unit.client_stand_in import CUT, Answer, Request, StandIn, records_asked_for

CAT = {"class": 17, "label": "cat", "score": 0.93, "box": [0.1, 0.2, 0.5, 0.6], "box_pixels": [10, 20, 50, 60]}
RECORDS = {
    "queued": {"id": "queued", "status": "queued"},
    "tensors": {"id": "tensors", "status": "succeeded"},
    "cat": {"id": "cat", "status": "succeeded"},
    "failed": {"id": "failed", "status": "failed", "failure": {"type": "model_error", "message": "It ran dry."}},
    "cancelled": {"id": "cancelled", "status": "cancelled", "failure": None},
    "expired": {"id": "expired", "status": "expired", "failure": None},
}
RESULTS = {"tensors": {"outputs": {"y": [[0.25, 0.75]]}}, "cat": {"detections": [CAT]}}
MODELS = {
    "models": [
        {
            "name": "digits",
            "status": "ready",
            "version": 1,
            "format": "saved_model",
            "signature": {"inputs": {"x": {"dtype": "float32", "shape": [None, 8, 8]}}, "outputs": {}},
            "workers": [{"name": "a", "version": 1, "device": "cpu"}],
            "queued": 4,
            "failure": None,
        },
        {"name": "broken", "status": "failed", "signature": None, "workers": [], "queued": 0, "failure": "No file."},
    ]
}


def respond(request: Request) -> Answer:
    """One model, `digits`, whose jobs are named after their content; jobs as in RECORDS."""
    _, _, family, *names = request.path.split("/")
    if family == "jobs:query":
        return records_asked_for(request, RECORDS)
    if request.method == "POST":
        return _accept(names[0], request.body.decode())
    if family == "models":
        return Answer.of(MODELS)
    media_type = request.headers["accept"]
    if media_type == "application/json":
        return Answer.of(RESULTS[names[0]])
    return Answer(200, f"as {media_type}".encode(), media_type)


def _accept(model: str, content: str) -> Answer:
    if content == "cut":
        return CUT
    if model != "digits" or content == "bad":
        return Answer.refusal(400, "inputs: expected 8 columns, got 7.")
    return Answer.of({"id": content, "model": model, "version": 1, "status": "queued"}, 202)


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn(respond) as stand_in:
        yield stand_in


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("one", "two", "bad", "cut"):
        (tmp_path / f"{name}.npy").write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def celeriac(server: StandIn, *args: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, args, input=stdin, env={"CELERIAC_URL": server.url, "CELERIAC_API_KEY": ""})


def on_a_terminal(server: StandIn, *args: str) -> tuple[str, int]:
    """What the command prints on a terminal, and its exit code."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from client.cli import main; main()", *args, "--url", server.url]
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm", "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        printed = b""
        try:
            while piece := os.read(ours, 4096):
                printed += piece
        except OSError:  # Linux says that the other end is closed with EIO.
            pass
        os.close(ours)
    return printed.decode(), process.returncode


def test_submit_prints_one_id_a_line_and_nothing_else(server: StandIn, folder: Path) -> None:
    done = celeriac(server, "submit", "digits", "one.npy", "two.npy")
    assert (done.stdout, done.stderr, done.exit_code) == ("one\ntwo\n", "", 0)


def test_submit_together_makes_one_job_of_all_files(server: StandIn, folder: Path) -> None:
    done = celeriac(server, "submit", "digits", "one.npy", "two.npy", "--together", "--content-type", "image/png")
    assert done.exit_code == 0
    (sent,) = server.requests
    assert sent.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert (sent.body.count(b'name="image"'), b"one" in sent.body, b"two" in sent.body) == (2, True, True)
    done = celeriac(server, "submit", "digits", "one.npy", "missing.npy", "--together")
    assert (done.stdout, done.exit_code) == ("", 1)
    assert done.stderr.startswith("2 files together: missing.npy: It cannot be read")
    assert len(server.requests) == 1


def test_submit_tells_what_is_wrong_with_a_file_goes_on_with_the_others_and_ends_with_1(
    server: StandIn, folder: Path
) -> None:
    done = celeriac(server, "submit", "digits", "bad.npy", "one.npy", "missing.npy", "notes.txt", "two.npy")
    assert (done.stdout, done.exit_code) == ("one\ntwo\n", 1)
    assert "bad.npy: inputs: expected 8 columns, got 7.\n" in done.stderr
    assert "missing.npy: It cannot be read" in done.stderr
    assert "notes.txt: Expected a file ending in .npy" in done.stderr


def test_submit_stops_at_the_file_where_the_server_is_lost(
    server: StandIn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.commands.submit.RESTART_PATIENCE", Patience(total_s=0))
    done = celeriac(server, "submit", "digits", "one.npy", "cut.npy", "two.npy")
    assert (done.stdout, done.exit_code) == ("one\n", 1)
    assert done.stderr.startswith("cut.npy: The connection to ")
    assert done.stderr.endswith("Stopped here.\n")


def test_submit_sends_the_same_request_again_while_the_server_says_not_now(folder: Path) -> None:
    answers = [CUT, Answer.refusal(503, "Redis is away."), Answer.refusal(429, "Full.")]

    def later(request: Request) -> Answer:
        return answers.pop(0) if answers else respond(request)

    with StandIn(later) as server:
        done = celeriac(server, "submit", "digits", "one.npy", "two.npy")
    # Then one trouble is told, and each file is one job, whichever try the server took
    assert (done.stdout, done.exit_code) == ("one\ntwo\n", 0)
    assert done.stderr.endswith("Trying again.\n")
    assert done.stderr.count("\n") == 1
    keys = [request.headers["idempotency-key"] for request in server.requests]
    assert [keys.count(key) for key in dict.fromkeys(keys)] == [4, 1]


def test_submit_sends_standard_input_and_every_option(server: StandIn) -> None:
    args = "--content-type image/png --version 2 --lane bulk --min-score 0.4 --max-detections 5 --annotate"
    rest = "--expires-in-s 9 --tag t --signature s --callback-url http://x/ --api-key k"
    done = celeriac(server, "submit", "digits", "-", *args.split(), *rest.split(), stdin=b"three")
    assert (done.stdout, done.exit_code) == ("three\n", 0)
    sent = server.requests[0]
    assert sent.path == "/v1/models/digits/versions/2/jobs"
    detector = {"min_score": "0.4", "max_detections": "5", "annotate": "true"}
    own = {"tag": "t", "signature": "s", "callback_url": "http://x/"}
    assert sent.query == {"lane": "bulk", "expires_in_s": "9.0"} | own | detector
    assert (sent.headers["content-type"], sent.headers["authorization"]) == ("image/png", "Bearer k")


def test_submit_json_prints_the_servers_answers_a_line_each(server: StandIn, folder: Path) -> None:
    done = celeriac(server, "submit", "digits", "one.npy", "two.npy", "--json")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["one", "two"]


def test_a_result_that_is_piped_is_plain_json(server: StandIn) -> None:
    for options in ([], ["--json"], ["--wait"], ["--wait", "5"], ["--format", "json"]):
        done = celeriac(server, "result", "cat", *options)
        assert (json.loads(done.stdout), done.exit_code) == ({"detections": [CAT]}, 0)


def test_wait_may_stand_before_the_id(server: StandIn) -> None:
    done = celeriac(server, "result", "--wait", "cat")
    assert done.exit_code == 0
    assert json.loads(server.requests[0].body) == {"ids": ["cat"], "wait": 30.0}


def test_an_unfinished_job_is_a_sentence_and_exit_code_3(server: StandIn) -> None:
    for options in ([], ["--wait", "0.1"]):
        done = celeriac(server, "result", "queued", *options)
        assert (done.stdout, done.exit_code) == ("", 3)
        assert "Job queued is queued, not finished" in done.stderr


@pytest.mark.parametrize(
    ("job_id", "sentence"),
    [
        ("failed", "Job failed has no result. It ran dry.\n"),
        ("cancelled", "Job cancelled has no result. It was cancelled.\n"),
        ("expired", "Job expired has no result. It expired: its deadline passed before it ran.\n"),
        ("never", "There is no job never.\n"),
    ],
)
def test_a_job_without_a_result_is_its_sentence_on_standard_error_and_exit_code_1(
    server: StandIn, job_id: str, sentence: str
) -> None:
    done = celeriac(server, "result", job_id, "--wait")
    assert (done.stdout, done.stderr, done.exit_code) == ("", sentence, 1)


@pytest.mark.parametrize(
    ("file", "options", "saved"),
    [
        ("y.npy", [], b"as application/x-npy"),
        ("Y.NPZ", [], b"as application/x-npz"),
        ("cat.png", [], b"as image/png"),
        ("y.dat", ["--format", "npz"], b"as application/x-npz"),
        ("y.json", [], b'{"outputs": {"y": [[0.25, 0.75]]}}'),
    ],
)
def test_a_result_is_saved_in_the_format_of_the_suffix_unless_one_is_said(
    server: StandIn, folder: Path, file: str, options: list[str], saved: bytes
) -> None:
    done = celeriac(server, "result", "tensors", "--output", file, *options)
    assert (done.output, done.exit_code) == ("", 0)
    assert (folder / file).read_bytes() == saved


def test_the_drawing_of_one_of_several_pictures_is_asked_for_by_its_row(server: StandIn, folder: Path) -> None:
    for options, query in (([], {}), (["--row", "2"], {"row": "2"})):
        done = celeriac(server, "result", "tensors", "--output", "cat.png", *options)
        assert (done.output, done.exit_code) == ("", 0)
        assert (server.requests[-1].path, server.requests[-1].query) == ("/v1/jobs/tensors/result", query)


@pytest.mark.parametrize(
    ("file", "sentence"), [("y.csv", ".json, .npy, .npz, .png"), ("nowhere/y.npy", "no folder nowhere")]
)
def test_a_place_that_cannot_take_the_answer_is_told_before_the_server_is_asked(
    server: StandIn, folder: Path, file: str, sentence: str
) -> None:
    done = celeriac(server, "result", "tensors", "--output", file)
    assert done.exit_code == 1
    assert sentence in done.stderr
    assert not server.requests


def test_binary_goes_to_a_pipe_unchanged(server: StandIn) -> None:
    assert celeriac(server, "result", "tensors", "--format", "npy").stdout_bytes == b"as application/x-npy"


def test_detections_are_a_table_on_a_terminal_unless_json_is_asked_for(server: StandIn) -> None:
    printed, exit_code = on_a_terminal(server, "result", "cat")
    assert exit_code == 0
    assert [word for word in ("cat", "0.93", "10, 20, 50, 60") if word in printed] == ["cat", "0.93", "10, 20, 50, 60"]
    assert "detections" not in printed
    assert json.loads(on_a_terminal(server, "result", "cat", "--json")[0]) == {"detections": [CAT]}


def test_binary_is_kept_off_a_terminal(server: StandIn) -> None:
    printed, exit_code = on_a_terminal(server, "result", "tensors", "--format", "npz")
    assert exit_code == 1
    assert "--output" in printed


def test_models_are_a_table_with_the_reasons_of_failures_under_it(server: StandIn) -> None:
    done = celeriac(server, "models")
    lines = done.stdout.splitlines()
    assert next(line for line in lines if "digits" in line).split() == (
        ["digits", "ready", "1", "saved_model", "x:", "float32", "(?,", "8,", "8)", "1", "4"]
    )
    assert lines[-1] == "broken: No file."
    assert json.loads(celeriac(server, "models", "--json").stdout) == MODELS


def helps(command: click.Command, *names: str) -> Iterator[tuple[str, str]]:
    """The help of a command and of all below it, by their names."""
    with click.Context(command, info_name=" ".join(names)) as context:
        yield " ".join(names), command.get_help(context)
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below
                yield from helps(below, *names, name)


def test_every_help_has_an_example() -> None:
    texts = dict(helps(main, "celeriac"))
    assert {"celeriac", "celeriac submit", "celeriac up", "celeriac quarantine list"} <= texts.keys()
    for name, text in texts.items():
        _, _, example = text.partition("Examples:\n")
        assert name in example, f"{name}: {example!r}"
