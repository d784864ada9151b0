from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from client.cli import main
from client.command_group import JOINED_GROUP, load_command

SERVER_MODULE = """
import click

@click.command()
@click.option("--port", type=int)
def serve(port):
    "Serve on a port."
    click.echo(f"serving on {port}")
"""


@pytest.fixture
def joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed distribution that joins a good command, a broken one, and one with a name of the client's."""
    (tmp_path / "joined_server.py").write_text(SERVER_MODULE)
    info = tmp_path / "joined_server-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: joined-server\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{JOINED_GROUP}]\n"
        "serve = joined_server:serve\n"
        "mend = package_that_is_missing.mend:mend\n"
        "models = joined_server:serve\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("joined_server", None)


def test_a_joined_command_runs_with_its_own_options(joined: Path) -> None:
    done = CliRunner().invoke(main, ["serve", "--port", "81"])
    assert (done.stdout, done.exit_code) == ("serving on 81\n", 0)


def test_the_help_lists_joined_commands_and_says_why_one_is_not_available(joined: Path) -> None:
    done = CliRunner().invoke(main, ["--help"])
    assert done.exit_code == 0
    words = " ".join(done.stdout.split())
    assert "serve Serve on a port." in words
    assert "No module named 'package_that_is_missing'" in words


def test_a_command_that_cannot_be_loaded_says_why_whatever_it_is_called_with(joined: Path) -> None:
    for args in (["mend"], ["mend", "--fast", "now"], ["mend", "--help"]):
        done = CliRunner().invoke(main, args)
        assert "package_that_is_missing" in done.output
        assert done.exit_code == (0 if "--help" in args else 1)


def test_a_joined_command_cannot_take_the_name_of_one_of_the_clients_own(joined: Path) -> None:
    assert "List the models" in CliRunner().invoke(main, ["models", "--help"]).stdout


def test_nothing_joined_is_imported_for_the_clients_own_commands(joined: Path) -> None:
    CliRunner().invoke(main, ["models", "--help"])
    assert "joined_server" not in sys.modules


def test_an_entry_point_that_names_no_click_command_is_unavailable_with_the_reason() -> None:
    command = load_command(EntryPoint("odd", "json:dumps", JOINED_GROUP))
    assert isinstance(command, click.Command)
    assert "json:dumps is a function, no click command" in (command.help or "")


def test_the_client_imports_nothing_of_the_server() -> None:
    program = "import sys, client.cli; print(*sys.modules)"
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert loaded.isdisjoint({"api", "tasks", "model_store", "celery", "redis", "flask", "tensorflow", "PIL"})
