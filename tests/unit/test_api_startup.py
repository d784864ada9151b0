from __future__ import annotations

import socket

import pytest

from api.startup import PortTaken, refuse_taken_port, resolve_host
from tasks.api_keys import parse_api_keys
from tasks.errors import SettingsError
from tests.http_api import make_settings


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.8.8", "::1"])
def test_loopback_needs_no_keys(host: str) -> None:
    assert resolve_host(make_settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_address_that_others_reach_needs_keys(host: str) -> None:
    with pytest.raises(SettingsError, match=f"{host}.*CELERIAC_API_KEYS"):
        resolve_host(make_settings(host=host))
    assert resolve_host(make_settings(host=host, api_keys=parse_api_keys("ann:k"))) == host


def test_a_host_that_is_no_address_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"CELERIAC_HOST.*'no\.such\.host\.invalid'"):
        resolve_host(make_settings(host="no.such.host.invalid"))


def test_a_taken_port_is_refused_even_from_a_server_that_shares_it() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} of 127.0.0.1 .*PORT"):
            refuse_taken_port("127.0.0.1", port)
    refuse_taken_port("127.0.0.1", port)
