"""A client of the storm asks again until its job is taken, and writes down each answer that nobody should get."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.storm.caller import Caller
from benchmarks.storm.ledger import Ledger

JOB = b'{"id": "1", "status": "queued"}'
ERROR = b'{"error": {"type": "x"}}'


class Script(ThreadingHTTPServer):
    """Answers each request with the next of `answers`; None: it hangs up without one."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes] | None] = []
        self.keys: list[str | None] = []
        super().__init__(("127.0.0.1", 0), Scripted)


class Scripted(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        assert isinstance(self.server, Script)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.keys.append(self.headers.get("Idempotency-Key"))
        given = self.server.answers.pop(0)
        if given is None:
            self.close_connection = True
            return
        self.send_response(given[0])
        self.send_header("Content-Length", str(len(given[1])))
        self.end_headers()
        self.wfile.write(given[1])

    do_GET = do_POST = answer

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def script() -> Iterator[Script]:
    with Script() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def caller(script: Script, ledger: Ledger) -> Iterator[Caller]:
    caller = Caller(script.server_port, ledger, threading.Event())
    yield caller
    caller.close()


def test_who_gets_no_answer_or_is_told_to_wait_asks_again_with_the_same_key(
    script: Script, ledger: Ledger, caller: Caller
) -> None:
    script.answers = [None, (503, ERROR), (429, ERROR), (202, JOB)]
    assert caller.submit("double", [], "key", 0) == {"id": "1", "status": "queued"}
    assert script.keys == ["key"] * 4
    assert not ledger.unexpected


@pytest.mark.parametrize("status", [400, 404, 410, 500])
def test_every_other_answer_to_a_submit_is_unexpected(
    script: Script, ledger: Ledger, caller: Caller, status: int
) -> None:
    script.answers = [(status, ERROR), (202, JOB)]
    assert caller.submit("double", [], "key", 0)
    assert dict(ledger.unexpected) == {f"POST: {status} {ERROR.decode()}": 1}


@pytest.mark.parametrize("status", [404, 410])
def test_a_promised_job_of_which_the_api_knows_nothing_any_more_has_vanished(
    script: Script, ledger: Ledger, caller: Caller, status: int
) -> None:
    script.answers = [(status, ERROR)]
    assert caller.look("1", 0) is None
    assert ledger.vanished == {"1"}


@pytest.mark.parametrize("status", [202, 500])
def test_every_other_answer_to_a_look_is_unexpected(
    script: Script, ledger: Ledger, caller: Caller, status: int
) -> None:
    script.answers = [(status, ERROR)]
    assert caller.look("1", 0) is None
    assert ledger.unexpected.total() == 1
