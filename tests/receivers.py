"""Receivers of callbacks on this machine: one that answers as told and keeps what came, and one that says raw bytes."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

#: The secret by which callbacks to these are signed.
SECRET = "whsec_" + "c2VjcmV0" * 4


@dataclass(frozen=True)
class Received:
    """A request that came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """What a receiver got, and how it answers: each time with the next status, in the end with the last one again."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    statuses: list[int] = field(default_factory=lambda: [204])
    headers: dict[str, str] = field(default_factory=dict)
    #: It answers while this is set.
    answers: threading.Event = field(default_factory=threading.Event)

    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in list(self.received)]


@contextmanager
def receiving(*statuses: int, port: int = 0, **headers: str) -> Iterator[Receiver]:
    """A receiver on loopback."""
    receiver = Receiver(statuses=list(statuses) or [204], headers=headers)
    receiver.answers.set()
    numbers, lock = count(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                receiver.received.append(Received(self.path, dict(self.headers), body))
                receiver.at_once += 1
                receiver.most_at_once = max(receiver.most_at_once, receiver.at_once)
            hang_up = select.poll()
            hang_up.register(self.connection, select.POLLRDHUP)
            while not receiver.answers.wait(0.02) and not hang_up.poll(0):
                continue
            with lock:
                receiver.at_once -= 1
            self.send_response(receiver.statuses[min(next(numbers), len(receiver.statuses) - 1)])
            for name, value in receiver.headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 256

        def handle_error(self, *_: object) -> None:
            """Nothing: who called may be gone."""

    server = Server(("127.0.0.1", port), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.answers.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def saying(*parts: bytes, pause_s: float = 0.0, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Whoever connects gets these bytes, one part after the other, and then silence; yields the port."""
    ended = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
                with tls.wrap_socket(connection, server_side=True) if tls else connection as accepted:
                    accepted.recv(65_536)
                    for part in parts:
                        accepted.sendall(part)
                        ended.wait(pause_s)
                    # An empty last part ends the connection; else it stays open.
                    if not parts or parts[-1]:
                        ended.wait()
            except OSError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        # What waits in accept wakes.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()
