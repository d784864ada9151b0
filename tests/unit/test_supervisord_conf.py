from __future__ import annotations

import configparser
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.callbacks.signing import parse_secrets
from tasks.settings import Settings
from tasks.supervisor.errors import SupervisorError
from tasks.supervisor.lineup import lineup
from tasks.supervisor.readiness import Alive
from tasks.supervisor.service import Role, Service
from tasks.supervisor.supervisord_conf import Paths, configuration

PATHS = Paths(*(Path("/var/celeriac") / name for name in ("conf", "sock", "pid", "logs")))
WORKER = Service("worker-a", Role.WORKER, ("serve", "a b", "100%"), 7, Alive(0), "a")
WITH_SECRET = Settings(callback_secrets=parse_secrets("whsec_" + "A" * 32))


def read(*services: Service) -> configparser.RawConfigParser:
    """The configuration as supervisord reads it, percent signs apart."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(configuration(services, PATHS))
    return parser


def test_a_command_keeps_its_arguments_and_a_percent_sign_is_doubled() -> None:
    command = read(WORKER)["program:worker-a"]["command"]

    assert shlex.split(command)[-3:] == ["serve", "a b", "100%%"]


def test_a_service_has_its_own_environment_beside_the_common_one() -> None:
    conf = read(replace(WORKER, environment={"A_NUMBER": "3", "WORDS": "a b"}))
    assert conf["program:worker-a"]["environment"] == 'A_NUMBER="3",WORDS="a b"'


def test_the_workers_of_a_system_are_numbered_so_that_gpus_are_taken_in_turn() -> None:
    services = lineup(Settings(), ["a", "b", "c"])
    turns = [service.environment["CELERIAC_GPU_TURN"] for service in services if service.role is Role.WORKER]
    assert turns == ["0", "1", "2"]


def callbacks(settings: Settings) -> list[tuple[str, ...]]:
    return [service.argv for service in lineup(settings, []) if service.role is Role.CALLBACKS]


def test_callbacks_have_a_worker_of_threads_where_there_is_a_secret_and_none_else() -> None:
    ((*_, pool, kind, option, threads, _, _, _, _),) = callbacks(replace(WITH_SECRET, callback_threads=7))
    assert (pool, kind, option, threads) == ("-P", "threads", "-c", "7")
    assert callbacks(Settings()) == []


def test_the_procfile_starts_the_callbacks_by_the_same_command() -> None:
    procfile = (Path(__file__).parents[2] / "Procfile").read_text()
    (line,) = re.findall(r"^callbacks: (.*)$", procfile, re.MULTILINE)
    ((_, _, *command),) = callbacks(WITH_SECRET)
    assert line.split() == command


def test_workers_are_one_group_and_stop_between_api_and_broker() -> None:
    services = [replace(WORKER, name="worker-b"), WORKER]
    services += [Service(role.name.lower(), role, ("serve",), 1, Alive(0)) for role in Role if role is not Role.WORKER]

    conf = read(*services)

    assert conf["group:worker"]["programs"] == "worker-b,worker-a"
    priority = {role: int(conf[f"group:{role.name.lower()}"]["priority"]) for role in Role}
    assert sorted(Role, key=priority.__getitem__, reverse=True) == [
        Role.API,
        Role.WORKER,
        Role.KEEPER,
        Role.CALLBACKS,
        Role.FLOWER,
        Role.BROKER,
    ]


def test_supervisord_itself_starts_and_restarts_nothing_and_gives_each_its_grace() -> None:
    program = read(WORKER)["program:worker-a"]

    assert (program["autostart"], program["autorestart"], program["stopwaitsecs"]) == ("false", "false", "7")


def test_what_would_read_as_a_comment_is_refused() -> None:
    with pytest.raises(SupervisorError, match="begins a comment"):
        configuration([replace(WORKER, argv=("/folder #1/serve",))], PATHS)
