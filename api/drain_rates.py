"""Measures how fast the models' queues empty: of each model that jobs come for, a look every few seconds."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress

from api.drain import Sample, drain_rate
from tasks.errors import BrokerUnavailable
from tasks.model_registry import ModelRegistry

#: A look costs one round trip for each model that jobs came for since this process began.
SAMPLE_EVERY_S = 2.0

#: The rate is that of the last minute.
SAMPLES_KEPT = 31


class DrainRates:
    """How fast queues emptied lately. Safe to share between threads; measures from the first `rate` of a model on."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._samples: dict[str, deque[Sample]] = {}
        self._rates: dict[str, float | None] = {}

    def rate(self, model: str) -> float | None:
        """Jobs of a model that ended per second while jobs waited; None: not known yet. Asks nobody."""
        if model not in self._samples:
            self._samples[model] = deque(maxlen=SAMPLES_KEPT)
        return self._rates.get(model)

    def start(self) -> None:
        """Look every few seconds, in a thread of its own."""
        threading.Thread(target=self._run, name="drain-rates", daemon=True).start()

    def sample(self, now_s: float) -> None:
        """Look once at each model.

        Raises:
            BrokerUnavailable: Redis does not answer.
        """
        for model, samples in list(self._samples.items()):
            state = self._registry.queue_state(model)
            samples.append(Sample(now_s, sum(state.finished.values()), state.queued, state.paused))
            self._rates[model] = drain_rate(samples)

    def _run(self) -> None:
        while True:
            time.sleep(SAMPLE_EVERY_S)
            with suppress(BrokerUnavailable):
                self.sample(time.monotonic())
