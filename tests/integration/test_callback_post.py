from __future__ import annotations

import ssl
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from time import monotonic

import pytest

from tasks.callbacks.callback import Trouble
from tasks.callbacks.post import NotPosted, Poster, addresses
from tasks.callbacks.receivers import Address, parse_receivers
from tasks.callbacks.schedule import Answer
from tasks.callbacks.url import parse_url
from tests.receivers import receiving, saying
from tests.tls_proxy import make_certificate
from tests.valkey import free_port

HEADERS = {"webhook-id": "1"}
OK = b"HTTP/1.1 200 OK\r\n\r\n"


def post(
    port: int, path: str = "/", timeout_s: float = 5.0, host: str = "localhost", allow: str = "localhost"
) -> Answer:
    return Poster(parse_receivers(allow), timeout_s).post(parse_url(f"http://{host}:{port}{path}"), HEADERS, b"body")


def trouble(port: int, timeout_s: float = 5.0, **how: str) -> Trouble:
    with pytest.raises(NotPosted) as refusal:
        post(port, timeout_s=timeout_s, **how)
    return refusal.value.trouble


def test_a_body_is_posted_with_its_headers_to_path_and_query() -> None:
    with receiving(202, Retry_After="7") as receiver:
        assert post(receiver.port, "/a/b%20c?d=e") == Answer(202, "7")
    (request,) = receiver.received
    assert (request.path, request.body) == ("/a/b%20c?d=e", b"body")
    assert request.headers == {
        "Host": f"localhost:{receiver.port}", "Connection": "close", "Content-Length": "4", "webhook-id": "1",
    }  # fmt: skip


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    with receiving() as elsewhere, receiving(status, Location=f"http://localhost:{elsewhere.port}/") as receiver:
        assert post(receiver.port).status_code == status
    assert not elsewhere.received


def test_a_proxy_in_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with receiving() as receiver:
        assert post(receiver.port).status_code == 204


def test_a_name_that_leads_to_this_machine_is_refused_without_a_connection() -> None:
    with receiving() as receiver:
        assert trouble(receiver.port, allow="10.0.0.0/8") is Trouble.ADDRESS_REFUSED
        assert trouble(receiver.port, host="127.1", allow="10.0.0.0/8") is Trouble.ADDRESS_REFUSED
        assert post(receiver.port, allow="127.0.0.0/8").status_code == 204
    assert len(receiver.received) == 1


def test_the_name_is_looked_up_once_and_the_address_that_was_checked_is_called() -> None:
    # Given a name that leads to the allowed receiver the first time, and to another one afterwards
    looked_up: list[str] = []

    def resolve(host: str, port: int) -> Sequence[Address]:
        looked_up.append(host)
        return [ip_address("10.0.0.1"), ip_address("127.0.0.1" if len(looked_up) == 1 else "127.0.0.2")]

    with receiving() as receiver:
        url = parse_url(f"http://rebinding.example:{receiver.port}/")
        # When a callback is sent
        answer = Poster(parse_receivers("127.0.0.1"), 5.0, resolve).post(url, HEADERS, b"")
    # Then the name was asked for once, nobody tried 10.0.0.1, and the receiver sees the name that it knows
    assert answer.status_code == 204
    assert looked_up == ["rebinding.example"]
    assert receiver.received[0].headers["Host"] == f"rebinding.example:{receiver.port}"


def test_the_next_address_is_tried_when_the_first_one_refuses() -> None:
    with receiving() as receiver:
        poster = Poster(
            parse_receivers("127.0.0.0/8"), 5.0, lambda *_: [ip_address("127.0.0.2"), ip_address("127.0.0.1")]
        )
        assert poster.post(parse_url(f"http://two.example:{receiver.port}/"), HEADERS, b"").status_code == 204


def test_nobody_there_and_no_such_name_are_told_apart() -> None:
    assert trouble(free_port()) is Trouble.CONNECTION_FAILED
    for name in ("nobody.invalid", "a" * 63 + ".invalid"):
        with pytest.raises(NotPosted) as refusal:
            addresses(name, 80)
        assert refusal.value.trouble is Trouble.NAME_NOT_FOUND


INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\n"


@pytest.mark.parametrize(
    ("parts", "status_code", "retry_after"),
    [
        ([OK], 200, ""),
        ([b"HTTP/1.0 500\n\n"], 500, ""),
        ([INTERIM, b"HTTP/1.1 429 No\r\nretry-after:  9 \r\n\r\n"], 429, "9"),
        ([bytes([byte]) for byte in OK], 200, ""),
        ([OK + b"x" * 1_000_000], 200, ""),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"], 200, ""),
    ],
)
def test_an_answer_counts_as_soon_as_its_head_is_there(parts: list[bytes], status_code: int, retry_after: str) -> None:
    with saying(*parts) as port:
        assert post(port) == Answer(status_code, retry_after)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([b"SSH-2.0-OpenSSH_9.9\r\n\r\n"], Trouble.NO_HTTP),
        ([b"HTTP/1.1 2000 OK\r\n\r\n"], Trouble.NO_HTTP),
        ([b"HTTP/1.1 200 OK\r\n", b""], Trouble.NO_HTTP),
        ([b""], Trouble.CONNECTION_FAILED),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000], Trouble.NO_HTTP),
        ([b"\x00" * 100_000], Trouble.NO_HTTP),
    ],
)
def test_what_is_no_answer_is_told_as_such(parts: list[bytes], expected: Trouble) -> None:
    with saying(*parts) as port:
        assert trouble(port) is expected


@pytest.mark.parametrize("parts", [[], [b"HTTP/1.1 200 OK\r\nX: "] + [b"x"] * 50, [b"HTTP/1.1 103 E\r\n\r\n"] * 50])
def test_silence_and_drops_are_over_in_time(parts: list[bytes]) -> None:
    with saying(*parts, pause_s=0.1) as port:
        began_s = monotonic()
        assert trouble(port, timeout_s=0.5) is Trouble.TIMED_OUT
        assert 0.4 < monotonic() - began_s < 1.5


def test_by_https_the_certificate_has_to_be_the_names_and_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make_certificate(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    poster = Poster(parse_receivers("localhost"), 5.0)
    with saying(OK, b"", tls=context) as port:
        with pytest.raises(NotPosted) as refusal:
            poster.post(parse_url(f"https://localhost:{port}/"), HEADERS, b"")
        assert refusal.value.trouble is Trouble.TLS_FAILED
        # Trusted, it is still not the certificate of another name.
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        poster = Poster(parse_receivers("127.0.0.1"), 5.0, lambda *_: [ip_address("127.0.0.1")])
        with pytest.raises(NotPosted) as refusal:
            poster.post(parse_url(f"https://other.example:{port}/"), HEADERS, b"")
        assert refusal.value.trouble is Trouble.TLS_FAILED
        assert poster.post(parse_url(f"https://localhost:{port}/"), HEADERS, b"") == Answer(200)


def test_a_handshake_that_never_ends_is_over_in_time() -> None:
    with saying() as port, pytest.raises(NotPosted) as refusal:
        Poster(parse_receivers("127.0.0.1"), 0.5).post(parse_url(f"https://127.0.0.1:{port}/"), HEADERS, b"")
    assert refusal.value.trouble is Trouble.TIMED_OUT


def test_what_is_told_of_a_failure_repeats_nothing_of_the_url() -> None:
    with pytest.raises(NotPosted) as refusal:
        post(free_port(), "/token")
    assert str(refusal.value) == "connection_failed" and refusal.value.__suppress_context__
