"""Closed-loop HTTP load: so many connections, each with one request at a time. `python -m benchmarks.http_load` serves.

One thread and a selector, requests made beforehand, answers kept as bytes and read afterwards: some 20 µs of CPU a
request, so that the client is not what is measured. The same for all contestants.
"""

from __future__ import annotations

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

    def send(self, request: int, data: bytes) -> None:
        """Send a request whole; it fits into the socket's buffer or waits there."""
        self.request, self.sent_s = request, time.perf_counter()
        self.received.clear()
        self.socket.sendall(data)

    def receive(self, port: int) -> bytes | None:
        """The body of the answer once it is complete. A job that is not finished is asked for again, as users do.

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
        if b" 202 " in head[:13]:
            self.received.clear()
            self.socket.sendall(poll_request(port, header(head, b"location").decode()))
            return None
        if b" 200 " not in head[:13]:
            raise LoadError(f"Expected 200, got {head.splitlines()[0].decode()}: {body[:300].decode(errors='replace')}")
        return body


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


def poll_request(port: int, location: str) -> bytes:
    """A long poll for a job that was accepted, as bytes on the wire."""
    return f"GET {location}?wait=30 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


def http_request(port: int, path: str, body: bytes) -> bytes:
    """A POST of a `.npy`, as bytes on the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/x-npy\r\nPrefer: wait=30\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def load(port: int, requests: Sequence[bytes], connections: int, total: int) -> tuple[float, list[float], list[bytes]]:
    """Send `total` requests, those given in turn, over so many connections.

    Returns:
        Seconds that it took, latency of each in seconds, body of each answer.
    """
    latencies_s, bodies = [0.0] * total, [b""] * total
    selector = selectors.DefaultSelector()
    opened = [Connection(socket.create_connection(("127.0.0.1", port), TIMEOUT_S)) for _ in range(connections)]
    try:
        for one in opened:
            one.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(one.socket, selectors.EVENT_READ, one)
        started_s = time.perf_counter()
        for number, one in enumerate(opened[:total]):
            one.send(number, requests[number % len(requests)])
        sent, answered = min(connections, total), 0
        while answered < total:
            ready = selector.select(TIMEOUT_S)
            if not ready:
                raise LoadError(f"No answer for {TIMEOUT_S:.0f} s.")
            for key, _ in ready:
                one = key.data
                body = one.receive(port)
                if body is None:
                    continue
                latencies_s[one.request], bodies[one.request] = time.perf_counter() - one.sent_s, body
                answered += 1
                if sent < total:
                    one.send(sent, requests[sent % len(requests)])
                    sent += 1
        return time.perf_counter() - started_s, latencies_s, bodies
    finally:
        for one in opened:
            one.socket.close()
        selector.close()


def answer_of(body: bytes) -> list[float]:
    """The outputs in an answer: plain Celery's list, or a job's record with its result."""
    document = orjson.loads(body)
    if isinstance(document, dict):
        (output,) = document["result"]["outputs"].values()
        document = output[0]
    return list(document)


def main() -> None:
    """Serve loads."""

    def run(port: int, path: str, inputs: str, connections: int, total: int, into: str) -> dict[str, Any]:
        requests = [http_request(port, path, npy(row[None])) for row in np.load(inputs)]
        cpu_s = time.process_time()
        seconds, latencies_s, bodies = load(port, requests, connections, total)
        cpu_s = time.process_time() - cpu_s
        np.save(into, np.asarray([answer_of(body) for body in bodies], "float32"))
        p50, p99 = np.percentile(latencies_s, [50, 99]) * 1000
        return {"seconds": seconds, "p50_ms": p50, "p99_ms": p99, "client_cpu_s": cpu_s}

    serve({"load": run})


if __name__ == "__main__":
    main()
