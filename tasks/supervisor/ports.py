"""Whether the ports that the services want are free, asked before anything is started."""

from __future__ import annotations

from tasks.ports import refusal
from tasks.settings import Settings
from tasks.supervisor.errors import PortTaken


def refuse_taken(settings: Settings) -> None:
    """Check the API's and Flower's ports.

    Raises:
        PortTaken: one cannot be listened on; the sentence names the port, the setting and what to do.
    """
    if settings.port == settings.flower_port:
        raise PortTaken(f"PORT and CELERIAC_FLOWER_PORT are both {settings.port}. Give the API and Flower a port each.")
    _refuse(settings.host, settings.port, "the API", "PORT", "CELERIAC_HOST")
    _refuse(settings.flower_host, settings.flower_port, "Flower", "CELERIAC_FLOWER_PORT", "CELERIAC_FLOWER_HOST")


def _refuse(host: str, port: int, service: str, port_setting: str, host_setting: str) -> None:
    if reason := refusal(host, port):
        raise PortTaken(
            f"Port {port} of {host}, which {service} wants, cannot be listened on ({reason}). Stop the program "
            f"that uses it, or set {port_setting} to another port (now {port}; {host_setting} is {host})."
        )
