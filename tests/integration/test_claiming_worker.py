"""Celery workers on the claiming transport beside stock Celery: producers, `inspect`, `control`, Flower, consumers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import redis
from celery import Celery

from tests.claiming_worker import QUEUE, Workplace, nothing_is_held, send, stock_app
from tests.system import eventually
from tests.valkey import free_port


def test_stock_producers_are_served_whatever_the_priority(place: Workplace, stock: Celery, client: redis.Redis) -> None:
    for priority in (9, 6, 3, 0):
        send(stock, "note", f"queued-{priority}", priority=priority)
    place.worker()

    queued = [f"queued-{priority}" for priority in (0, 3, 6, 9)]
    assert place.await_written("done", set(queued)) == queued
    for priority in (9, 6, 3, 0):
        send(stock, "note", f"now-{priority}", priority=priority)
    place.await_written("done", {f"now-{priority}" for priority in (0, 3, 6, 9)})

    eventually(lambda: nothing_is_held(client))
    assert len(place.written("done")) == 8


def test_a_stock_application_inspects_and_revokes(place: Workplace, stock: Celery, client: redis.Redis) -> None:
    # Given a worker that holds four tasks, one of them under way, and one task more
    worker = place.worker("-P", "threads", "-c", "1")
    active, *reserved, revoked = send(stock, "hold", "active", "b", "c", "d", "revoked")
    place.await_written("begun", {"active"})
    inspect = stock.control.inspect(timeout=10, limit=1)

    assert inspect.ping() == {worker.name: {"ok": "pong"}}
    assert [request["id"] for request in inspect.active()[worker.name]] == [active]
    assert {request["id"] for request in inspect.reserved()[worker.name]} == set(reserved)
    assert inspect.stats()[worker.name]["prefetch_count"] == 4
    # When the one that still waits in the queue is revoked
    stock.control.revoke(revoked)
    eventually(lambda: revoked in inspect.revoked()[worker.name])
    place.let_go()

    # Then it does not run, and its message is done with
    place.await_written("done", {"active", "b", "c", "d"})
    eventually(lambda: nothing_is_held(client) and not client.llen(QUEUE))
    assert "revoked" not in place.written("begun")


def test_flower_on_the_stock_transport_sees_the_worker_and_its_tasks(
    place: Workplace, stock: Celery, tmp_path: Path
) -> None:
    port = free_port()
    (tmp_path / "stock.py").write_text(f"from celery import Celery\napp = Celery(broker={place.url!r})\n")
    command = [sys.executable, "-m", "celery", "-A", "stock", "flower", f"--port={port}", "--address=127.0.0.1"]
    environment = {**os.environ, "FLOWER_UNAUTHENTICATED_API": "true"}
    with (tmp_path / "flower").open("wb") as output:
        flower = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=output, stderr=output)

    def get(path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return None

    try:
        eventually(lambda: get("/api/tasks") is not None)
        worker = place.worker("-E")
        ids = send(stock, "note", "a", "b", "c")
        place.await_written("done", {"a", "b", "c"})

        def succeeded() -> bool:
            tasks = get("/api/tasks") or {}
            return all(tasks.get(id, {}).get("state") == "SUCCESS" for id in ids)

        eventually(succeeded)
        assert {get("/api/tasks")[id]["worker"] for id in ids} == {worker.name}
        eventually(lambda: worker.name in (get("/api/workers?refresh=1") or {}))
    finally:
        flower.terminate()
        flower.wait(10)


def test_a_message_wakes_one_of_the_workers_that_wait(place: Workplace, stock: Celery, client: redis.Redis) -> None:
    place.worker()
    place.worker()
    with client.monitor() as monitor:
        lines = monitor.listen()
        # Given two workers that wait on four lists each, and have all just begun to
        began_s: dict[str, float] = {}
        while len(began_s) < 8 or max(began_s.values()) - min(began_s.values()) > 2:
            line = next(lines)
            if line["command"].startswith("BLMOVE"):
                began_s[line["client_port"]] = line["time"]
        # When one message comes, and is acknowledged
        send(stock, "note", "a")
        said: list[str] = []
        while not (said and said[-1].startswith("HDEL celeriac:claims:owners")):
            said.append(next(lines)["command"])
    # Then one worker alone has said anything
    owners = {owner for command in said for owner in re.findall(r"\b[0-9a-f]{32}(?=:)", command)}
    assert len(owners) == 1
    assert place.written("done") == ["a"]


def test_stock_consumers_leave_a_claim_alone_that_is_renewed(
    place: Workplace, stock: Celery, client: redis.Redis
) -> None:
    # Given a task that takes longer than a stock consumer thinks that any may take
    place.worker("-P", "threads", "-c", "1", options={"lease_s": 1.2})
    send(stock, "hold", "a")
    place.await_written("begun", {"a"})
    seen: set[float | None] = set()
    with stock_app(place.url, visibility_timeout=1) as impatient, impatient.connection_for_read() as connection:
        qos = connection.default_channel.qos

        def renewed_often() -> bool:
            qos.restore_visible(interval=1)
            (tag,) = client.hkeys("unacked") or [b""]
            seen.add(client.zscore("unacked_index", tag))
            return len(seen) > 5

        # Then that consumer does not put it back into the queue
        eventually(renewed_often)
    assert None not in seen
    assert client.llen(QUEUE) == 0
    place.let_go()
    place.await_written("done", {"a"})
    eventually(lambda: nothing_is_held(client))
    assert place.written("begun") == ["a"]


def test_keys_of_kombu_have_its_global_prefix(place: Workplace, client: redis.Redis) -> None:
    with stock_app(place.url, global_keyprefix="one:") as stock:
        for priority in (0, 9):
            send(stock, "note", f"first-{priority}", priority=priority)
        place.worker(options={"global_keyprefix": "one:"})
        place.await_written("done", {"first-0", "first-9"})
        send(stock, "hold", "a", priority=9)
        place.await_written("begun", {"a"})

        assert client.hlen("one:unacked") == client.zcard("one:unacked_index") == 1
        assert all(re.match(b"one:|celeriac:", name) for name in client.scan_iter())
        place.let_go()
        place.await_written("done", {"a"})
        eventually(lambda: client.hlen("one:unacked") == 0 and nothing_is_held(client))
