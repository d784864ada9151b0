"""Bytes that are hardly HTTP, sent to the server's own port: its processes live on and answer who comes next."""

from __future__ import annotations

import contextlib
import socket

import httpx
from hypothesis import given

from tests.api_process import Api
from tests.damage import damaged
from tests.fuzzing import Tally
from tests.http_api import NPY, npy

ROW = npy([[1, 2, 3, 4]])
POST = b"POST /v1/models/digits/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: " + NPY.encode() + b"\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % len(ROW)
WHOLE = [
    b"GET /v1/models/digits?a=%41 HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nConnection: close\r\n\r\n",
    POST + LENGTH + ROW,
    POST + b"Expect: 100-continue\r\n" + LENGTH + ROW,
    POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(ROW) + ROW + b"\r\n0\r\n\r\n",
    b"DELETE /v1/jobs/x/result HTTP/1.0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
]


def talk(port: int, data: bytes) -> bytes:
    """What the server says to these bytes, until it closes the connection."""
    said = b""
    # A server that has heard enough closes before it has read the rest.
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65_536):
            said += part
    return said


def test_damaged_http_neither_ends_a_process_nor_makes_it_fail(fuzzed_api: Api, tally: Tally) -> None:
    family = [process.pid for process in fuzzed_api.family()]
    statuses: set[int] = set()

    def send(data: bytes) -> None:
        said = talk(fuzzed_api.port, data)
        if said:
            assert said.startswith(b"HTTP/1."), said[:200]
            status = int(said.split(b" ", 2)[1])
            assert status < 500, said[:2000]
            statuses.add(status)
            tally.add("", status)

    for whole in WHOLE:
        send(whole)
    given(data=damaged(WHOLE))(send)()
    assert {200, 202, 400, 404} <= statuses
    assert httpx.get(f"{fuzzed_api.url}/healthz").status_code == 200
    assert [process.pid for process in fuzzed_api.family()] == family
