"""One storm: the system is started, loaded, struck by the schedule, calmed, and audited."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis
from redis.exceptions import RedisError

from benchmarks.errors import BenchmarkError
from benchmarks.storm import lifetimes, records
from benchmarks.storm.answers import Answers
from benchmarks.storm.audit import Audit, audit
from benchmarks.storm.crew import START_TIMEOUT_S, Crew
from benchmarks.storm.ends import Ends
from benchmarks.storm.ledger import Ledger
from benchmarks.storm.lineup import LEASE_S, celeriac
from benchmarks.storm.mischief import Mischief
from benchmarks.storm.schedule import OF_A_QUEUE, Action, Deed, schedule
from benchmarks.storm.traffic import Traffic
from tasks.broker import connect
from tasks.errors import TasksError

#: Between the two readings of all records: who had lost a lease, and came back late, has written by then if ever.
_SECOND_LOOK_S = 2.0 * LEASE_S

#: A message whose worker was killed is another's when its lease is over.
_LAST_ACKNOWLEDGEMENT_S = 4.0 * LEASE_S

#: Once they were shortened, the lifetimes are over in a second; a server that is busy may take longer to tell so.
_LIFETIMES_S = 10.0

#: Added to the storm's duration and the calm, so that nothing that is audited is gone yet.
_KEPT_LONGER_S = 600

Say = Callable[[str], None]

#: Has a deed done soon, with the connections of these processes where it is to cut them.
Want = Callable[[Action, Sequence[psutil.Process]], None]


@dataclass(frozen=True)
class Plan:
    """What storm it is to be.

    Attributes:
        seed: of the schedule.
        duration_s: from the first action to the last.
        calm_s: how long workers may take to come back, and the last jobs to end, once the storm is over.
    """

    seed: int
    duration_s: float
    calm_s: float


@dataclass(frozen=True)
class Outcome:
    """What was done, and what came of it.

    Attributes:
        done: how many of each deed to each target.
        audit: of every promised job.
        jobs: how many were promised.
        unasked: jobs that ended though nobody was told of them: made twice by one request.
        left: what is left in Redis and should not be.
        unexpected: answers over HTTP that nobody should get.
        lives: how many processes were started.
        stubborn: how often a process did not end when told to.
        retried: promised jobs that were about to run more than once.
        came_back: whether all workers served again after the storm.
    """

    done: Counter[tuple[Deed, str]]
    audit: Audit
    jobs: int
    unasked: int
    left: dict[str, int]
    unexpected: dict[str, int]
    lives: int
    stubborn: int
    retried: int
    came_back: bool

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        faults = (*self.audit.counts.values(), self.unasked, self.left, self.unexpected, not self.came_back)
        return not any(faults)


def run(plan: Plan, folder: Path, store: Path, answers: Answers, say: Say) -> Outcome:
    """Run one storm.

    Args:
        plan: of this storm.
        folder: data and logs; made here.
        store: the two models.
        answers: theirs.
        say: tells the user where it is.

    Raises:
        BenchmarkError: the system cannot be started, or its broker does not answer after the storm.
    """
    ledger = Ledger()
    result_ttl_s = round(plan.duration_s + plan.calm_s) + _KEPT_LONGER_S
    say("Starting the broker, the keeper, the API and four workers.")
    lineup = celeriac(folder, store, result_ttl_s)
    with Crew(lineup) as crew, Ends(lineup.url, ledger):
        traffic = Traffic(lineup.port, lineup.url, result_ttl_s, ledger, answers)
        with Mischief(lineup.port, lineup.url, result_ttl_s, ledger, random.Random(plan.seed)) as mischief:
            traffic.start()
            say(f"The storm begins: {plan.duration_s:.0f} s with seed {plan.seed}.")
            rage(schedule(plan.seed, plan.duration_s), plan.duration_s, crew, mischief.want)
            say(f"The storm is over: {len(ledger.promises):,} jobs so far. Waiting for the last to end.")
            crew.calm()
            _wait_for_the_end(crew, traffic, mischief, plan.calm_s)
            try:
                return _look(crew, ledger, answers, crew.done + mischief.done)
            except (RedisError, TasksError) as error:
                raise BenchmarkError(
                    f"The broker does not answer after the storm, so nothing is audited: {error}"
                ) from None


def rage(actions: list[Action], duration_s: float, crew: Crew, want: Want) -> None:
    """Carry out the schedule, and start again whoever has ended; `want` has the deeds done that need the broker."""
    started_s = time.monotonic()
    waiting = list(reversed(actions))
    while (now_s := time.monotonic() - started_s) < duration_s:
        while waiting and waiting[-1].time_s <= now_s:
            action = waiting.pop()
            if action.deed in OF_A_QUEUE:
                want(action, ())
            elif action.deed is Deed.CUT:
                want(action, crew.family(action.target))
            else:
                crew.strike(action)
        crew.revive()
        time.sleep(0.02)


def _wait_for_the_end(crew: Crew, traffic: Traffic, mischief: Mischief, calm_s: float) -> None:
    """Let the last jobs end. Whether they do or not, and workers come back or not, is for the audit to say."""
    deadline_s = time.monotonic() + calm_s
    traffic.stop()
    # Whoever was killed last has to be back, or nobody answers those who still ask.
    crew.tend_until(crew.lineup.is_ready, min(START_TIMEOUT_S, calm_s))
    crew.tend_until(traffic.has_stopped, deadline_s - time.monotonic())
    traffic.give_up()
    mischief.finish(deadline_s - time.monotonic())
    client = connect(crew.lineup.url)

    def have_ended() -> bool:
        with suppress(RedisError):
            return records.unfinished(client) == 0
        return False

    crew.tend_until(have_ended, max(1.0, deadline_s - time.monotonic()))
    client.close()


def _look(crew: Crew, ledger: Ledger, answers: Answers, done: Counter[tuple[Deed, str]]) -> Outcome:
    client = connect(crew.lineup.url)
    job_ids = list(ledger.promises)
    first = records.read_all(client, job_ids)
    crew.tend_until(lambda: False, _SECOND_LOOK_S)
    second = records.read_all(client, job_ids)
    outcome = Outcome(
        done=done,
        audit=audit(ledger, answers, first, second, records.quarantined(client)),
        jobs=len(job_ids),
        unasked=records.ended(client) - sum(1 for one in second.values() if one.finished_at_us),
        left=_left(crew, client),
        unexpected=dict(ledger.unexpected),
        lives=sum(member.lives for member in crew.members.values()),
        stubborn=sum(member.stubborn for member in crew.members.values()),
        retried=sum(one.attempt > 1 for one in second.values()),
        # Late: those who died count as live for some seconds.
        came_back=crew.tend_until(crew.lineup.is_ready, _SECOND_LOOK_S),
    )
    client.close()
    return outcome


def _left(crew: Crew, client: redis.Redis) -> dict[str, int]:
    """What is left. Acknowledgements follow the ends that they belong to: they have a moment."""
    crew.tend_until(lambda: not records.leftovers(client), _LAST_ACKNOWLEDGEMENT_S)
    left = records.leftovers(client)
    lifetimes.shorten(client)
    crew.tend_until(lambda: not lifetimes.survivors(client), _LIFETIMES_S)
    return lifetimes.survivors(client) | left
