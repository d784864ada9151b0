"""One attempt of a callback from its message to its record; composes what the modules beside it know."""

from __future__ import annotations

import logging
import random
import traceback
from time import monotonic
from typing import NamedTuple

from tasks.callbacks.callback import Attempt, CallbackStatus, Trouble
from tasks.callbacks.message import callback_body, callback_headers
from tasks.callbacks.post import NotPosted, Poster
from tasks.callbacks.schedule import Answer, Schedule, Verdict
from tasks.callbacks.shares import Shares
from tasks.callbacks.signing import CallbackSecrets, secrets_of
from tasks.callbacks.store import Begun, CallbackStore
from tasks.callbacks.url import UrlRefused, parse_url

logger = logging.getLogger(__name__)

#: What an attempt may take beside the POST, until the callback counts as due again.
LEASE_MARGIN_S = 5.0


class Outcome(NamedTuple):
    """What came of a POST: the receiver's answer, or why there is none."""

    answer: Answer | None
    trouble: Trouble | None = None


class Sender:
    """Makes attempts. Safe to share between threads. Raises BrokerUnavailable when Redis is away; nothing is lost then.

    Args:
        store: the callbacks.
        poster: sends them.
        schedule: says when to try again.
        secrets: sign them.
        shares: how many go to one host at once.
        timeout_s: the poster's.
    """

    def __init__(
        self,
        store: CallbackStore,
        poster: Poster,
        schedule: Schedule,
        secrets: CallbackSecrets,
        shares: Shares,
        timeout_s: float,
    ) -> None:
        self._store = store
        self._poster = poster
        self._schedule = schedule
        self._secrets = secrets
        self._shares = shares
        self._lease_s = timeout_s + LEASE_MARGIN_S

    def attempt(self, job_id: str, number: int) -> None:
        """Make an attempt of a job's callback, unless another one was begun since `number` of them were."""
        url = self._store.url(job_id, number)
        if url is None:
            return
        host = _host(url)
        with self._shares.place(host) as has_place:
            if not has_place:
                self._store.put_off(job_id, self._shares.pause_s(host))
            elif begun := self._store.begin(job_id, number, self._lease_s):
                self._make(begun)

    def _make(self, begun: Begun) -> None:
        began_s = monotonic()
        outcome = self._post(begun)
        attempt = Attempt(
            number=begun.number,
            started_at_us=begun.started_at_us,
            took_ms=round((monotonic() - began_s) * 1000, 3),
            status_code=outcome.answer.status_code if outcome.answer else None,
            trouble=outcome.trouble,
        )
        verdict = self._verdict(begun, outcome)
        is_settled = self._store.settle(begun.job, attempt, verdict.status, verdict.pause_s)
        if is_settled and verdict.status is CallbackStatus.GIVEN_UP:
            why = outcome.trouble or attempt.status_code
            logger.warning("The callback of job %s is given up with attempt %d: %s.", begun.job.id, begun.number, why)

    def _verdict(self, begun: Begun, outcome: Outcome) -> Verdict:
        now_s = begun.started_at_us / 1_000_000
        return self._schedule.verdict(outcome.answer, begun.tries, now_s, random.random())

    def _post(self, begun: Begun) -> Outcome:
        keys = secrets_of(self._secrets, begun.job.owner)
        if begun.tries > self._schedule.attempts:
            return Outcome(None, Trouble.SPENT)
        if not keys:
            return Outcome(None, Trouble.NO_SECRET)
        try:
            body = callback_body(begun.job, begun.result)
            headers = callback_headers(begun.job.id, begun.started_at_us // 1_000_000, body, keys)
            return Outcome(self._poster.post(parse_url(begun.job.callback_url), headers, body))
        except NotPosted as error:
            return Outcome(None, error.trouble)
        except Exception as error:
            # Its own text may hold the URL: the log gets its type and where it came from. As an attempt that failed it
            # is tried again, and given up in the end.
            frames = "".join(traceback.format_tb(error.__traceback__))
            logger.error("Unexpected %s in the callback of job %s\n%s", type(error).__name__, begun.job.id, frames)
            return Outcome(None, Trouble.INTERNAL)


def _host(url: str) -> str:
    try:
        return parse_url(url).host
    except UrlRefused:
        return ""
