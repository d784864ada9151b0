from __future__ import annotations

from typing import Any

import pytest

from tasks.job import Job, Status, new_job_id
from tasks.lost_jobs import SETTLED_S, is_lost, job_ids, settled_before_us
from tasks.message import task_message

SETTLED_US = int(SETTLED_S * 1_000_000)
NOW_US = 1_790_000_000_000_000


def job(came_s_ago: float, **values: Any) -> Job:
    return Job(id=new_job_id(), model="digits", version=1, created_at_us=NOW_US - int(came_s_ago * 1e6), **values)


def lost(one: Job, before_s_ago: float = SETTLED_S, seen: frozenset[str] = frozenset()) -> bool:
    return is_lost(one, NOW_US, NOW_US - before_s_ago * 1e6, seen)


def test_a_message_says_which_job_it_is_for_whoever_sent_it() -> None:
    ours, other = job(0), new_job_id()
    stock = f'{{"headers": {{"id": "c2b4b3f3-2bbd-4b9c-9b37-cbd6fc2a1b37", "argsrepr": "[\'{other}\']"}}}}'.encode()
    assert job_ids([task_message(ours), b"\xff no message", stock]) == {ours.id, other}
    assert job_ids([]) == set()


def test_an_empty_list_has_nothing_that_came_a_while_ago() -> None:
    assert settled_before_us(NOW_US, []) == settled_before_us(NOW_US, [None]) == NOW_US - SETTLED_US


def test_a_list_has_nothing_that_came_a_while_before_the_oldest_message_at_its_end() -> None:
    waiting = [job(3600), None, job(7200), job(60)]
    assert settled_before_us(NOW_US, waiting) == NOW_US - 7200 * 1_000_000 - SETTLED_US


def test_a_job_that_came_before_all_that_waits_and_that_nobody_has_is_lost() -> None:
    old = job(7300)
    assert lost(old, before_s_ago=7220)
    assert not lost(old, before_s_ago=7400)
    assert not lost(old, before_s_ago=7220, seen=frozenset({old.id}))


@pytest.mark.parametrize(("began_s_ago", "is_one"), [(5, False), (SETTLED_S + 5, True)])
def test_a_job_that_has_begun_of_late_is_not_lost_however_long_the_queue_is(began_s_ago: float, is_one: bool) -> None:
    running = job(7300, status=Status.RUNNING, started_at_us=NOW_US - int(began_s_ago * 1e6))
    assert lost(running, before_s_ago=7220) is is_one


def test_a_job_that_has_ended_is_not_lost() -> None:
    assert not lost(job(7300, status=Status.CANCELLED))
