"""Workers on the claiming transport whose connections are cut, whose server ends, and that end themselves."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery

from tasks import keys
from tasks.broker import connect
from tests.claiming import full
from tests.claiming_worker import QUEUE, Workplace, nothing_is_held, send, stock_app
from tests.system import eventually
from tests.valkey import Valkey

LEASE_S = 3.0


@pytest.fixture
def place(tmp_path: Path, valkey: Valkey, client: redis.Redis) -> Iterator[Workplace]:
    place = Workplace(tmp_path, valkey.url)
    yield place
    place.close()


@pytest.fixture
def stock(valkey: Valkey) -> Iterator[Celery]:
    with stock_app(valkey.url) as app:
        yield app


def cut_all(client: redis.Redis) -> None:
    """End all connections but this one's."""
    for kind in ("normal", "pubsub"):
        client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")


def test_what_runs_and_what_waits_when_all_connections_are_cut_runs_once(
    place: Workplace, stock: Celery, client: redis.Redis
) -> None:
    # Given a task under way, tasks claimed behind it, and more in the queue
    worker = place.worker()
    values = [f"task-{number}" for number in range(12)]
    send(stock, "hold", values[0])
    send(stock, "note", *values[1:])
    place.await_written("begun", {values[0]})

    cut_all(client)
    place.let_go()

    assert sorted(place.await_written("done", set(values))) == sorted(values)
    # Then it is as before, when they are cut while it waits
    eventually(lambda: nothing_is_held(client) and stock.control.ping(timeout=0.5))
    cut_all(client)
    send(stock, "note", "after", "after-low", priority=9)
    place.await_written("done", {"after", "after-low"})
    eventually(lambda: stock.control.ping(timeout=0.5) == [{worker.name: {"ok": "pong"}}])
    eventually(lambda: nothing_is_held(client))
    assert len(place.written("done")) == 14


def test_threads_that_compute_while_the_connections_are_cut_run_nothing_twice(
    place: Workplace, stock: Celery, client: redis.Redis
) -> None:
    # Given four tasks under way in a worker whose loop goes on
    place.worker("-P", "threads", "-c", "4", worker_prefetch_multiplier=1, options={"lease_s": LEASE_S})
    send(stock, "hold", "a", "b", "c", "d")
    place.await_written("begun", {"a", "b", "c", "d"})

    cut_all(client)
    (renewed_us,) = {client.zscore(keys.LEASES, tag) for tag in client.zrange(keys.LEASES, 0, 0)}
    # Then their leases are renewed by the next connection
    eventually(lambda: (client.zrange(keys.LEASES, 0, 0, withscores=True) or [("", 0)])[0][1] > renewed_us + 500_000)
    place.let_go()
    place.await_written("done", {"a", "b", "c", "d"})
    eventually(lambda: nothing_is_held(client))
    assert sorted(place.written("begun")) == ["a", "b", "c", "d"]


def test_a_worker_goes_on_when_the_server_forgets_its_scripts(
    place: Workplace, stock: Celery, client: redis.Redis
) -> None:
    worker = place.worker()
    for value in ("a", "b"):
        client.script_flush()
        send(stock, "note", value)
        place.await_written("done", {value})
    eventually(lambda: nothing_is_held(client))
    assert "Traceback" not in worker.output()


