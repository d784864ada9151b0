"""Looking at claimed jobs and decoding their inputs, while the model runs others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic

from tasks.batching import announce
from tasks.batching.batcher import Batcher
from tasks.batching.entry import Entry
from tasks.batching.notices import Notices
from tasks.batching.rows import count_rows, group_of, row_bytes
from tasks.batching.served import Served
from tasks.batching.storer import GIVEN_BACK, Refused, Storer
from tasks.batching.until_answered import until_answered
from tasks.deliveries import Deliveries, Look
from tasks.inference import decode
from tasks.inputs import ForEach, Inputs
from tasks.job import Failure, FailureType, Lane
from tasks.payload import ARRAY_TYPES
from tasks.picture_list import PICTURES
from tasks.versions.rollout import Rollout

logger = logging.getLogger(__name__)

#: One look takes a batch, and at most so many jobs and bytes: the model need not wait for all that was claimed.
MOST_JOBS = 128
MOST_BYTES = 67_108_864
#: Arrays up to this size are decoded in less time than it takes to hand them to another thread.
SMALL_BYTES = 1_048_576


class Loader:
    """Makes the claimed jobs of a lane ready for the model, or refuses them.

    Args:
        lane: whose.
        rollout: has the versions that are to run them.
        max_image_pixels: largest picture that is decoded.
        threads: how many decode pictures and large arrays at once.
    """

    def __init__(
        self,
        lane: Lane,
        rollout: Rollout,
        taking: Deliveries,
        batcher: Batcher,
        storer: Storer,
        notices: Notices,
        max_image_pixels: int,
        threads: int,
    ) -> None:
        self.lane = lane
        self._rollout = rollout
        self._deliveries = taking
        self._batcher = batcher
        self._storer = storer
        self._notices = notices
        self._max_image_pixels = max_image_pixels
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")

    def run(self) -> None:
        """Load until the batcher is closed."""
        while self._load_next():
            pass
        self._pool.shutdown(cancel_futures=True)

    def _load_next(self) -> bool:
        """Load what comes next, and hold on to none of it; gives whether there was something."""
        entries = self._batcher.next_waiting(self.lane, min(MOST_JOBS, self._rollout.serving.max_rows))
        try:
            if entries:
                self._load(entries)
        except Exception:
            logger.exception("%d jobs could not be loaded; they are queued again.", len(entries))
            self._storer.put(Refused(entries, [GIVEN_BACK] * len(entries)))
            self._batcher.put_ready(self.lane, [])
        return bool(entries)

    def _load(self, entries: Sequence[Entry]) -> None:
        looks = until_answered(lambda: self._deliveries.take([entry.delivery for entry in entries], MOST_BYTES))
        taken: list[tuple[Entry, Look]] = []
        parked: list[Entry] = []
        refused: list[tuple[Entry, str | Failure]] = []
        for entry, look in zip(entries, looks, strict=False):
            entry.job = look.job
            found = look.word if look.job is None else self._rollout.find(look.job)
            if isinstance(found, Served):
                entry.served = found
                taken.append((entry, look))
            elif found is None:
                parked.append(entry)
            else:
                refused.append((entry, found if look.job is None else _not_served(found)))
        ready = []
        for (entry, _), inputs in zip(taken, self._decode_all(taken), strict=True):
            if isinstance(inputs, Failure):
                refused.append((entry, inputs))
            else:
                self._prepare(entry, inputs)
                ready.append(entry)
        self._batcher.put_ready(self.lane, ready, entries[len(looks) :], parked)
        if refused:
            self._storer.put(Refused([entry for entry, _ in refused], [word for _, word in refused]))

    def _prepare(self, entry: Entry, inputs: Inputs) -> None:
        assert entry.served is not None and entry.job is not None
        model = entry.served.model.with_signature(entry.job.signature)
        entry.inputs = inputs
        entry.ready_s = monotonic()
        rows_of_parts = sum(len(part.rows) for part in inputs.parts)
        entry.rows = rows_of_parts or count_rows(inputs.arrays, model.signature.row_inputs)
        entry.is_suspect = entry.job.attempt > 0
        if entry.is_suspect:
            self._notices.post(partial(announce.retried, entry.request))
        # One that its worker may have died of runs alone: then it harms no other, and proves the others harmless.
        if model.takes_many_rows and not entry.is_suspect and not inputs.parts:
            group = group_of(inputs.arrays, (model.signature_name, inputs.kind))
            # A batch is of one version.
            entry.group = None if group is None else (entry.served, group)
            call_rows = model.batching.call_rows(row_bytes(inputs.arrays, entry.rows))
            entry.batch_rows = min(call_rows, entry.served.computer.max_rows)

    def _decode_all(self, taken: Sequence[tuple[Entry, Look]]) -> Sequence[Inputs | Failure]:
        """By several threads, the pictures of one job too: a single one does not keep up with the model."""
        is_shared = [not (_is_small(look) or _is_list(look)) for _, look in taken]
        pairs = list(zip(taken, is_shared, strict=True))
        under_way = [self._pool.submit(self._decode, *one, map) if shared else None for one, shared in pairs]
        # A job of many pictures is decoded here: in the pool it would wait for threads that wait for others like it.
        return [
            self._decode(*one, self._pool.map) if job is None else job.result()
            for one, job in zip(taken, under_way, strict=True)
        ]

    def _decode(self, entry: Entry, look: Look, for_each: ForEach) -> Inputs | Failure:
        assert look.job is not None and entry.served is not None
        inputs = decode(entry.served.model, look.job, look.payload, self._max_image_pixels, for_each)
        if not isinstance(inputs, Failure):
            return inputs
        accepted_for = self._rollout.serving.loaded.get(look.job.version)
        if accepted_for is None or accepted_for is entry.served:
            return inputs
        # It was checked against another version, whose inputs are others, and which is still there.
        entry.served = accepted_for
        return decode(accepted_for.model, look.job, look.payload, self._max_image_pixels, for_each)


def _is_small(look: Look) -> bool:
    return look.job is not None and look.job.content_type in ARRAY_TYPES and len(look.payload) <= SMALL_BYTES


def _is_list(look: Look) -> bool:
    return look.job is not None and look.job.content_type == PICTURES


def _not_served(sentence: str) -> Failure:
    return Failure(FailureType.VERSION_NOT_SERVED, sentence)
