"""What a client can ask of a server, each thing once, as the steps that both clients perform."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import httpx

from client import call, inputs, reply
from client.arrays import Answer, Arrays
from client.call import Call
from client.errors import ApiError, ClientError, Conflict
from client.job_options import JobOptions
from client.payload import JSON, NPZ, Payload
from client.record import JobRecord
from client.retry import OnTrouble, Patience, asking
from client.steps import Pause, Steps
from client.tensor_fit import fits_of

#: The server allows 60; proxies before it often cut at 60 too.
LONGEST_POLL_S = 30.0
#: A server that holds enough polls already answers at once: begin no two polls closer together than this.
SHORTEST_ROUND_S = 1.0
#: How long a model's kind and signature are taken for what they were, in s.
MODEL_SEEN_S = 60.0
#: Of one request that asks for many jobs; the server's own limit.
MOST_IDS = 1000


def tell_nobody(error: ClientError) -> None:
    """Trouble that passes is nobody's business."""


@dataclass(frozen=True)
class Procedures:
    """The procedures of one client.

    Attributes:
        url: The server, for sentences.
        patience: With a server that says "not now" or stays away.
        on_trouble: Told why a request is made again.
        models_seen: What was told of models, by name, and when (`time.monotonic`).
    """

    url: str
    patience: Patience = Patience()
    on_trouble: OnTrouble = tell_nobody
    models_seen: dict[str, tuple[float, Mapping[str, Any]]] = field(default_factory=dict)

    def ask(self, asked: Call) -> Steps[httpx.Response]:
        """The reply to a call, after as many tries as the patience allows."""
        return asking(asked, self.url, self.patience, self.on_trouble)

    def ask_json(self, asked: Call) -> Steps[Mapping[str, Any]]:
        """The JSON object that a call is answered with."""
        return reply.json_object((yield from self.ask(asked)), self.url)

    def submit(
        self,
        model: str,
        given: Any,
        options: JobOptions,
        version: int | str | None = None,
        content_type: str | None = None,
        idempotency_key: str | None = None,
    ) -> Steps[JobRecord]:
        """Submit one job; its record."""
        payload = yield from self.payload(model, given, content_type, options.signature)
        key = str(uuid.uuid4()) if idempotency_key is None else idempotency_key
        return JobRecord.from_json((yield from self.ask_json(call.submit_call(model, payload, options, version, key))))

    def payload(
        self, model: str, given: Any, content_type: str | None = None, signature: str | None = None
    ) -> Steps[Payload]:
        """Inputs as they are sent; the model is asked for its signature only where it is needed."""
        if not inputs.needs_signature(given):
            return inputs.encode(given, content_type)
        card = yield from self.model_seen(model)
        return inputs.encode(given, content_type, fits_of(signature_of(card, signature)))

    def job(self, job_id: str, wait_s: float = 0.0) -> Steps[JobRecord]:
        """A job's record, without its result; the server may hold the answer back until the job ends."""
        (found,) = (yield from self.query([job_id], wait_s)).values()
        if isinstance(found, ApiError):
            raise found
        return found

    def wait(self, job_id: str, limit_s: float) -> Steps[JobRecord]:
        """A job's record once it has ended, or as it is when the limit is over, whichever is first."""
        end_s = time.monotonic() + limit_s
        while True:
            began_s = time.monotonic()
            left_s = max(0.0, end_s - began_s)
            hurried = replace(self, patience=replace(self.patience, total_s=min(self.patience.total_s, left_s)))
            record = yield from hurried.job(job_id, min(LONGEST_POLL_S, left_s))
            now_s = time.monotonic()
            if record.is_finished or now_s >= end_s:
                return record
            yield Pause(min(end_s - now_s, max(0.0, began_s + SHORTEST_ROUND_S - now_s)))

    def query(self, job_ids: Sequence[str], wait_s: float = 0.0) -> Steps[dict[str, JobRecord | ApiError]]:
        """The records of many jobs by id; in place of one that cannot be had, the error that says why."""
        found: dict[str, JobRecord | ApiError] = {}
        for first in range(0, len(job_ids), MOST_IDS):
            asked = call.query_call(job_ids[first : first + MOST_IDS], 0.0 if first else wait_s)
            found |= reply.job_entries((yield from self.ask_json(asked)))
        return found

    def result(self, record: JobRecord, arrays: bool | None = None) -> Steps[Answer]:
        """The answer of a job that has ended; `arrays` None: as suits the kind of its model."""
        record.require_result()
        if arrays is None:
            card = yield from self.model_seen(record.model)
            arrays = not has_documents(card, record.body.get("signature"))
        if arrays:
            answered = yield from self.ask(call.result_call(record.id, NPZ))
            return Arrays(reply.arrays(answered, self.url))
        return dict((yield from self.ask_json(call.result_call(record.id, JSON))))

    def result_bytes(self, job_id: str, media_type: str, row: int | None = None) -> Steps[bytes]:
        """A job's result in one of the forms that the server offers, as it came."""
        return (yield from self.ask(call.result_call(job_id, media_type, row))).content

    def results(self, job_ids: Sequence[str], arrays: bool = True) -> Steps[dict[str, Answer]]:
        """The answers of those of the jobs that have one, by id."""
        found: dict[str, Answer] = {}
        first = 0
        while first < len(job_ids):
            answers, looked_at = yield from self.some_results(job_ids[first:], arrays)
            found |= answers
            first += looked_at
        return found

    def some_results(self, job_ids: Sequence[str], arrays: bool = True) -> Steps[tuple[dict[str, Answer], int]]:
        """As many answers as one reply has room for, from the first job on, and how many jobs were looked at."""
        some = job_ids[:MOST_IDS]
        answered = yield from self.ask(call.results_call(some, NPZ if arrays else JSON))
        # The first answer always has room.
        return reply.answers(answered, self.url, arrays), max(1, len(some) - reply.left(answered))

    def free(self, job_ids: Sequence[str]) -> Steps[int]:
        """Delete the results of those of the jobs that have ended; how many."""
        freed = 0
        for first in range(0, len(job_ids), MOST_IDS):
            answer = yield from self.ask_json(call.free_call(job_ids[first : first + MOST_IDS]))
            freed += int(answer.get("freed", 0))
        return freed

    def cancel(self, job_id: str) -> Steps[JobRecord]:
        """Cancel a job; its record. One that is cancelled already is fine: an earlier try may have done it."""
        try:
            return JobRecord.from_json((yield from self.ask_json(call.cancel_call(job_id))))
        except Conflict:
            record = yield from self.job(job_id)
            if record.status != "cancelled":
                raise
            return record

    def delete_result(self, job_id: str) -> Steps[None]:
        """Free the memory of a result."""
        yield from self.ask(call.delete_result_call(job_id))

    def models(self) -> Steps[list[Mapping[str, Any]]]:
        """All models as the server tells them."""
        return reply.models((yield from self.ask_json(call.models_call())), self.url)

    def model(self, model: str) -> Steps[Mapping[str, Any]]:
        """One model as the server tells it."""
        card = yield from self.ask_json(call.model_call(model))
        self.models_seen[model] = (time.monotonic(), card)
        return card

    def model_seen(self, model: str) -> Steps[Mapping[str, Any]]:
        """One model as it is, or was a short time ago."""
        seen_s, card = self.models_seen.get(model, (-inf, {}))
        if card.get("signature") and time.monotonic() - seen_s < MODEL_SEEN_S:
            return card
        return (yield from self.model(model))

    def pause(self, model: str) -> Steps[Mapping[str, Any]]:
        """Stop a model's queue; the model as it is then."""
        return (yield from self.ask_json(call.pause_call(model)))

    def resume(self, model: str) -> Steps[Mapping[str, Any]]:
        """Let a model's queue go on; the model as it is then."""
        return (yield from self.ask_json(call.resume_call(model)))

    def health(self) -> Steps[Mapping[str, Any]]:
        """What the server says of its own health."""
        return (yield from self.ask_json(call.health_call()))

    def page_of_jobs(
        self, filters: Mapping[str, str | None], after: str | None, limit: int
    ) -> Steps[tuple[list[JobRecord], str | None]]:
        """Some of one's own jobs, newest first, and where the next page begins."""
        page = yield from self.ask_json(call.jobs_call(filters, after, limit))
        return [JobRecord.from_json(entry) for entry in page.get("jobs", [])], page.get("after")


def has_documents(card: Mapping[str, Any], signature: str | None = None) -> bool:
    """Whether a model's answers, by a signature or its default one, are documents rather than arrays alone."""
    of_signature = (card.get("signatures") or {}).get(signature) or {}
    return of_signature.get("kind", card.get("kind")) in ("classifier", "detector")


def signature_of(card: Mapping[str, Any], name: str | None) -> Mapping[str, Any]:
    """The signature of a model's card with this name, or its default one.

    Raises:
        ClientError: The model has none by this name, or was never ready.
    """
    signature = card.get("signature") if name is None else (card.get("signatures") or {}).get(name)
    if not isinstance(signature, Mapping):
        known = ", ".join(card.get("signatures") or {}) or "none yet"
        wanted = "its signature" if name is None else f"a signature {name!r}"
        raise ClientError(f"Expected {wanted} of model {card.get('name')}; the server tells of {known}.")
    return signature