def test_a_worker_goes_on_when_its_broker_was_restarted(tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    server.start()
    place = Workplace(tmp_path, server.url)
    try:
        with stock_app(server.url) as stock, connect(server.url) as client:
            place.worker()
            send(stock, "note", "before")
            place.await_written("done", {"before"})
            # When it is restarted while the worker waits
            server.stop()
            server.start()
            send(stock, "hold", "during")
            send(stock, "note", "behind-0", "behind-1")
            # And while it runs a task
            place.await_written("begun", {"during"})
            server.stop()
            server.start()
            place.let_go()
            place.await_written("done", {"during", "behind-0", "behind-1"})
            send(stock, "note", "after")
            place.await_written("done", {"after"})

            eventually(lambda: nothing_is_held(client))
            assert sorted(place.written("done")) == ["after", "before", "behind-0", "behind-1", "during"]
    finally:
        place.close()
        server.stop()


def test_what_a_killed_worker_held_is_another_ones_soon(place: Workplace, stock: Celery, client: redis.Redis) -> None:
    # Given a worker that was idle, and so has Redis move messages to it, and then has tasks
    options = {"lease_s": LEASE_S}
    dying = place.worker(options=options)
    survivor = place.worker(options=options)
    survivor.send(signal.SIGSTOP)
    send(stock, "hold", "running", "held")
    place.await_written("begun", {"running"})
    send(stock, "note", "moved", priority=9)
    eventually(lambda: any(client.llen(key) for key in client.scan_iter(f"{keys.held('*', '')}*")))
    survivor.send(signal.SIGCONT)
    # When it is killed
    dying.kill()
    killed_s = time.monotonic()
    place.let_go()

    place.await_written("done", {"running", "held", "moved"}, within_s=LEASE_S + 5)
    assert time.monotonic() - killed_s < LEASE_S + 5
    eventually(lambda: nothing_is_held(client))
    assert sorted(place.written("done")) == ["held", "moved", "running"]


def test_a_worker_that_stalled_acknowledges_nothing_that_another_has_by_now(
    place: Workplace, stock: Celery, client: redis.Redis
) -> None:
    options = {"lease_s": LEASE_S}
    stalled = place.worker(options=options)
    send(stock, "hold", "a")
    place.await_written("begun", {"a"})
    stalled.send(signal.SIGSTOP)
    # Given another worker that has its task
    other = place.worker(options=options)
    eventually(lambda: place.written("begun") == ["a", "a"])
    # When the first goes on, ends the task, and runs the next
    stalled.send(signal.SIGCONT)
    place.let_go(stalled)
    place.await_written("done", {"a"})
    send(stock, "note", "next")
    place.await_written("done", {"next"})

    # Then the message is still the other's
    assert client.hlen("unacked") == 1
    assert client.zcard(keys.LEASES) == 1
    place.let_go(other)
    eventually(lambda: place.written("done") == ["a", "next", "a"])
    eventually(lambda: nothing_is_held(client))


def test_a_worker_that_is_stopped_acknowledges_what_it_ran_and_gives_back_the_rest(
    place: Workplace, stock: Celery, client: redis.Redis
) -> None:
    worker = place.worker("-P", "threads", "-c", "1")
    send(stock, "hold", "a", "b")
    send(stock, "note", "low", priority=9)
    place.await_written("begun", {"a"})
    worker.send(signal.SIGTERM)
    place.let_go()
    assert worker.process.wait(20) == 0

    # Then nothing waits for a lease to end
    assert nothing_is_held(client)
    left = [json.loads(raw) for key in (QUEUE, QUEUE + "\x06\x169") for raw in client.lrange(key, 0, -1)]
    assert len(place.written("done")) + len(left) == 3


def test_an_acknowledgement_is_not_lost_when_the_worker_is_stopped_right_after_the_task(
    place: Workplace, stock: Celery, client: redis.Redis
) -> None:
    worker = place.worker()
    send(stock, "hold", "a")
    place.await_written("begun", {"a"})
    worker.send(signal.SIGTERM)
    place.let_go()

    assert worker.process.wait(20) == 0
    assert place.written("done") == ["a"]
    assert nothing_is_held(client)
    assert not client.llen(QUEUE)


def test_a_message_that_kombu_cannot_read_is_dropped_and_its_neighbours_run(
    place: Workplace, stock: Celery, client: redis.Redis
) -> None:
    send(stock, "note", "first")
    good = json.loads(client.lindex(QUEUE, 0))
    for number, change in enumerate(({"body": "%%%"}, {"body": "AA"}, {"body": 5}, {"properties": {}}, {"headers": 7})):
        bad = good | change
        properties = bad["properties"] | {"delivery_tag": f"bad-{number}"}
        client.lpush(QUEUE, json.dumps(bad | {"properties": properties}))
    client.lpush(
        QUEUE,
        json.dumps(good | {"properties": good["properties"] | {"body_encoding": "rot13", "delivery_tag": "bad-x"}}),
    )
    send(stock, "note", "last")
    worker = place.worker()

    place.await_written("done", {"first", "last"})
    eventually(lambda: nothing_is_held(client))
    assert worker.process.poll() is None
    assert place.written("done") == ["first", "last"]


def test_a_full_server_is_drained_and_waited_for(place: Workplace, stock: Celery, client: redis.Redis) -> None:
    worker = place.worker(options={"lease_s": LEASE_S})
    send(stock, "hold", "a")
    send(stock, "note", "b", "c", "d", "e", "f")
    place.await_written("begun", {"a"})
    with full(client):
        cut_all(client)
        place.let_go()
        place.await_written("done", {"a", "b", "c", "d", "e", "f"})
        eventually(lambda: nothing_is_held(client))
        calls = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        assert stock.control.ping(timeout=2, limit=1) == [{worker.name: {"ok": "pong"}}]
        # Then it does not ask again and again
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] - calls < 50
    send(stock, "note", "after")
    place.await_written("done", {"after"})
    assert len(place.written("done")) == 7
