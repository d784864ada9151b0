from __future__ import annotations

import base64
import http.client
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tasks.broker import connect
from tests.processes import ROOT, free_port, until
from tests.valkey import Valkey


class FlowerServer:
    """`python -m tasks.flower_server` as a process."""

    def __init__(self, output: Path, environment: dict[str, str]) -> None:
        self._output = output
        self._port = free_port()
        own = {"CELERIAC_FLOWER_PORT": str(self._port), "CELERIAC_VAR": str(output.parent / "var")}
        with output.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tasks.flower_server"],
                cwd=ROOT,
                env={**os.environ, **own, **environment},
                stdout=stream,
                stderr=stream,
            )

    def output(self) -> str:
        return self._output.read_text()

    def get(self, path: str, user: str = "") -> tuple[int, str]:
        """The status and body of a GET; status 0 when nobody answers."""
        headers = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if user else {}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def await_up(self) -> FlowerServer:
        until(lambda: self.get("/healthcheck") == (200, "OK"))
        return self

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(10)


Flowers = Callable[..., FlowerServer]


@pytest.fixture
def flowers(tmp_path: Path) -> Iterator[Flowers]:
    made: list[FlowerServer] = []

    def make(**environment: str) -> FlowerServer:
        made.append(FlowerServer(tmp_path / "output", environment))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_flower_shows_the_page_but_keeps_its_api_shut_without_a_password(flowers: Flowers, valkey: Valkey) -> None:
    # Given an operator who tried to open it for everybody
    flower = flowers(REDIS_URL=valkey.url, FLOWER_UNAUTHENTICATED_API="true").await_up()

    assert flower.get("/tasks")[0] == 200
    assert flower.get("/api/workers")[0] == 401


def test_with_a_password_flower_asks_for_it_and_opens_its_api(flowers: Flowers, valkey: Valkey) -> None:
    flower = flowers(REDIS_URL=valkey.url, CELERIAC_FLOWER_BASIC_AUTH="ann:fl0wer").await_up()

    assert flower.get("/tasks")[0] == 401
    assert flower.get("/tasks", user="ann:wrong")[0] == 401
    assert flower.get("/tasks", user="ann:fl0wer")[0] == 200
    assert flower.get("/api/workers", user="ann:fl0wer")[0] == 200
    assert "fl0wer" not in " ".join(psutil.Process(flower.process.pid).cmdline())


def test_flower_with_a_password_may_listen_on_other_addresses(flowers: Flowers, valkey: Valkey) -> None:
    user = "ann:fl0wer"
    flower = flowers(REDIS_URL=valkey.url, CELERIAC_FLOWER_BASIC_AUTH=user, CELERIAC_FLOWER_HOST="0.0.0.0")

    flower.await_up()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "flower.example"])
def test_flower_without_a_password_refuses_an_address_that_others_can_reach(flowers: Flowers, host: str) -> None:
    flower = flowers(CELERIAC_FLOWER_HOST=host)

    assert flower.process.wait(20) == 2
    assert f"CELERIAC_FLOWER_HOST is {host}" in flower.output()
    assert "Set CELERIAC_FLOWER_BASIC_AUTH" in flower.output()
    assert "Traceback" not in flower.output()


def test_a_password_that_flower_would_cut_in_two_is_refused_without_showing_it(flowers: Flowers) -> None:
    flower = flowers(CELERIAC_FLOWER_BASIC_AUTH="ann:fl0,wer")

    assert flower.process.wait(20) == 2
    assert "without a comma" in flower.output()
    assert "wer" not in flower.output().replace("CELERIAC_FLOWER", "").lower().replace("flower", "")


def test_flower_is_up_before_its_broker_and_finds_it_later(flowers: Flowers, tmp_path: Path) -> None:
    # Given a broker that is not there yet
    broker = Valkey(tmp_path)
    flower = flowers(REDIS_URL=broker.url, CELERIAC_FLOWER_BASIC_AUTH="ann:fl0wer").await_up()

    broker.start()
    try:
        # Then Flower listens to its events
        until(lambda: listeners(broker), 30)
    finally:
        flower.stop()
        broker.stop()


def listeners(broker: Valkey) -> int:
    client = connect(broker.url)
    try:
        return int(client.pubsub_numpat())
    finally:
        client.close()
