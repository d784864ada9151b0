from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import pytest
import redis

from tasks.callbacks.callback import Callback, CallbackStatus, Trouble
from tasks.callbacks.post import Poster
from tasks.callbacks.receivers import Address, parse_receivers
from tasks.callbacks.schedule import Schedule
from tasks.callbacks.sender import Sender
from tasks.callbacks.shares import Shares
from tasks.callbacks.signing import CallbackSecrets, parse_secrets
from tasks.callbacks.store import CallbackStore
from tasks.job import Job
from tasks.job_store import JobStore
from tests.callback_records import begun, callback, due_in_s, succeeded
from tests.receivers import SECRET, Receiver, receiving
from tests.valkey import free_port


def make_sender(
    client: redis.Redis,
    attempts: int = 9,
    secrets: CallbackSecrets | None = None,
    share: int = 8,
    resolve: Callable[[str, int], Sequence[Address]] | None = None,
) -> Sender:
    receivers = parse_receivers("127.0.0.0/8")
    poster = Poster(receivers, 2.0, resolve) if resolve else Poster(receivers, 2.0)
    return Sender(
        CallbackStore(client),
        poster,
        Schedule(attempts, 5.0),
        parse_secrets(SECRET) if secrets is None else secrets,
        Shares(share),
        2.0,
    )


def url_of(receiver: Receiver, path: str = "/") -> str:
    return f"http://127.0.0.1:{receiver.port}{path}"


def attempted(client: redis.Redis, job: Job, sender: Sender) -> Callback:
    """A job's callback after one more attempt."""
    sender.attempt(job.id, callback(client, job).number)
    return callback(client, job)


def test_an_attempt_leaves_what_came_of_it(job_store: JobStore, client: redis.Redis) -> None:
    with receiving(500, 204, Retry_After="60") as receiver:
        job, sender = succeeded(job_store, callback_url=url_of(receiver)), make_sender(client)
        failed = attempted(client, job, sender)
        due = due_in_s(client, job)
        accepted = attempted(client, job, sender)
    assert (failed.status, failed.attempts[0].status_code) == (CallbackStatus.DUE, 500)
    assert failed.attempts[0].took_ms and due is not None and 59 < due <= 60
    assert accepted.status is CallbackStatus.ACCEPTED


def test_a_message_that_comes_twice_sends_once(job_store: JobStore, client: redis.Redis) -> None:
    with receiving() as receiver:
        job, sender = succeeded(job_store, callback_url=url_of(receiver)), make_sender(client)
        for _ in range(2):
            sender.attempt(job.id, 0)
    assert len(receiver.received) == 1


def test_a_callback_whose_job_is_gone_is_not_sent(job_store: JobStore, client: redis.Redis) -> None:
    with receiving() as receiver:
        job, sender = succeeded(job_store, callback_url=url_of(receiver)), make_sender(client)
        client.flushall()
        sender.attempt(job.id, 0)
    assert not receiver.received


def test_a_small_result_is_in_the_body_and_of_a_large_one_there_is_the_link(
    job_store: JobStore, client: redis.Redis
) -> None:
    with receiving() as receiver:
        sender = make_sender(client)
        small = succeeded(job_store, b'{"labels": [["a"]]}', callback_url=url_of(receiver))
        large = succeeded(job_store, b'"' + b"x" * 20_000 + b'"', callback_url=url_of(receiver))
        for job in (small, large):
            sender.attempt(job.id, 0)
    first, second = (request.body for request in receiver.received)
    assert b'"labels":[["a"]]' in first
    assert b'"result":null' in second and f"/v1/jobs/{large.id}/result".encode() in second and len(second) < 2000


def test_after_the_last_attempt_it_is_given_up_and_the_log_says_so_without_the_url(
    job_store: JobStore, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    job = succeeded(job_store, callback_url=f"http://127.0.0.1:{free_port()}/s3cret")
    sender = make_sender(client, attempts=2)
    assert attempted(client, job, sender).status is CallbackStatus.DUE
    given_up = attempted(client, job, sender)
    assert given_up.status is CallbackStatus.GIVEN_UP
    assert [attempt.trouble for attempt in given_up.attempts] == [Trouble.CONNECTION_FAILED] * 2
    assert f"The callback of job {job.id} is given up with attempt 2: connection_failed." in caplog.text
    assert "s3cret" not in caplog.text


def test_attempts_that_are_cut_off_again_and_again_are_not_made_for_ever(
    job_store: JobStore, client: redis.Redis
) -> None:
    with receiving() as receiver:
        job = succeeded(job_store, callback_url=url_of(receiver))
        for _ in range(2):
            begun(client, job)
        given_up = attempted(client, job, make_sender(client, attempts=2))
    assert (given_up.status, given_up.attempts[-1].trouble) == (CallbackStatus.GIVEN_UP, Trouble.SPENT)
    assert not receiver.received


def test_without_its_secret_nothing_is_sent_and_it_waits_for_the_secret(
    job_store: JobStore, client: redis.Redis
) -> None:
    with receiving() as receiver:
        job = succeeded(job_store, callback_url=url_of(receiver), owner="ann")
        waits = attempted(client, job, make_sender(client, secrets=parse_secrets(f"bob:{SECRET}")))
        assert (waits.status, waits.attempts[0].trouble) == (CallbackStatus.DUE, Trouble.NO_SECRET)
        assert not receiver.received
        assert attempted(client, job, make_sender(client)).status is CallbackStatus.ACCEPTED


def test_a_host_with_all_its_places_taken_is_put_off_without_an_attempt(
    job_store: JobStore, client: redis.Redis
) -> None:
    with receiving() as receiver:
        job = succeeded(job_store, callback_url=url_of(receiver))
        put_off = attempted(client, job, make_sender(client, share=0))
    assert (put_off.status, put_off.number) == (CallbackStatus.DUE, 0)
    due = due_in_s(client, job)
    assert due is not None and 1.9 < due <= 2.0


def test_an_address_that_may_not_be_called_is_an_attempt_like_any_other(
    job_store: JobStore, client: redis.Redis
) -> None:
    refused = attempted(client, succeeded(job_store, callback_url="http://10.0.0.1/"), make_sender(client))
    assert (refused.status, refused.attempts[0].trouble) == (CallbackStatus.DUE, Trouble.ADDRESS_REFUSED)


def test_a_defect_counts_as_a_failed_attempt_and_shows_its_place_and_not_its_text(
    job_store: JobStore, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(host: str, port: int) -> Sequence[Address]:
        raise RuntimeError(f"no luck with {host}/s3cret")

    job = succeeded(job_store, callback_url="https://hooks.example/s3cret")
    with caplog.at_level(logging.INFO):
        failed = attempted(client, job, make_sender(client, resolve=broken))
    assert (failed.status, failed.attempts[0].trouble) == (CallbackStatus.DUE, Trouble.INTERNAL)
    assert "Unexpected RuntimeError" in caplog.text and "in broken" in caplog.text
    # The line of code is shown, what was in it is not.
    assert "hooks.example" not in caplog.text
