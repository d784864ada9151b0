"""A small HTTP server that answers like Celeriac's API, for tests of the client without a queue behind it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """Status 0 cuts the connection without an answer."""

    status: int
    content: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, body: Any, status: int = 200, **headers: str) -> Answer:
        return cls(status, json.dumps(body).encode(), headers=headers)

    @classmethod
    def refusal(cls, status: int, message: str, **headers: str) -> Answer:
        return cls.of({"error": {"type": "some_type", "message": message, "field": "inputs"}}, status, **headers)


CUT = Answer(0, b"")


def records_asked_for(request: Request, records: Mapping[str, Mapping[str, Any]]) -> Answer:
    """What `POST /v1/jobs:query` answers when these are the jobs there are."""
    ids = json.loads(request.body)["ids"]
    missing = {job_id: {"type": "job_not_found", "message": f"There is no job {job_id}."} for job_id in ids}
    return Answer.of({"jobs": [records.get(job_id) or {"id": job_id, "error": missing[job_id]} for job_id in ids]})


class StandIn:
    """Answers with the given function and remembers each request."""

    def __init__(self, respond: Callable[[Request], Answer], port: int = 0) -> None:
        self.requests: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler(respond))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self, respond: Callable[[Request], Answer]) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def do_DELETE(self) -> None:
                self._answer()

            def log_message(self, format: str, *args: object) -> None:
                pass

            def _answer(self) -> None:
                target = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, target.path, dict(parse_qsl(target.query)), headers, body)
                stand_in.requests.append(request)
                answer = respond(request)
                if answer.status == 0:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in {"Content-Type": answer.content_type, **answer.headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

        return Handler
