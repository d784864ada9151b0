"""Which models are paused, kept for a moment, so that not every poll of a job reads it."""

from __future__ import annotations

import time
from contextlib import suppress

from tasks.errors import BrokerUnavailable
from tasks.model_registry import ModelRegistry

#: A pause that another process was asked for is seen after this long at the latest.
KEEP_S = 1.0


class Pauses:
    """The paused models. Safe to share between threads; two may read them at once."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._read_at_s = float("-inf")
        self._models: frozenset[str] = frozenset()

    def is_paused(self, model: str) -> bool:
        """Whether a model is paused, or was when the broker last answered."""
        now_s = time.monotonic()
        if now_s - self._read_at_s >= KEEP_S:
            with suppress(BrokerUnavailable):
                self._models = self._registry.paused()
                self._read_at_s = now_s
        return model in self._models

    def forget(self) -> None:
        """Read them anew the next time."""
        self._read_at_s = float("-inf")
