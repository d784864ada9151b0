"""How many rows a model takes at once, and into which calls they are divided. No TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Batching:
    """What is worth giving to a model at once.

    Attributes:
        max_rows: Most rows of several jobs worth giving to one `predict`.
        max_wait_ms: How long a batch that is not full waits for more rows.
        sizes: Row counts, ascending, that calls are padded up to; empty where calls are not padded.
    """

    max_rows: int = 1
    max_wait_ms: float = 0.0
    sizes: tuple[int, ...] = ()

    @property
    def call_rows(self) -> int:
        """Most rows in one call of the model's program; more are several calls."""
        return self.sizes[-1] if self.sizes else self.max_rows

    def padded(self, rows: int) -> int:
        """The rows that the model computes where `rows` are asked for.

        These are the next size, or for more rows than the largest size has, as many whole calls of that size as fit
        and the next size for the rest. Without sizes they are the rows themselves.
        """
        if not self.sizes:
            return rows
        calls, rest = divmod(rows, self.sizes[-1])
        return calls * self.sizes[-1] + (next(size for size in self.sizes if size >= rest) if rest else 0)

    def to_json(self) -> dict[str, Any]:
        """As JSON values, under the names that model.toml has for them."""
        return {"max_batch_size": self.max_rows, "max_batch_wait_ms": self.max_wait_ms, "sizes": list(self.sizes)}
