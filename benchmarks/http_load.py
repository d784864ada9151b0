"""Closed-loop HTTP load: so many connections, each with one request at a time. `python -m benchmarks.http_load` serves.

One thread and a selector, requests made beforehand, answers kept as bytes and read afterwards: some 20 µs of CPU a
request, so that the client is not what is measured. The same for all contestants.
"""

from __future__ import annotations

import contextlib
import heapq
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from benchmarks.desk import npy
from benchmarks.serving import serve

TIMEOUT_S = 60.0

#: What is told of a load.
Told = dict[str, float]

_HEAD_END = b"\r\n\r\n"


class LoadError(Exception):
    """A server did not answer as it should; the sentence says what it did."""


@dataclass
class Connection:
    """One connection: which request is on its way, when it was sent, and what has come back."""

    socket: socket.socket
    request: int = 0
    sent_s: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    def start(self, request: int, data: bytes) -> None:
        """Begin with a request."""
        self.request, self.sent_s = request, time.perf_counter()
        self.socket.sendall(data)

    def receive(self) -> Reply | None:
        """The reply once it is complete.

        Raises:
            LoadError: the status is neither 200 nor 202, or the server hung up.
        """
        data = self.socket.recv(65_536)
        if not data:
            raise LoadError("The server closed a connection that waited for an answer.")
        self.received += data
        head, separator, body = bytes(self.received).partition(_HEAD_END)
        if not separator or len(body) < int(header(head, b"content-length")):
            return None
        self.received.clear()
        status = head[9:12]
        if status == b"200":
            return Reply(body, None)
        if status == b"202":
            return Reply(body, header(head, b"location").decode())
        raise LoadError(f"Expected 200 or 202, got {status.decode()}: {body[:300].decode(errors='replace')}")


@dataclass(frozen=True)
class Reply:
    """A response: its body, and where to ask again when the result is not ready."""

    body: bytes
    location: str | None


def header(head: bytes, wanted: bytes) -> bytes:
    """A header's value.

    Raises:
        LoadError: the response has no such header.
    """
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == wanted:
            return value.strip()
    raise LoadError(f"A response without {wanted.decode()}; the load generator cannot go on without it.")


def poll_request(port: int, target: str) -> bytes:
    """A question for a result, as bytes on the wire."""
    return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


def http_request(port: int, path: str, body: bytes) -> bytes:
    """A POST of a `.npy`, as bytes on the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/x-npy\r\nPrefer: wait=30\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class ClosedLoop:
    """So many connections, each of which sends its next request when it has its last answer.

    Args:
        port: of the server.
        requests: sent in turn, over and over.
        total: how many answers are wanted.
        poll_s: how long to wait before a result that was not ready is asked for again.
        query: what to add to the address that is asked.
    """

    def __init__(self, port: int, requests: Sequence[bytes], total: int, poll_s: float = 0.0, query: str = "") -> None:
        self._port, self._requests, self._total = port, requests, total
        self._poll_s, self._query = poll_s, query
        self._selector = selectors.DefaultSelector()
        self._polls: list[tuple[float, int, Connection, bytes]] = []
        self._sent = self._answered = 0
        self.latencies_s = [0.0] * total
        self.bodies = [b""] * total

    def run(self, connections: int) -> float:
        """Seconds until all are answered; latencies and bodies are by number of the request.

        Raises:
            LoadError: a wrong answer, or none within `TIMEOUT_S`.
        """
        with contextlib.ExitStack() as stack:
            stack.callback(self._selector.close)
            opened = [stack.enter_context(_connect(self._port)) for _ in range(connections)]
            started_s = time.perf_counter()
            for one in opened:
                connection = Connection(one)
                self._selector.register(one, selectors.EVENT_READ, connection)
                self._start_next(connection)
            while self._answered < self._total:
                self._turn()
            return time.perf_counter() - started_s

    def _turn(self) -> None:
        timeout_s = max(0.0, self._polls[0][0] - time.perf_counter()) if self._polls else TIMEOUT_S
        ready = self._selector.select(timeout_s)
        if not ready and not self._polls:
            raise LoadError(f"No answer for {TIMEOUT_S:.0f} s.")
        for key, _ in ready:
            self._receive(key.data)
        while self._polls and self._polls[0][0] <= time.perf_counter():
            _, _, connection, data = heapq.heappop(self._polls)
            connection.socket.sendall(data)

    def _receive(self, connection: Connection) -> None:
        reply = connection.receive()
        if reply is None:
            return
        now_s = time.perf_counter()
        if reply.location is not None:
            data = poll_request(self._port, reply.location + self._query)
            heapq.heappush(self._polls, (now_s + self._poll_s, connection.request, connection, data))
            return
        self.latencies_s[connection.request] = now_s - connection.sent_s
        self.bodies[connection.request] = reply.body
        self._answered += 1
        self._start_next(connection)

    def _start_next(self, connection: Connection) -> None:
        if self._sent < self._total:
            connection.start(self._sent, self._requests[self._sent % len(self._requests)])
            self._sent += 1


def _connect(port: int) -> socket.socket:
    connected = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def answer_of(body: bytes) -> list[float]:
    """The outputs in an answer: plain Celery's list, or a job's record with its result."""
    document = orjson.loads(body)
    if isinstance(document, dict):
        (output,) = document["result"]["outputs"].values()
        document = output[0]
    return list(document)


def main() -> None:
    """Serve loads."""

    def run(port: int, path: str, inputs: str, connections: int, total: int, poll: dict[str, Any], into: str) -> Told:
        loop = ClosedLoop(port, [http_request(port, path, npy(row[None])) for row in np.load(inputs)], total, **poll)
        cpu_s = time.process_time()
        seconds = loop.run(connections)
        cpu_s = time.process_time() - cpu_s
        np.save(into, np.asarray([answer_of(body) for body in loop.bodies], "float32"))
        p50, p99 = np.percentile(loop.latencies_s, [50, 99]) * 1000
        return {"seconds": seconds, "p50_ms": p50, "p99_ms": p99, "client_cpu_s": cpu_s}

    serve({"load": run})


if __name__ == "__main__":
    main()
