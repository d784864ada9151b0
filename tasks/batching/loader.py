"""Looking at claimed jobs and decoding their inputs, while the model runs others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from tasks import deliveries
from tasks.batching import announce
from tasks.batching.batcher import Batcher
from tasks.batching.entry import Entry
from tasks.batching.notices import Notices
from tasks.batching.rows import count_rows, group_of, row_bytes
from tasks.batching.storer import GIVEN_BACK, Refused, Storer
from tasks.batching.until_answered import until_answered
from tasks.deliveries import Deliveries, Look
from tasks.inference import decode
from tasks.inputs import Inputs
from tasks.job import Failure, FailureType, Job
from tasks.payload import ARRAY_TYPES

if TYPE_CHECKING:
    # Brings TensorFlow, and this module is loaded by Flower and the keeper too.
    from model_store.model import Model

logger = logging.getLogger(__name__)

#: One look takes a batch, and at most so many jobs and bytes: the model need not wait for all that was claimed.
MOST_JOBS = 128
MOST_BYTES = 67_108_864
#: Arrays up to this size are decoded in less time than it takes to hand them to another thread.
SMALL_BYTES = 1_048_576


class Loader:
    """Makes claimed jobs ready for the model, or refuses them.

    Args:
        model: which is to run them.
        max_image_pixels: largest picture that is decoded.
        threads: how many decode pictures and large arrays at once.
    """

    def __init__(
        self,
        model: Model,
        taking: Deliveries,
        batcher: Batcher,
        storer: Storer,
        notices: Notices,
        max_image_pixels: int,
        threads: int,
    ) -> None:
        self._model = model
        self._most_jobs = max(1, min(MOST_JOBS, model.most_rows))
        self._deliveries = taking
        self._batcher = batcher
        self._storer = storer
        self._notices = notices
        self._max_image_pixels = max_image_pixels
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")

    def run(self) -> None:
        """Load until the batcher is closed."""
        while entries := self._batcher.next_waiting(self._most_jobs):
            try:
                self._load(entries)
            except Exception:
                logger.exception("%d jobs could not be loaded; they are queued again.", len(entries))
                self._storer.put(Refused(entries, [GIVEN_BACK] * len(entries)))
                self._batcher.put_ready([])
        self._pool.shutdown(cancel_futures=True)

    def _load(self, entries: Sequence[Entry]) -> None:
        looks = until_answered(lambda: self._deliveries.take([entry.delivery for entry in entries], MOST_BYTES))
        taken: list[tuple[Entry, Look]] = []
        refused: list[tuple[Entry, str | Failure]] = []
        for entry, look in zip(entries, looks, strict=False):
            if look.word == deliveries.TAKEN:
                entry.job = look.job
                taken.append((entry, look))
            else:
                refused.append((entry, look.word))
        ready = []
        for (entry, _), inputs in zip(taken, self._decode_all([look for _, look in taken]), strict=True):
            if isinstance(inputs, Failure):
                refused.append((entry, inputs))
            else:
                self._prepare(entry, inputs)
                ready.append(entry)
        self._batcher.put_ready(ready, entries[len(looks) :])
        if refused:
            self._storer.put(Refused([entry for entry, _ in refused], [word for _, word in refused]))

    def _prepare(self, entry: Entry, inputs: Inputs) -> None:
        entry.inputs = inputs
        entry.ready_s = monotonic()
        model = self._model.with_signature(entry.job.signature if entry.job else None)
        rows_of_parts = sum(len(part.rows) for part in inputs.parts)
        entry.rows = rows_of_parts or count_rows(inputs.arrays, model.signature.row_inputs)
        entry.is_suspect = entry.job is not None and entry.job.attempt > 0
        if entry.is_suspect:
            self._notices.post(partial(announce.retried, entry.request))
        # One that its worker may have died of runs alone: then it harms no other, and proves the others harmless.
        if model.takes_many_rows and not entry.is_suspect and not inputs.parts:
            entry.group = group_of(inputs.arrays, (model.signature_name, inputs.kind))
            entry.batch_rows = model.batching.call_rows(row_bytes(inputs.arrays, entry.rows))

    def _decode_all(self, looks: Sequence[Look]) -> Sequence[Inputs | Failure]:
        if all(_is_small(look) for look in looks):
            return [self._decode(look) for look in looks]
        return list(self._pool.map(self._decode, looks))

    def _decode(self, look: Look) -> Inputs | Failure:
        assert look.job is not None
        if look.job.pinned and look.job.version != self._model.version:
            return _replaced(look.job, self._model.version)
        return decode(self._model, look.job, look.payload, self._max_image_pixels)


def _is_small(look: Look) -> bool:
    return look.job is not None and look.job.content_type in ARRAY_TYPES and len(look.payload) <= SMALL_BYTES


def _replaced(asked: Job, served: int) -> Failure:
    message = f"Version {asked.version} was asked for, and replaced by {served} while the job waited."
    return Failure(FailureType.VERSION_NOT_SERVED, message)
