"""What is checked before the server starts."""

from __future__ import annotations

import ipaddress
import socket

from tasks.errors import SettingsError
from tasks.ports import refusal
from tasks.settings import Settings


class PortTaken(Exception):
    """Another program listens on the port."""


def resolve_host(settings: Settings) -> str:
    """The IP address to listen on.

    Raises:
        SettingsError: `CELERIAC_HOST` cannot be resolved, or others could reach it and there are no API keys.
    """
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise SettingsError(
            f"CELERIAC_HOST is expected as an address of this machine; {settings.host!r} is none ({error.strerror})."
        ) from None
    address = str(found[0][4][0])
    if not ipaddress.ip_address(address).is_loopback and not settings.api_keys:
        raise SettingsError(
            f"CELERIAC_HOST is {settings.host}, which other machines can reach. Set CELERIAC_API_KEYS to name:key, "
            "or unset CELERIAC_HOST to serve this machine alone."
        )
    return address


def refuse_taken_port(address: str, port: int) -> None:
    """Ask for the port once, and leave it.

    Raises:
        PortTaken: somebody has it; or the address is not this machine's, or the port needs rights that are lacking.
    """
    if reason := refusal(address, port):
        raise PortTaken(
            f"Port {port} of {address} cannot be listened on ({reason}). Stop the program that uses it, "
            "or set PORT to another port."
        )
