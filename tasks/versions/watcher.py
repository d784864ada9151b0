"""The thread that steps a worker's rollout: every few seconds, and at once when a job asks for a version."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from model_store.errors import ModelStoreError
from tasks.errors import BrokerUnavailable
from tasks.versions.rollout import Rollout
from tasks.versions.trial import Trial

logger = logging.getLogger(__name__)

#: How long a worker that ends waits for a load to end: TensorFlow does not like to be left amid one.
LAST_LOAD_S = 20.0


class Watcher:
    """Steps from `start` to `stop`.

    Args:
        rollout: which has started.
        trial: the rollout's.
        poll_s: between two steps.
        tell: called when a step has changed what others should know.
    """

    def __init__(self, rollout: Rollout, trial: Trial, poll_s: float, tell: Callable[[], None]) -> None:
        self._rollout = rollout
        self._trial = trial
        self._poll_s = poll_s
        self._tell = tell
        self._said = ""
        self._hurry = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="versions", daemon=True)
        rollout.hurry = self._hurry.set

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a load in hand is ended with it where that is possible, and else waited for."""
        self._stopping = True
        self._hurry.set()
        self._trial.stop()
        if self._thread.is_alive():
            self._thread.join(LAST_LOAD_S)

    def _run(self) -> None:
        while True:
            self._hurry.wait(self._poll_s)
            self._hurry.clear()
            if self._stopping:
                return
            self._step()

    def _step(self) -> None:
        sentence = ""
        try:
            if self._rollout.step():
                self._tell()
        except (ModelStoreError, BrokerUnavailable) as error:
            sentence = str(error)
        except Exception:
            # Without the next step no version would ever be noticed again.
            logger.exception("A look at the model's versions failed; the next follows in %.0f s.", self._poll_s)
        if sentence and sentence != self._said:
            logger.warning("New versions cannot be looked for, and what is served goes on: %s", sentence)
        self._said = sentence
        self._rollout.after_step()
