"""What `python -m api` tells of its secrets to who reads its log or the machine's list of processes: nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api_process import Api
from tests.valkey import Valkey

SECRETS = ("k3y-of-ann", "r3dis-word", "wr0ng-key")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Valkey]:
    folder = tmp_path / "server"
    folder.mkdir()
    server = Valkey(folder, password="r3dis-word")
    server.start()
    yield server
    server.stop()


def test_neither_log_nor_command_lines_hold_a_secret_also_when_the_broker_dies(guarded: Valkey, tmp_path: Path) -> None:
    # Given a server with a key, in front of a broker with a password
    api = Api(tmp_path, REDIS_URL=guarded.url, CELERIAC_API_KEYS="ann:k3y-of-ann").await_ready()
    try:
        # When it is asked with the key and with a wrong one, with its broker and without
        assert ask(api, "k3y-of-ann") == 200
        assert ask(api, "wr0ng-key") == 401
        guarded.kill()
        assert ask(api, "k3y-of-ann") == 503
        command_lines = " ".join(" ".join(process.cmdline()) for process in api.family())
    finally:
        api.stop()
    # Then nobody else learns either
    assert "-m api" in command_lines
    for secret in SECRETS:
        assert secret not in command_lines
        assert secret not in api.log()


def test_only_a_server_without_keys_says_that_it_has_none(valkey: Valkey, tmp_path: Path) -> None:
    for keys, says_so in (("", True), ("ann:k3y-of-ann", False)):
        folder = tmp_path / f"keys-{says_so}"
        folder.mkdir()
        api = Api(folder, REDIS_URL=valkey.url, CELERIAC_API_KEYS=keys, CELERIAC_API_PROCESSES="1").await_ready()
        api.stop()
        lines = [line for line in api.log().splitlines() if "There are no API keys: only this machine" in line]
        assert len(lines) == says_so


def ask(api: Api, key: str) -> int:
    return httpx.get(f"{api.url}/v1/models?hush={key}", headers={"X-API-Key": key}, timeout=20).status_code
