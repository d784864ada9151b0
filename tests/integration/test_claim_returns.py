"""The scripts of `tasks.transport.scripts` that return messages to their lists, on a real server."""

from __future__ import annotations

import json

import pytest
import redis
from kombu import Connection

from tasks import keys
from tasks.broker import server_time_us
from tasks.job import Job, new_job_id
from tasks.message import task_message
from tests.claiming import QUEUE, Worker, is_claimed, message, push, queued, tags_of
from tests.system import eventually
from tests.valkey import Valkey


@pytest.fixture
def worker(client: redis.Redis) -> Worker:
    return Worker(client)


# Giving back


def test_what_is_given_back_to_run_next_comes_in_its_old_order_before_all_others(
    client: redis.Redis, worker: Worker
) -> None:
    push(client, "a", "b", "c", "d")
    push(client, "low", priority=9)
    worker.claim(3)
    worker.scripts.acknowledge({"b": worker.tokens["b"]})

    assert worker.scripts.give_back(worker.tokens) == 2

    assert queued(client) == ["a", "c", "d"]
    assert client.lindex(QUEUE, -1) == message("a")
    assert is_claimed(client, set())


def test_what_is_given_back_to_run_last_comes_after_all_others(client: redis.Redis, worker: Worker) -> None:
    push(client, "a", "b", "c")
    worker.claim(1)

    assert worker.scripts.give_back(worker.tokens, run_next=False) == 1

    assert queued(client) == ["b", "c", "a"]
    assert is_claimed(client, set())


def test_messages_on_their_way_are_given_back_behind_those_that_came_before(
    client: redis.Redis, worker: Worker
) -> None:
    # Given two claimed messages, two that came when the worker waited, and one that came later
    push(client, "claimed-0", "claimed-1")
    worker.claim()
    source = worker.lists[0]
    push(client, "moved-0", "moved-1")
    client.lmove(source.key, source.holding, "RIGHT", "LEFT")
    client.lmove(source.key, source.holding, "RIGHT", "LEFT")
    push(client, "later")

    assert worker.scripts.give_back(worker.tokens, worker.lists) == 4

    assert queued(client) == ["claimed-0", "claimed-1", "moved-0", "moved-1", "later"]
    assert client.keys("*held*") == []


def test_a_message_that_redis_moves_after_the_worker_left_is_found(client: redis.Redis, worker: Worker) -> None:
    # Given a worker that has left, and a server that has not noticed yet that nobody waits
    worker.claim()
    worker.scripts.give_back({}, worker.lists)
    push(client, "a")
    client.lmove(QUEUE, worker.lists[0].holding, "RIGHT", "LEFT")

    worker.dies(client)
    Worker(client).scripts.recover()

    assert queued(client) == ["a"]


def test_what_a_worker_claimed_without_ever_reading_so_is_given_back_and_nothing_else(
    client: redis.Redis, worker: Worker
) -> None:
    # Given claims of two workers, of which one has lost the answer to a claim
    push(client, "known")
    worker.claim()
    push(client, "unknown-0", "unknown-1", "others")
    worker.scripts.claim(worker.lists, 2, f"{worker.owner}:9")
    other = Worker(client)
    other.claim()

    assert worker.scripts.give_back_unknown(worker.owner, worker.tokens) == 2

    assert sorted(queued(client)) == ["unknown-0", "unknown-1"]
    assert is_claimed(client, {"known", "others"})
    assert worker.scripts.renew(worker.tokens, []) == []


# Recovering


def test_claims_whose_lease_has_ended_are_queued_again_and_others_are_left(client: redis.Redis, worker: Worker) -> None:
    push(client, "gone")
    push(client, "gone-low", priority=9)
    worker.claim()
    worker.dies(client)
    push(client, "held")
    alive = Worker(client)
    alive.claim()

    assert alive.scripts.recover() == 2

    assert queued(client) == ["gone"]
    assert queued(client, priority=9) == ["gone-low"]
    assert is_claimed(client, {"held"})
    assert alive.scripts.recover() == 0


def test_a_lease_ends_by_the_servers_clock(client: redis.Redis) -> None:
    dying = Worker(client, lease_s=0.05)
    push(client, "a")
    dying.claim()

    def recovered() -> int:
        return Worker(client).scripts.recover()

    assert eventually(recovered, 5) == 1
    assert queued(client) == ["a"]


