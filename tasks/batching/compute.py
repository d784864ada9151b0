"""Running a batch so that no job fails for its neighbour's fault."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from model_store.errors import OutOfMemory
from model_store.rows.uneven import Part
from tasks.batching.rows import Array, Arrays, halves, join, split

logger = logging.getLogger(__name__)

Predict = Callable[[Arrays, str], Arrays]
#: A job's outputs, or those of each of its parts, or what its model said of it alone.
Computed = dict[str, Array] | list[dict[str, Array]] | Exception


class Computer:
    """Runs batches, and remembers what the memory can take.

    Attributes:
        max_rows: The most rows that a batch should have; halved each time that the memory did not suffice for one.
    """

    def __init__(self, predict: Predict, max_rows: int, takes_many_rows: Callable[[str], bool]) -> None:
        self._predict = predict
        self._takes_many_rows = takes_many_rows
        self.max_rows = max_rows

    def run(self, jobs: Sequence[Arrays], counts: Sequence[int], signature: str = "") -> list[Computed]:
        """Each job's outputs, or its own error. What fails is cut in half until the one at fault stands alone.

        Args:
            jobs: their inputs, of the same group; a single one may have any.
            counts: their rows.
            signature: the one that they are for; empty for the default.
        """
        try:
            outputs = self._predict(join(jobs), signature)
        except Exception as error:
            can_be_cut = len(jobs) > 1 or (_is_memory(error) and counts[0] > 1 and self._takes_many_rows(signature))
            if not can_be_cut:
                return [error]
            computed = self._run_in_halves(jobs, counts, signature)
            # Where not even one row fits, it is that job's doing, and no reason to run the others in small batches.
            if _is_memory(error) and not any(map(_is_memory, computed)):
                self._remember(sum(counts))
            return computed
        return [dict(outputs)] if len(jobs) == 1 else list(split(outputs, counts))

    def run_parts(self, parts: Sequence[Part], signature: str) -> Computed:
        """The outputs of each part of one job, or the first error."""
        computed = []
        for part in parts:
            (outputs,) = self.run([part.arrays], [len(part.rows)], signature)
            if not isinstance(outputs, dict):
                return outputs
            computed.append(outputs)
        return computed

    def _run_in_halves(self, jobs: Sequence[Arrays], counts: Sequence[int], signature: str) -> list[Computed]:
        if len(jobs) == 1:
            return [self._run_rows_in_halves(jobs[0], counts[0], signature)]
        cut = halves(counts)
        return [*self.run(jobs[:cut], counts[:cut], signature), *self.run(jobs[cut:], counts[cut:], signature)]

    def _run_rows_in_halves(self, job: Arrays, rows: int, signature: str) -> Computed:
        cut = rows // 2
        parts = [{name: array[:cut] for name, array in job.items()}, {name: array[cut:] for name, array in job.items()}]
        counted = zip(parts, (cut, rows - cut), strict=True)
        answers = [self.run([part], [count], signature)[0] for part, count in counted]
        failed = next((answer for answer in answers if isinstance(answer, Exception)), None)
        return failed or dict(join([answer for answer in answers if isinstance(answer, dict)]))

    def _remember(self, rows: int) -> None:
        limit = max(1, rows // 2)
        if limit < self.max_rows:
            logger.warning("Memory did not suffice for a batch of %d rows; batches have at most %d now.", rows, limit)
            self.max_rows = limit


def _is_memory(what: object) -> bool:
    return isinstance(what, OutOfMemory | MemoryError)
