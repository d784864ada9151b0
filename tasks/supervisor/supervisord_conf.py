"""supervisord's configuration file for a list of services; pure.

supervisord starts nothing and restarts nothing of itself here: that is decided in `watcher`. What it does alone is to
stop the services in the order of their roles, which it still does when the front was killed.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.supervisor.errors import SupervisorError
from tasks.supervisor.service import Role, Service

LOG_BYTES = 10_000_000
LOG_BACKUPS = 3


@dataclass(frozen=True)
class Paths:
    """Where supervisord keeps its files; absolute."""

    configuration: Path
    socket: Path
    pid_file: Path
    logs: Path

    @property
    def own_log(self) -> Path:
        """What supervisord itself did and saw."""
        return self.logs / "supervisord.log"

    def log(self, service: str) -> Path:
        """What a service wrote to its standard output and error."""
        return self.logs / f"{service}.log"


def configuration(services: Sequence[Service], paths: Paths) -> str:
    """The file's text.

    Raises:
        SupervisorError: a path or an argument holds what the format cannot.
    """
    sections = [
        _section("unix_http_server", {"file": paths.socket, "chmod": "0700"}),
        _section(
            "supervisord",
            {
                "nodaemon": "true",
                "silent": "true",
                "logfile": paths.own_log,
                "logfile_maxbytes": LOG_BYTES,
                "logfile_backups": LOG_BACKUPS,
                "pidfile": paths.pid_file,
                # It keeps no log under a name of its own making.
                "nocleanup": "true",
            },
        ),
        _section(
            "rpcinterface:supervisor",
            {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
        ),
        _section("supervisorctl", {"serverurl": f"unix://{paths.socket}"}),
        *(_program(service, paths) for service in services),
        *(_group(role, services) for role in Role if any(service.role is role for service in services)),
    ]
    return "\n".join(sections)


def full_name(service: Service) -> str:
    """What supervisord calls the service: its group, which stops as one, and its name."""
    return f"{service.role.name.lower()}:{service.name}"


def _program(service: Service, paths: Paths) -> str:
    # The API has processes of its own to stop; nothing else needs a chance when supervisord has been killed.
    farewell = "TERM" if service.role is Role.API else "KILL"
    command = (sys.executable, "-m", "tasks.supervisor.leash", farewell, "--", *service.argv)
    return _section(
        f"program:{service.name}",
        {
            "command": shlex.join(command),
            "environment": ",".join(f'{name}="{value}"' for name, value in service.environment.items()),
            "autostart": "false",
            "autorestart": "false",
            "startsecs": 0,
            "startretries": 0,
            "stopwaitsecs": service.stop_grace_s,
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": paths.log(service.name),
            "stdout_logfile_maxbytes": LOG_BYTES,
            "stdout_logfile_backups": LOG_BACKUPS,
        },
    )


def _group(role: Role, services: Sequence[Service]) -> str:
    names = ",".join(service.name for service in services if service.role is role)
    return _section(f"group:{role.name.lower()}", {"programs": names, "priority": int(role)})


def _section(title: str, options: Mapping[str, object]) -> str:
    lines = [f"{key} = {_escaped(str(value))}" for key, value in options.items()]
    return "\n".join([f"[{title}]", *lines, ""])


def _escaped(text: str) -> str:
    if any(mark in text for mark in (" ;", " #", "\n")):
        raise SupervisorError(
            f"supervisord cannot be told {text!r}: a blank before ; or # begins a comment there. Rename the folder."
        )
    return text.replace("%", "%%")
