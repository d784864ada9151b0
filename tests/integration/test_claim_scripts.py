"""The scripts of `tasks.transport.scripts` on a real server, with messages as kombu writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
from kombu import Connection

from tasks import keys
from tasks.broker import server_time_us
from tasks.job import Job, Lane, new_job_id
from tasks.message import task_message
from tasks.queues import PRIORITY_STEPS, queue_list
from tasks.transport.scripts import Claimed
from tests.claiming import LEASE_S, QUEUE, Worker, is_claimed, message, push, queued, tags_of
from tests.valkey import Valkey


@pytest.fixture
def worker(client: redis.Redis) -> Worker:
    return Worker(client)


# Claiming


def test_a_claim_takes_the_oldest_message_first_and_no_more_than_wanted(client: redis.Redis, worker: Worker) -> None:
    push(client, "first", "second", "third")

    assert tags_of(worker.claim(2)) == ["first", "second"]
    assert queued(client) == ["third"]
    assert tags_of(worker.claim(2)) == ["third"]
    assert worker.claim(2) == []


def test_a_claim_empties_the_lists_in_the_order_in_which_they_are_named(client: redis.Redis, worker: Worker) -> None:
    for priority in reversed(PRIORITY_STEPS):
        push(client, f"{priority}-old", f"{priority}-new", priority=priority)

    assert tags_of(worker.claim(3)) == ["0-old", "0-new", "3-old"]
    worker.lists.reverse()
    assert tags_of(worker.claim(3)) == ["9-old", "9-new", "6-old"]
    assert tags_of(worker.claim(99)) == ["6-new", "3-new"]


def test_a_claim_says_of_each_message_its_queue_and_gives_it_as_it_was_sent(client: redis.Redis) -> None:
    one, other = Worker(client), Worker(client, queue="model.hands")
    push(client, "a", queue="model.hands")
    push(client, "b")

    claimed = one.scripts.claim([*one.lists, *other.lists], 10, "t:1").messages

    assert claimed == [
        Claimed(QUEUE, Lane.INTERACTIVE, "b", message("b")),
        Claimed("model.hands", Lane.INTERACTIVE, "a", message("a", "model.hands")),
    ]


def test_a_claim_is_recorded_as_unacknowledged_leased_and_owned(client: redis.Redis, worker: Worker) -> None:
    push(client, "a", priority=3)
    before_us = server_time_us(client)

    worker.claim()

    assert is_claimed(client, {"a"})
    assert json.loads(client.hget("unacked", "a")) == [json.loads(message("a", priority=3)), "", QUEUE]
    claimed_s = client.zscore("unacked_index", "a")
    assert before_us / 1_000_000 <= claimed_s < before_us / 1_000_000 + 5
    assert client.zscore(keys.LEASES, "a") == pytest.approx((claimed_s + LEASE_S) * 1_000_000, abs=1000)
    assert client.hget(keys.OWNERS, "a").decode().split(" ", 2) == [
        worker.tokens["a"],
        str(len(message("a", priority=3))),
        queue_list(QUEUE, 3),
    ]


def test_kombu_restores_a_claim_from_what_is_recorded(client: redis.Redis, worker: Worker, valkey: Valkey) -> None:
    push(client, "a", priority=6)
    worker.claim()

    with Connection(valkey.url) as connection:
        connection.default_channel.qos.restore_by_tag("a")

    assert queued(client, priority=6) == ["a"]
    assert client.hlen("unacked") == 0


def test_messages_that_celeriac_builds_are_claimed_by_their_own_tags(client: redis.Redis, worker: Worker) -> None:
    raws = [task_message(Job(id=new_job_id(), model="digits", version=1, lane=Lane.INTERACTIVE)) for _ in range(3)]
    client.lpush(QUEUE, *raws)

    claimed = worker.claim()

    assert [one.raw for one in claimed] == raws
    assert tags_of(claimed) == [json.loads(raw)["properties"]["delivery_tag"] for raw in raws]


def nested(tag: str, **headers: Any) -> bytes:
    whole = json.loads(message(tag))
    whole["headers"] |= headers
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(json.loads(message("a")), indent=1).encode(),
        json.dumps(json.loads(message("a")), separators=(",", ":")).encode(),
        message("a").replace(b'"delivery_tag": "a"', b'"delivery_tag" :\t"a"'),
        message("a").replace(b'"delivery_tag": "a"', b'"delivery_tag": "\\u0061"'),
        json.dumps(dict(reversed(json.loads(message("a")).items()))).encode(),
        nested("a", argsrepr='("delivery_tag": "b")'),
        nested("a", delivery_tag="b"),
        nested("a", stamps={"delivery_tag": "b"}),
    ],
    ids=["indented", "dense", "tab", "escaped", "reversed", "quoted", "header", "stamp"],
)
def test_the_tag_is_found_however_the_message_is_spelled(client: redis.Redis, worker: Worker, raw: bytes) -> None:
    client.lpush(QUEUE, raw)

    assert worker.claim() == [Claimed(QUEUE, Lane.INTERACTIVE, "a", raw)]
    assert is_claimed(client, {"a"})


def test_what_has_no_delivery_tag_is_put_aside_and_its_neighbours_are_claimed(
    client: redis.Redis, worker: Worker
) -> None:
    garbage = [b"", b"\x00\xff", b"17", b"null", b"[]", b'{"properties": 1}', b'{"properties": {"delivery_tag": 5}}']
    push(client, "a")
    client.lpush(QUEUE, *garbage)
    push(client, "b")

    assert tags_of(worker.claim()) == ["a", "b"]
    assert is_claimed(client, {"a", "b"})
    assert client.lrange(keys.UNREADABLE, 0, -1) == garbage[::-1]


def test_of_what_is_unreadable_the_latest_thousand_are_kept(client: redis.Redis, worker: Worker) -> None:
    client.lpush(QUEUE, *range(1005))

    assert worker.claim(1000) == worker.claim(1000) == []
    assert client.llen(keys.UNREADABLE) == 1000
    assert client.lindex(keys.UNREADABLE, 0) == b"1004"


def test_what_redis_moved_to_the_worker_comes_before_the_rest_of_its_list(client: redis.Redis, worker: Worker) -> None:
    # Given messages that came while the worker waited, and later ones
    push(client, "moved-0", "moved-1", "later")
    push(client, "moved-9", priority=9)
    for source, count in ((worker.lists[0], 2), (worker.lists[3], 1)):
        for _ in range(count):
            client.blmove(source.key, source.holding, 1, "RIGHT", "LEFT")

    assert tags_of(worker.claim(2)) == ["moved-0", "moved-1"]
    assert tags_of(worker.claim(9)) == ["later", "moved-9"]
    assert is_claimed(client, {"moved-0", "moved-1", "later", "moved-9"})
    # Then what came by a holding list belongs to the list that it came from
    assert client.hget(keys.OWNERS, "moved-9").decode().split(" ", 2)[2] == queue_list(QUEUE, 9)


def test_a_claim_keeps_the_holding_lists_for_a_lease(client: redis.Redis, worker: Worker) -> None:
    worker.claim()

    deadline_us = server_time_us(client) + LEASE_S * 1_000_000
    for holding in worker.holdings():
        assert client.zscore(keys.HOLDERS, holding) == pytest.approx(deadline_us, abs=2_000_000)


# Acknowledging


def test_an_acknowledged_message_leaves_no_trace(client: redis.Redis, worker: Worker) -> None:
    push(client, "a", "b")
    worker.claim()

    worker.scripts.acknowledge({"a": worker.tokens["a"]})

    assert is_claimed(client, {"b"})
    worker.scripts.acknowledge(worker.tokens)
    assert is_claimed(client, set())
    assert client.llen(QUEUE) == 0


@pytest.mark.parametrize("token", ["", "other:1", "prefix"])
def test_a_message_is_acknowledged_by_the_token_of_its_claim_only(
    client: redis.Redis, worker: Worker, token: str
) -> None:
    push(client, "a")
    worker.claim()

    worker.scripts.acknowledge({"a": worker.tokens["a"][:-1] if token == "prefix" else token, "unknown": "t:1"})

    assert is_claimed(client, {"a"})


def test_what_another_worker_claimed_anew_is_not_the_first_ones_to_end(client: redis.Redis, worker: Worker) -> None:
    # Given a worker that stalled, and another that has its job
    push(client, "a")
    worker.claim()
    worker.dies(client)
    other = Worker(client)
    other.scripts.recover()
    other.claim()

    worker.scripts.acknowledge(worker.tokens)
    assert worker.scripts.give_back(worker.tokens, worker.lists) == 0
    assert worker.scripts.renew(worker.tokens, worker.holdings()) == ["a"]

    assert is_claimed(client, {"a"})
    other.scripts.acknowledge(other.tokens)
    assert is_claimed(client, set())


# Renewing


def test_renewing_makes_claims_and_holding_lists_last_and_the_index_fresh(client: redis.Redis, worker: Worker) -> None:
    push(client, "a", "b")
    worker.claim()
    worker.dies(client)
    client.zadd("unacked_index", {"a": 1, "b": 1})

    assert worker.scripts.renew(worker.tokens, worker.holdings()) == []

    now_s = server_time_us(client) / 1_000_000
    for tag in ("a", "b"):
        assert client.zscore("unacked_index", tag) == pytest.approx(now_s, abs=2)
        assert client.zscore(keys.LEASES, tag) / 1_000_000 == pytest.approx(now_s + LEASE_S, abs=2)
    for holding in worker.holdings():
        assert client.zscore(keys.HOLDERS, holding) / 1_000_000 == pytest.approx(now_s + LEASE_S, abs=2)
    assert worker.scripts.recover() == 0
    assert is_claimed(client, {"a", "b"})


def test_renewing_names_what_is_lost_and_does_not_bring_it_back(client: redis.Redis, worker: Worker) -> None:
    push(client, "a", "b", "c")
    worker.claim()
    worker.scripts.acknowledge({"b": worker.tokens["b"]})

    assert worker.scripts.renew(worker.tokens, []) == ["b"]
    assert is_claimed(client, {"a", "c"})


# Many


def test_thousands_of_messages_go_each_way(client: redis.Redis, worker: Worker) -> None:
    tags = [f"tag-{number:04}" for number in range(2500)]
    client.lpush(QUEUE, *(message(tag) for tag in tags))

    assert len(worker.claim(5000)) == 1000
    assert len(worker.claim(1000)) == 1000
    assert tags_of(worker.claim(1000)) == tags[2000:]
    assert is_claimed(client, set(tags))

    client.zadd(keys.LEASES, dict.fromkeys(tags, 1))
    assert worker.scripts.renew(worker.tokens, worker.holdings()) == []
    assert worker.scripts.recover() == 0

    done = dict(list(worker.tokens.items())[:1100])
    worker.scripts.acknowledge(done)
    left = {tag: token for tag, token in worker.tokens.items() if tag not in done}
    assert is_claimed(client, set(left))

    assert worker.scripts.give_back(left, worker.lists) == 1400
    assert queued(client) == tags[1100:]
    assert is_claimed(client, set())


def test_thousands_of_messages_of_a_dead_worker_are_recovered_in_a_few_steps(
    client: redis.Redis, worker: Worker
) -> None:
    client.lpush(QUEUE, *(message(f"tag-{number}") for number in range(1500)))
    worker.claim(1000)
    worker.claim(1000)
    worker.dies(client)

    assert [worker.scripts.recover() for _ in range(3)] == [1000, 500, 0]
    assert len(set(queued(client))) == 1500
    assert is_claimed(client, set())


def test_nothing_is_taken_of_a_paused_queue_and_what_was_on_its_way_goes_back(client: redis.Redis) -> None:
    # Given a message that was moved to a worker that waited, others behind it, and another queue
    worker, other = Worker(client), Worker(client, queue="model.hands")
    push(client, "first", "second")
    push(client, "bulk", priority=9)
    push(client, "hand", queue="model.hands")
    client.lmove(QUEUE, worker.holdings()[0], "RIGHT", "LEFT")
    # When the queue is paused
    client.sadd(keys.PAUSED, QUEUE)
    claim = worker.scripts.claim([*worker.lists, *other.lists], 10, "t:1")
    # Then only the other's is claimed, and all is as it was
    assert tags_of(claim.messages) == ["hand"]
    assert claim.paused == {QUEUE}
    assert not client.exists(*worker.holdings())
    assert client.lrange(QUEUE, 0, -1) == [message("second"), message("first")]
    # And when it is resumed, its messages come in their order
    client.srem(keys.PAUSED, QUEUE)
    assert tags_of(worker.claim()) == ["first", "second", "bulk"]