def test_a_recovered_message_is_marked_redelivered_and_otherwise_what_it_was(
    client: redis.Redis, worker: Worker, valkey: Valkey
) -> None:
    push(client, "a")
    for _ in range(2):
        worker.claim()
        worker.dies(client)
        assert worker.scripts.recover() == 1

        expected = json.loads(message("a"))
        expected["properties"]["delivery_info"]["redelivered"] = True
        raw = client.lindex(QUEUE, 0)
        assert json.loads(raw) == expected
        assert raw.count(b"redelivered") == 1
    # Then kombu reads it
    with Connection(valkey.url) as connection:
        got = connection.default_channel.basic_get(QUEUE)
        assert got.delivery_tag == "a"
        assert got.delivery_info["redelivered"] is True
        assert got.payload == []
        got.ack()


def test_a_recovered_message_of_celeriac_is_json_and_marked(client: redis.Redis, worker: Worker) -> None:
    raw = task_message(Job(id=new_job_id(), model="digits", version=1))
    client.lpush(QUEUE, raw)
    worker.claim()
    worker.dies(client)
    worker.scripts.recover()

    expected = json.loads(raw)
    expected["properties"]["delivery_info"]["redelivered"] = True
    assert json.loads(client.lindex(QUEUE, 0)) == expected


def test_what_lay_in_the_holding_list_of_a_dead_worker_is_queued_again_in_order(
    client: redis.Redis, worker: Worker
) -> None:
    worker.claim()
    source = worker.lists[1]
    push(client, "a", "b", "c", priority=3)
    client.lmove(source.key, source.holding, "RIGHT", "LEFT")
    client.lmove(source.key, source.holding, "RIGHT", "LEFT")
    other = Worker(client)
    assert other.scripts.recover() == 0

    worker.dies(client)
    assert other.scripts.recover() == 2

    assert queued(client, priority=3) == ["a", "b", "c"]
    assert tags_of(other.claim()) == ["a", "b", "c"]


def test_a_message_that_redis_moves_to_a_worker_after_its_lease_is_found_too(
    client: redis.Redis, worker: Worker
) -> None:
    # Given a worker that lost its lease while Redis still waits for it
    worker.claim()
    worker.dies(client)
    other = Worker(client)
    other.scripts.recover()
    # When a message comes that wakes the dead one
    push(client, "a")
    client.lmove(QUEUE, worker.lists[0].holding, "RIGHT", "LEFT")

    assert other.scripts.recover() == 1
    assert queued(client) == ["a"]


def test_holding_lists_of_the_dead_are_forgotten_after_a_minute(client: redis.Redis, worker: Worker) -> None:
    worker.claim()
    alive = Worker(client)
    alive.claim()
    past_us = server_time_us(client) - 61_000_000
    client.zadd(keys.HOLDERS, dict.fromkeys(worker.holdings(), past_us))

    alive.scripts.recover()

    assert {name.decode() for name in client.zrange(keys.HOLDERS, 0, -1)} == set(alive.holdings())


# Beside stock consumers


def test_what_stock_consumers_hold_is_not_touched(client: redis.Redis, worker: Worker, valkey: Valkey) -> None:
    with Connection(valkey.url) as connection:
        push(client, "theirs", "ours")
        theirs = connection.default_channel.basic_get(QUEUE)
        entry, score = client.hget("unacked", "theirs"), client.zscore("unacked_index", "theirs")
        worker.claim()
        unknown = {"theirs": "t:1"}

        worker.scripts.acknowledge(unknown)
        assert worker.scripts.renew(unknown, []) == ["theirs"]
        assert worker.scripts.give_back(unknown) == 0
        worker.dies(client)
        assert worker.scripts.recover() == 1

        assert client.hgetall("unacked") == {b"theirs": entry}
        assert client.zrange("unacked_index", 0, -1, withscores=True) == [(b"theirs", score)]
        theirs.ack()
    assert client.hlen("unacked") == client.zcard("unacked_index") == 0


def test_a_claim_that_a_stock_consumer_requeued_is_its_next_owners(client: redis.Redis, worker: Worker) -> None:
    # Given a claim that kombu's restore_visible took for abandoned
    push(client, "a")
    worker.claim()
    raw = json.dumps(json.loads(client.hget("unacked", "a"))[0])
    client.hdel("unacked", "a")
    client.zrem("unacked_index", "a")
    client.lpush(QUEUE, raw)
    other = Worker(client)

    assert tags_of(other.claim()) == ["a"]

    assert worker.scripts.renew(worker.tokens, []) == ["a"]
    worker.scripts.acknowledge(worker.tokens)
    assert is_claimed(client, {"a"})
