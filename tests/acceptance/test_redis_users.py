"""The rights in Redis that docs/redis.md gives the API and the workers: enough for a job's whole way, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from redis.exceptions import NoPermissionError

from tasks.broker import connect
from tests.api_process import Api
from tests.live_worker import LiveWorker, stock_app
from tests.system import eventually
from tests.tiny_models import add_linear
from tests.valkey import Valkey

ROOT = Path(__file__).parents[2]
MANUAL = ROOT / "docs" / "redis.md"
ROWS = {"instances": [[1, 2, 3]]}


def manual_lines() -> dict[str, str]:
    """The manual's command for each user."""
    lines = re.findall(r"^ACL SETUSER .*$", MANUAL.read_text(), re.MULTILINE)
    return {line.split()[2]: line for line in lines}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server with the manual's two users, and nobody else but its administrator."""
    server = Valkey(tmp_path_factory.mktemp("redis-users"), password="admin-word")
    server.start()
    with connect(server.url) as admin:
        for user, line in manual_lines().items():
            admin.execute_command(*line.replace(">PASSWORD", f">word-of-{user}").split(" "))
    yield server
    server.stop()


@pytest.fixture
def admin(server: Valkey) -> Iterator[redis.Redis]:
    with connect(server.url) as admin:
        admin.acl_log_reset()
        yield admin


def url_of(server: Valkey, user: str) -> str:
    return f"redis://{user}:word-of-{user}@127.0.0.1:{server.port}/0"


def refused(admin: redis.Redis) -> set[tuple[str, str, str]]:
    """Who wanted what and was not let, since the test began; what redis-py tells of itself is passed over."""
    entries = [{str(key): value for key, value in entry.items()} for entry in admin.acl_log()]
    found = {(str(entry["username"]), str(entry["reason"]), str(entry["object"])) for entry in entries}
    return {one for one in found if "client|" not in one[2]}


def test_a_job_goes_its_whole_way_under_the_two_users(server: Valkey, admin: redis.Redis, tmp_path: Path) -> None:
    # Given an API, a worker and a keeper that have no more rights than the manual gives them
    add_linear(tmp_path / "store", "linear", "frozen_graph")
    worker_url = url_of(server, "celeriac-worker")
    worker = LiveWorker(tmp_path / "store", worker_url, "linear", tmp_path / "worker.log").start()
    keeper = LiveWorker(tmp_path, worker_url, "none", tmp_path / "keeper.log", "keeper").as_keeper()
    api = Api(tmp_path, REDIS_URL=url_of(server, "celeriac-api"), CELERIAC_RESULT_TTL_S="60").await_ready()
    try:
        keeper.start().await_ready()
        worker.await_ready()
        with httpx.Client(base_url=api.url, timeout=70) as http:
            # When jobs are run, waited for, asked for, cancelled, and left to their deadline
            done = http.post(
                "/v1/models/linear/jobs", json=ROWS, headers={"Prefer": "wait=60", "Idempotency-Key": "once"}
            )
            waited = http.get(f"/v1/jobs/{post(http)}?wait=60").json()
            queried = http.post("/v1/jobs:query", json={"ids": [waited["id"]], "results": True}).json()["jobs"]
            freed = http.delete(f"/v1/jobs/{waited['id']}/result").status_code
            paths = ("/v1/models", "/v1/models/linear", "/metrics", "/v1/jobs?status=failed")
            watched = [http.get(path).status_code for path in paths]
            paused = [http.post(f"/v1/models/linear:{verb}").json()["paused"] for verb in ("pause", "resume")]
            with stock_app(worker_url) as app:
                alive = app.control.inspect(timeout=10, limit=2).ping()
            worker.send(15)
            assert worker.code() == 0
            cancelled = http.delete(f"/v1/jobs/{post(http)}").json()["status"]
            late = post(http, expires_in_s="0.1")
            eventually(lambda: http.get(f"/v1/jobs/{late}").json()["status"] == "expired")
    finally:
        api.stop()
        for one in (worker, keeper):
            one.kill()
    # Then all goes well, and nobody wanted more than he may
    assert refused(admin) == set()
    assert (done.status_code, done.json()["result"]) == (200, {"outputs": {"y": [[3.0, 5.0, 7.0]]}})
    assert waited["result"] == queried[0]["result"] == done.json()["result"]
    assert (freed, cancelled, watched) == (204, "cancelled", [200] * 4)
    assert paused == [True, False]
    assert set(alive) == {"one@tests", "keeper@tests"}
    said = api.log() + worker.output() + keeper.output()
    assert "NOPERM" not in said
    assert "word-of-celeriac" not in said


def post(http: httpx.Client, **parameters: str) -> str:
    answer = http.post("/v1/models/linear/jobs", json=ROWS, params=parameters)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize(
    ("user", "scripts"),
    [
        ("celeriac-api", ["tasks/lua/submit.lua", "tasks/lua/finish.lua", "tasks/lua/list.lua"]),
        ("celeriac-worker", ["tasks/**/*.lua"]),
    ],
)
def test_a_user_may_run_every_command_of_its_scripts(user: str, scripts: list[str]) -> None:
    text = "".join(path.read_text() for pattern in scripts for path in ROOT.glob(pattern))
    commands = {name.lower() for name in re.findall(r"redis\.call\('(\w+)'", text)}
    assert len(commands) >= 9
    assert commands <= {word.removeprefix("+") for word in manual_lines()[user].split()}


def test_the_worker_may_do_all_that_the_api_may() -> None:
    api, worker = (set(manual_lines()[user].split()) for user in ("celeriac-api", "celeriac-worker"))
    # A channel of the API's is one of the worker's pattern.
    assert api - worker == {"celeriac-api", "&/0.celeryev/task.sent"}
    assert "&/0.celeryev/*" in worker


@pytest.mark.parametrize("user", ["celeriac-api", "celeriac-worker"])
@pytest.mark.parametrize(
    "command",
    [
        "FLUSHALL",
        "FLUSHDB",
        "KEYS *",
        "CONFIG GET requirepass",
        "ACL LIST",
        "SHUTDOWN",
        "MONITOR",
        "CLIENT KILL ID 1",
        "SCRIPT FLUSH",
        "REPLICAOF NO ONE",
        "HGETALL another-program",
        "SUBSCRIBE another-program",
    ],
)
def test_neither_user_can_do_harm_to_the_server_or_to_others(server: Valkey, user: str, command: str) -> None:
    with connect(url_of(server, user)) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command.split())


@pytest.mark.parametrize("command", ["HGETALL unacked", "PUBLISH /0.celery.pidbox shutdown", "LPOP model.linear"])
def test_the_api_can_neither_take_messages_nor_command_workers(server: Valkey, command: str) -> None:
    with connect(url_of(server, "celeriac-api")) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command.split())
