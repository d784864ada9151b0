from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import REAL, ROOT, Systems, Up, free_port
from tests.valkey import Valkey


@pytest.mark.parametrize("setting", ["PORT", "CELERIAC_FLOWER_PORT"])
def test_a_taken_port_is_refused_with_its_setting_before_anything_starts(systems: Systems, setting: str) -> None:
    system = systems("good")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        system.environment[setting] = port
        system.start()

        assert system.code() == 2

    assert port in system.output()
    assert f"set {setting} to another port" in system.output()
    assert not (system.var / "logs").exists()


def test_one_port_for_both_api_and_flower_is_refused(systems: Systems) -> None:
    port = str(free_port())
    system = systems("good", PORT=port, CELERIAC_FLOWER_PORT=port).start()

    assert system.code() == 2
    assert f"PORT and CELERIAC_FLOWER_PORT are both {port}" in system.output()


def test_a_second_up_on_the_same_folder_is_refused(systems: Systems) -> None:
    first, second = systems("good").start().await_ready(), systems()
    second.environment["CELERIAC_VAR"] = str(first.var)
    second.start()

    assert second.code() == 2
    assert f"(process {first.process.pid})" in second.output()
    assert str(first.var) in second.output()
    assert first.process.poll() is None


def test_with_redis_url_no_broker_of_our_own_is_started(systems: Systems, valkey: Valkey) -> None:
    system = systems("good", REDIS_URL=valkey.url).start().await_ready()

    assert not (system.var / "broker").exists()
    system.process.terminate()
    assert system.code() == 0
    assert not system.processes()


def test_a_redis_url_that_nobody_answers_is_waited_for_and_then_named(systems: Systems) -> None:
    system = systems("good", REDIS_URL=f"redis://:secret@127.0.0.1:{free_port()}/0").start()

    assert system.code() == 1
    assert "waiting up to 2 s" in system.output()
    assert "correct REDIS_URL" in system.output()
    assert "secret" not in system.output()
    assert not system.processes()


def test_a_redis_url_that_is_none_ends_with_2_and_a_sentence(systems: Systems) -> None:
    system = systems("good", REDIS_URL="localhost:6379/secret").start()

    assert system.code() == 2
    assert "REDIS_URL is expected as redis://HOST:PORT/DB" in system.output()
    assert "secret" not in system.output()


def test_a_folder_with_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    # Given a folder whose name alone is longer than the path of a Unix socket may be
    system = Up(tmp_path / ("long" * 30), ["good"])
    try:
        system.start().await_ready()
        system.process.terminate()
        assert system.code() == 0
        assert not system.processes()
    finally:
        system.kill_all()


def test_a_folder_that_cannot_be_a_model_is_left_out_with_a_sentence(systems: Systems) -> None:
    system = systems("good", "Not a model").start().await_ready()

    assert "its name cannot be a model's" in system.await_line("Not a model")
    assert [record.name for record in system.registry().all()] == ["good"]


def test_a_wrong_setting_ends_with_2_and_a_sentence(systems: Systems) -> None:
    system = systems(CELERIAC_START_ATTEMPTS="none").start()

    assert system.code() == 2
    assert "CELERIAC_START_ATTEMPTS is expected as a whole number" in system.output()


def test_no_secret_is_on_a_command_line_or_in_a_file_that_others_can_read(systems: Systems) -> None:
    system = systems("good", CELERIAC_FLOWER_BASIC_AUTH="ann:fl0wer", CELERIAC_API_KEYS="ann:k3y")
    system.start().await_ready()
    password = (system.var / "broker" / "password").read_text().strip()

    lines = " ".join(" ".join(one.cmdline()) for one in system.processes())
    # Of all files only the broker's own hold a secret, its password, and those only their owner can read.
    files = [file for file in system.var.rglob("*") if file.is_file()]
    broker = [file for file in files if file.parent == system.var / "broker"]
    open_files = {file.name: file.read_text(errors="replace") for file in files if file not in broker}

    assert {"supervisord.conf", "supervisord.log", "api.log"} <= open_files.keys()
    assert broker and not [file for file in broker if file.stat().st_mode & 0o077]
    for secret in (password, "fl0wer", "k3y"):
        assert secret not in lines
        assert secret not in system.output()
        assert not [name for name, text in open_files.items() if secret in text]


def test_the_help_tells_how_to_stop_with_make_and_what_the_exit_codes_mean() -> None:
    answer = subprocess.run([sys.executable, "-m", *REAL, "--help"], capture_output=True, text=True, cwd=ROOT)

    assert answer.returncode == 0
    assert "--stop-with-parent" in answer.stdout
    assert "Ends with 0" in answer.stdout
