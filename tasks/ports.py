"""Whether a port can be listened on now; asked before a server starts, because some would share it unnoticed."""

from __future__ import annotations

import socket


def refusal(host: str, port: int) -> str | None:
    """Why nobody can listen there now, in the operating system's words; None when one can.

    Args:
        host: an address or a name of this machine.
        port: from 1.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do it: connections that linger from the last run do not take the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error.strerror or type(error).__name__
    return None
