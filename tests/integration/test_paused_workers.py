"""Workers of a queue that is paused and resumed: Celery's on our transport, several at once, with no model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery

from tasks import keys
from tests.claiming_worker import QUEUE, Workplace, nothing_is_held, send, stock_app
from tests.system import eventually
from tests.valkey import Valkey

VALUES = [f"value-{number:02}" for number in range(20)]


@pytest.fixture
def place(tmp_path: Path, valkey: Valkey, client: redis.Redis) -> Iterator[Workplace]:
    place = Workplace(tmp_path, valkey.url)
    yield place
    place.close()


@pytest.fixture
def stock(valkey: Valkey) -> Iterator[Celery]:
    with stock_app(valkey.url) as app:
        yield app


def waiting(client: redis.Redis) -> list[bytes]:
    """What waits in the queue's first list, the next one first; nothing is on its way anywhere."""
    assert not [key for key in client.scan_iter(f"{keys.PREFIX}held:*")]
    return list(reversed(client.lrange(QUEUE, 0, -1)))


def calls(client: redis.Redis) -> int:
    """Commands of workers since the counts were reset."""
    told = client.info("commandstats")
    return sum(told.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("blmove", "evalsha", "lmove"))


def test_workers_leave_a_paused_queue_alone_and_take_it_up_again_within_a_second(
    place: Workplace, stock: Celery, client: redis.Redis
) -> None:
    # Given two workers that wait for messages
    workers = [place.worker(), place.worker()]
    send(stock, "note", "before")
    place.await_written("done", {"before"})
    # When the queue is paused, and messages come, each of which would wake one of them
    client.sadd(keys.PAUSED, QUEUE)
    ids = send(stock, "note", *VALUES)
    sent = eventually(lambda: nothing_is_held(client) and len(waiting(client)) == len(VALUES) and waiting(client))
    # Then they wait in their order, whoever was woken, and the workers answer
    assert [ids.index(id_) for message in sent for id_ in ids if id_.encode() in message] == list(range(20))
    assert len(stock.control.inspect(timeout=10, limit=2).ping()) == 2
    # And neither keeps the server busy
    client.config_resetstat()
    time_to_look_s = time.monotonic() + 2
    eventually(lambda: time.monotonic() > time_to_look_s)
    assert calls(client) < 100
    assert len(waiting(client)) == len(VALUES)
    # When one of them is started again meanwhile
    workers[0].stop()
    place.worker()
    assert (place.written("done"), len(waiting(client))) == (["before"], len(VALUES))
    # And the queue is resumed
    client.srem(keys.PAUSED, QUEUE)
    resumed_s = time.monotonic()
    place.await_written("done", set(VALUES))
    assert time.monotonic() - resumed_s < 1
    eventually(lambda: nothing_is_held(client))
    assert len(place.written("done")) == 1 + len(VALUES)


def test_a_pause_outlives_the_broker_and_a_worker_that_is_killed_in_it(
    place: Workplace, stock: Celery, client: redis.Redis, valkey: Valkey
) -> None:
    worker = place.worker(options={"lease_s": 1.2})
    client.sadd(keys.PAUSED, QUEUE)
    send(stock, "note", *VALUES[:5])
    worker.kill()
    place.worker(options={"lease_s": 1.2})
    valkey.kill()
    valkey.start()
    # What the one that was killed had on its way goes back, and nothing runs
    eventually(lambda: nothing_is_held(client) and client.llen(QUEUE) == 5)
    assert place.written("done") == []
    client.srem(keys.PAUSED, QUEUE)
    assert place.await_written("done", set(VALUES[:5])) == VALUES[:5]
