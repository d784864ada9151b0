"""Flower as part of the system: `python -m tasks.flower_server` checks the settings and becomes Flower.

Flower shows and controls workers, so it listens on loopback unless it asks for a password.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Mapping

from tasks.errors import SettingsError
from tasks.settings import Settings, read_settings

#: Flower keeps this many tasks in memory; its own 100,000 are several hundred MB.
MAX_TASKS = 10_000


def main() -> None:
    """Become Flower; does not return. Ends with 2 and a sentence when the settings would expose it.

    Flower waits for a broker that does not answer yet.
    """
    try:
        settings = read_settings()
        refuse_exposure(settings)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - there is no log yet
        raise SystemExit(2) from None
    command = argv(settings)
    os.execve(command[0], command, environment(settings, os.environ))


def refuse_exposure(settings: Settings) -> None:
    """Hold Flower to loopback as long as anybody may use it.

    Raises:
        SettingsError: another address without a user and a password, or a password that Flower would cut in two.
    """
    if not settings.flower_basic_auth and not _is_loopback(settings.flower_host):
        raise SettingsError(
            f"CELERIAC_FLOWER_HOST is {settings.flower_host}, which others can reach, and Flower asks for no password. "
            "Set CELERIAC_FLOWER_BASIC_AUTH to user:password, or CELERIAC_FLOWER_HOST to 127.0.0.1."
        )
    if "," in settings.flower_basic_auth:
        # Flower splits the value at commas into several users.
        raise SettingsError("CELERIAC_FLOWER_BASIC_AUTH is expected without a comma; choose another password.")


def argv(settings: Settings) -> list[str]:
    """Flower's command line. What is stated here wins over `FLOWER_…` in the environment."""
    return [
        *(sys.executable, "-m", "celery", "-A", "tasks.app", "flower"),
        f"--address={settings.flower_host}",
        f"--port={settings.flower_port}",
        f"--max_tasks={MAX_TASKS}",
        "--persistent=False",
        "--natural_time=False",
    ]


def environment(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """Flower's environment: its password is not on the command line, where every user of the machine could read it."""
    own = {name: value for name, value in inherited.items() if name != "FLOWER_UNAUTHENTICATED_API"}
    if settings.flower_basic_auth:
        own["FLOWER_BASIC_AUTH"] = settings.flower_basic_auth
    return own


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    main()
