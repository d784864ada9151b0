"""Workers on the claiming transport whose connections are cut, whose server ends, and that end themselves."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import redis
from celery import Celery

from tasks import keys
from tasks.broker import connect
from tests.claiming import full
from tests.claiming_worker import QUEUE, ClaimingWorker, Workplace, nothing_is_held, send, stock_app
from tests.system import eventually
from tests.valkey import Valkey

LEASE_S = 3.0


def answers(worker: ClaimingWorker) -> bool:
    """Whether it answers a stock application, by a connection that has not been cut."""
    with stock_app(worker.url) as app, app.connection_for_write() as connection:
        return bool(app.control.ping([worker.name], timeout=1, limit=1, connection=connection))


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
    eventually(lambda: nothing_is_held(client) and answers(worker))
    cut_all(client)
    send(stock, "note", "after", "after-low", priority=9)
    place.await_written("done", {"after", "after-low"})
    eventually(lambda: nothing_is_held(client) and answers(worker))
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
    # Given a worker with one task under way, one claimed behind it, and one that Redis has moved to its side
    options = {"lease_s": LEASE_S}
    send(stock, "hold", "running", "held")
    dying = place.worker(options=options)
    place.await_written("begun", {"running"})
    send(stock, "note", "moved", priority=9)
    eventually(lambda: any(client.llen(key) for key in client.scan_iter(f"{keys.held('*', '')}*")))
    place.worker(options=options)
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
    (tag,) = client.hkeys("unacked")
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
    eventually(lambda: client.hlen("unacked") <= 1)
    assert client.hkeys("unacked") == client.hkeys(keys.OWNERS) == client.zrange(keys.LEASES, 0, -1) == [tag]
    place.let_go(other)
    eventually(lambda: place.written("done") == ["a", "next", "a"])
    eventually(lambda: nothing_is_held(client))


def test_a_worker_that_is_stopped_gives_back_what_it_has_not_run(
    place: Workplace, stock: Celery, client: redis.Redis
) -> None:
    # Given tasks that are claimed and wait for their time
    worker = place.worker()
    send(stock, "note", "later-0", "later-1", countdown=3600)
    eventually(lambda: client.hlen("unacked") == 2)

    worker.stop()

    assert nothing_is_held(client)
    assert client.llen(QUEUE) == 2


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
    encoded = good["properties"] | {"body_encoding": "rot13"}
    changes = [{"body": body} for body in ("A", "gICA", "", 5, None)]
    changes += [{"headers": 7}, {"properties": {}}, {"properties": encoded}, {"content-type": "application/x-python"}]
    for number, change in enumerate(changes):
        bad = good | change
        tag = {"delivery_tag": f"bad-{number}"}
        client.lpush(QUEUE, json.dumps(bad | {"properties": bad["properties"] | tag}))
    send(stock, "note", "last")
    worker = place.worker()

    place.await_written("done", {"first", "last"})
    eventually(lambda: nothing_is_held(client))
    assert worker.process.poll() is None
    assert place.written("done") == ["first", "last"]


def test_a_full_server_is_drained_and_then_asked_now_and_then(
    place: Workplace, stock: Celery, client: redis.Redis
) -> None:
    worker = place.worker(options={"lease_s": LEASE_S})
    values = [f"task-{number}" for number in range(8)]
    send(stock, "hold", values[0])
    send(stock, "note", *values[1:])
    place.await_written("begun", {values[0]})
    with full(client):
        place.let_go()
        place.await_written("done", set(values))
        eventually(lambda: nothing_is_held(client))
        # Then Redis refuses to wait, and the worker asks again for its four lists with each renewal, not at once
        refused = eventually(lambda: waits_refused(client))
        began_s = time.monotonic()
        eventually(lambda: waits_refused(client) >= refused + 8)
        assert time.monotonic() - began_s > LEASE_S / 3
    send(stock, "note", "after")
    place.await_written("done", {"after"})
    assert "onnection to broker lost" not in worker.output()
    assert sorted(place.written("done")) == sorted([*values, "after"])


def waits_refused(client: redis.Redis) -> int:
    return int(client.info("commandstats").get("cmdstat_blmove", {}).get("rejected_calls", 0))
