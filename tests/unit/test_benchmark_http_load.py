"""The benchmark's HTTP client, against a real server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.http_load import ClosedLoop, LoadError, answer_of, http_request

READY_AFTER = 3


class Handler(BaseHTTPRequestHandler):
    """Echoes what is posted to `/echo`; takes what is posted to `/later` and has it ready at the third question."""

    protocol_version = "HTTP/1.1"
    looks: dict[str, int]
    open_now: list[str]
    most_open: list[int]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.open_now.append(self.path)
        self.most_open.append(len(self.open_now))
        time.sleep(0.005)
        self.open_now.pop()
        if self.path == "/echo":
            self.answer(200, body)
        elif self.path == "/later":
            self.answer(202, b"{}", location=f"/jobs/{body.decode()}")
        else:
            self.answer(503, b'{"error": "busy"}')

    def do_GET(self) -> None:
        self.looks[self.path] = self.looks.get(self.path, 0) + 1
        if self.looks[self.path] < READY_AFTER:
            self.answer(202, b"{}", location=self.path.partition("?")[0])
        else:
            self.answer(200, self.path.encode())

    def answer(self, status: int, body: bytes, location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Handler.looks, Handler.open_now, Handler.most_open = {}, [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def requests(server: ThreadingHTTPServer, path: str, count: int) -> list[bytes]:
    return [http_request(server.server_port, path, str(number).encode()) for number in range(count)]


def test_each_answer_is_kept_for_its_request_and_requests_go_in_turn(server: ThreadingHTTPServer) -> None:
    loop = ClosedLoop(server.server_port, requests(server, "/echo", 7), total=20)

    seconds = loop.run(connections=4)

    assert [int(body) for body in loop.bodies] == [number % 7 for number in range(20)]
    assert all(0.005 <= latency_s <= seconds for latency_s in loop.latencies_s)


def test_no_connection_has_two_requests_at_once(server: ThreadingHTTPServer) -> None:
    ClosedLoop(server.server_port, requests(server, "/echo", 1), total=30).run(connections=3)

    assert max(Handler.most_open) <= 3


def test_a_job_that_is_not_ready_is_asked_for_until_it_is(server: ThreadingHTTPServer) -> None:
    loop = ClosedLoop(server.server_port, requests(server, "/later", 5), total=5, poll_s=0.01, query="?wait=30")

    loop.run(connections=2)

    assert [body.decode() for body in loop.bodies] == [f"/jobs/{number}?wait=30" for number in range(5)]
    assert set(Handler.looks.values()) == {READY_AFTER}
    assert min(loop.latencies_s) >= 0.005 + READY_AFTER * 0.01


def test_more_connections_than_requests_are_no_trouble(server: ThreadingHTTPServer) -> None:
    loop = ClosedLoop(server.server_port, requests(server, "/echo", 2), total=2)

    loop.run(connections=8)

    assert loop.bodies == [b"0", b"1"]


def test_an_error_of_the_server_ends_the_load_with_a_sentence(server: ThreadingHTTPServer) -> None:
    with pytest.raises(LoadError, match="Expected 200 or 202, got 503"):
        ClosedLoop(server.server_port, requests(server, "/broken", 1), total=1).run(connections=1)


def test_both_forms_of_an_answer_are_read() -> None:
    record = {"id": "1", "result": {"outputs": {"logits": [[1.0, 2.0]]}}}

    assert answer_of(json.dumps(record).encode()) == [1.0, 2.0]
    assert answer_of(b"[1.0, 2.0]") == [1.0, 2.0]
