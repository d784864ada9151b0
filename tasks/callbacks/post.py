"""One POST to a receiver whom nobody vouches for: the only code of callbacks that talks to the world.

Written on a socket and not with a client for HTTP, because those look a name up themselves, go where a redirect leads
or a proxy in the environment stands, and limit the time of each read and not of the whole. Here the name is looked up
once, the connection is made to the very address that was checked, the whole has one deadline, and of the answer no more
than its head is read.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from ipaddress import ip_address
from time import monotonic

from tasks.callbacks.callback import Trouble
from tasks.callbacks.receivers import Address, Receivers
from tasks.callbacks.schedule import Answer
from tasks.callbacks.url import CallbackUrl

#: Of an answer's head, and of those of interim answers (100, 103) before it.
MOST_HEAD_BYTES = 16_384

_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?![0-9])")
_RETRY_AFTER = re.compile(rb"\r?\nRetry-After:[ \t]*([^\r\n]{1,100})", re.IGNORECASE)

#: Looks a host's addresses up.
Resolver = Callable[[str, int], Sequence[Address]]


class NotPosted(Exception):
    """There is no answer. Its text names the trouble and nothing of the URL."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble


@dataclass(frozen=True)
class Deadline:
    """When a POST has to be over, on the clock of `time.monotonic`."""

    at_s: float

    def left_s(self) -> float:
        """What is left.

        Raises:
            TimeoutError: nothing.
        """
        left_s = self.at_s - monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s


def addresses(host: str, port: int) -> Sequence[Address]:
    """The addresses of a host, in the order in which they are to be tried.

    Raises:
        NotPosted: it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # UnicodeError: a name that cannot be one in the DNS.
    except (OSError, UnicodeError):
        raise NotPosted(Trouble.NAME_NOT_FOUND) from None
    return [ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found]


class Poster:
    """Sends callbacks. Safe to share between threads.

    Args:
        receivers: those that the operator allows beside the public ones.
        timeout_s: how long a POST may take, from the look-up of the name to the answer's head. The look-up itself is
            the system's, and may take as long as that gives it.
        resolve: looks names up.
    """

    def __init__(self, receivers: Receivers, timeout_s: float, resolve: Resolver = addresses) -> None:
        self._receivers = receivers
        self._timeout_s = timeout_s
        self._resolve = resolve
        self._tls = ssl.create_default_context()

    def post(self, url: CallbackUrl, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a body, and give the receiver's answer, whatever its status.

        Raises:
            NotPosted: there is none.
        """
        deadline = Deadline(monotonic() + self._timeout_s)
        try:
            with closing(self._connect(url, deadline)) as connection:
                connection.settimeout(deadline.left_s())
                connection.sendall(_request(url, headers, body))
                return _read_answer(connection, deadline)
        except TimeoutError:
            raise NotPosted(Trouble.TIMED_OUT) from None
        except ssl.SSLError:
            raise NotPosted(Trouble.TLS_FAILED) from None
        except OSError:
            raise NotPosted(Trouble.CONNECTION_FAILED) from None

    def _connect(self, url: CallbackUrl, deadline: Deadline) -> socket.socket:
        found = self._resolve(url.host, url.port)
        allowed = [address for address in found if self._receivers.may_call(url, address)]
        if not allowed:
            raise NotPosted(Trouble.ADDRESS_REFUSED)
        connection = _connect_first(allowed, url.port, deadline)
        if url.scheme == "http":
            return connection
        try:
            connection.settimeout(deadline.left_s())
            return self._tls.wrap_socket(connection, server_hostname=url.host)
        except BaseException:
            connection.close()
            raise


def _connect_first(candidates: Sequence[Address], port: int, deadline: Deadline) -> socket.socket:
    """A connection to the first address that takes one; each gets its part of the time."""
    for index, address in enumerate(candidates):
        left_s = deadline.left_s() / (len(candidates) - index)
        try:
            return socket.create_connection((str(address), port), timeout=left_s)
        except OSError:
            if index == len(candidates) - 1:
                raise
    raise AssertionError("there was a candidate")


def _request(url: CallbackUrl, headers: Mapping[str, str], body: bytes) -> bytes:
    fixed = {"Host": url.authority, "Connection": "close", "Content-Length": str(len(body))}
    lines = [f"{name}: {value}" for name, value in (fixed | dict(headers)).items()]
    return "\r\n".join([f"POST {url.target} HTTP/1.1", *lines, "", ""]).encode("ascii") + body


def _read_answer(connection: socket.socket, deadline: Deadline) -> Answer:
    data = b""
    while True:
        while not (end := _END.search(data)):
            if len(data) > MOST_HEAD_BYTES:
                raise NotPosted(Trouble.NO_HTTP)
            connection.settimeout(deadline.left_s())
            received = connection.recv(4096)
            if not received:
                raise NotPosted(Trouble.NO_HTTP if data else Trouble.CONNECTION_FAILED)
            data += received
        head, data = data[: end.start()], data[end.end() :]
        status = _STATUS.match(head)
        if status is None:
            raise NotPosted(Trouble.NO_HTTP)
        if not status[1].startswith(b"1"):
            asked = _RETRY_AFTER.search(head)
            return Answer(int(status[1]), asked[1].decode("latin-1").strip() if asked else "")
