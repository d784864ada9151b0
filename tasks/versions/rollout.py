"""The versions of a worker's model: which are served, which could not be loaded, and the steps from one to the next."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from model_store.errors import ModelStoreError
from model_store.fingerprint import fingerprint
from model_store.store import StoredModel, find_version
from model_store.version_labels import LATEST, VersionLabels
from model_store.versions import aims, reached, to_load
from tasks.batching.served import Served, Serving
from tasks.errors import TasksError
from tasks.job import Job
from tasks.versions.departures import Departures
from tasks.versions.loads import Loads
from tasks.versions.shelf import Look, Shelf
from tasks.versions.trial import Trial

if TYPE_CHECKING:
    # Brings TensorFlow, and this module is loaded by Flower and the keeper too.
    from model_store.model import Model

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VersionFailure:
    """Why a version is not served: a sentence, when that was (µs since 1970), and what its files looked like."""

    reason: str
    at_us: int
    mark: str


class Opening(Protocol):
    """What loads versions; `tasks.loading.Opener`."""

    device: str

    def open(self, stored: StoredModel) -> Model:
        """A version, loaded and warmed up; raises ModelStoreError."""


@dataclass(frozen=True)
class Surroundings:
    """What a rollout needs of the rest of the worker.

    Attributes:
        opener: loads versions here.
        trial: tries them elsewhere.
        loads: remembers those that began.
        departures: says when versions that no label has any more may go.
    """

    opener: Opening
    trial: Trial
    loads: Loads
    departures: Departures


class Rollout:
    """Serves what the store holds. `start` once, then `step` on a thread of its own; the rest from any thread.

    Attributes:
        serving: What is served now; to be read once for what belongs together.
        failures: Versions that could not be loaded, until their files change.
        labels: What versions.toml says.
        labels_failure: What is wrong with it now, or which of its labels has no version.
        before_call: Called before each call of any version's program, on its thread.
        is_idle: Asked whether no job is at hand.
        hurry: Called from any thread when a step should follow at once.
        after_step: Called after each step, on its thread: what `find` has no answer for may have one now.

    Args:
        name: the model.
        shelf: its folder.
        around: the rest.
    """

    def __init__(self, name: str, shelf: Shelf, around: Surroundings) -> None:
        self.serving = Serving()
        self.failures: Mapping[int, VersionFailure] = {}
        self.labels = VersionLabels()
        self.labels_failure: str | None = None
        self.before_call: Callable[[], None] = _nothing
        self.hurry: Callable[[], None] = _nothing
        self.is_idle: Callable[[], bool] = _always
        self.after_step: Callable[[], None] = _nothing
        self._name = name
        self._shelf = shelf
        self._around = around
        #: Versions that jobs asked for and that are not loaded; and those of them that the store has no more.
        self._demanded: set[int] = set()
        self._absent: frozenset[int] = frozenset()
        self._departures = around.departures
        #: Whether jobs would suffer from a load that goes wrong.
        self._has_started = False

    def start(self) -> None:
        """Load what is to be served, the newest that loads at the least.

        Raises:
            ModelStoreError: none loads; the sentence is the newest's.
        """
        look = self._shelf.look()
        while (number := next(iter(self._wanted(look)), None)) is not None:
            self._load(number, look, self._shelf.mark(number, look.folders[number]))
            self._settle(look)
        self._settle(look)
        if LATEST not in self.serving.labels:
            raise ModelStoreError(self.failures[max(self.failures)].reason)
        self._has_started = True

    def step(self) -> bool:
        """Look at the store, load what is new there, drop what is over.

        Returns:
            Whether anything has changed that others should know.

        Raises:
            ModelStoreError: the store cannot be looked at; all goes on as it is.
            BrokerUnavailable: the same of the broker.
        """
        before = (self.serving, self.failures, self.labels, self.labels_failure)
        look = self._shelf.look()
        self._forgive(look)
        demanded = set(self._demanded)
        for number in [*self._wanted(look), *sorted(demanded)]:
            folder = look.folders.get(number)
            is_new = folder is not None and number not in self.serving.loaded and number not in self.failures
            if folder is not None and is_new and (number in demanded or self._shelf.stands_still(number, folder)):
                self._load(number, look, self._shelf.mark(number, folder))
                self._settle(look)
        self._settle(look)
        self._demanded -= demanded
        self._absent = frozenset(demanded - look.folders.keys())
        self._departures.free(self.is_idle())
        self._drop()
        return before != (self.serving, self.failures, self.labels, self.labels_failure)

    def find(self, job: Job) -> Served | str | None:
        """The version that a job gets; or why there is none; or None while it is being loaded, to be asked again."""
        serving = self.serving
        number = serving.number_of(job)
        if (served := serving.loaded.get(number)) is not None:
            return served
        if (failure := self.failures.get(number)) is not None:
            return f"Version {number} was asked for, and cannot be loaded any more: {failure.reason}"
        if number in self._absent:
            known = ", ".join(map(str, serving.numbers))
            return f"Version {number} was asked for, and has left the model store since. Served are: {known}."
        if number not in self._demanded:
            self._demanded.add(number)
            self.hurry()
        return None

    def _wanted(self, look: Look) -> list[int]:
        return to_load(self._aims(look), self.serving.loaded.keys(), self.failures, look.folders)

    def _aims(self, look: Look) -> dict[str, int]:
        return aims(look.folders, self.failures, look.labels.numbers, self.serving.labels)

    def _forgive(self, look: Look) -> None:
        """What has changed since it failed may load now; what has gone is no failure."""
        kept = {
            number: failure
            for number, failure in self.failures.items()
            if number in look.folders and self._shelf.mark(number, look.folders[number]) == failure.mark
        }
        if kept != self.failures:
            self.failures = kept

    def _load(self, number: int, look: Look, mark: str) -> None:
        """Load a version, or remember why not."""
        folder = look.folders[number]
        try:
            model = self._open(number, find_version(self._name, folder), mark)
        except ModelStoreError as error:
            self._fail(number, mark, str(error))
        except TasksError:
            raise
        except Exception as error:
            # Whatever a file makes TensorFlow do, the versions that are served go on.
            logger.exception("Version %d could not be loaded.", number)
            self._fail(number, mark, f"Version {number} could not be loaded: {type(error).__name__}: {error}")
        else:
            self._add(Served.of(model), fingerprint(folder) == mark)

    def _add(self, served: Served, is_whole: bool) -> None:
        number = served.model.version
        if self._has_started and not is_whole:
            logger.info("The files of version %d changed while it was loaded; it is loaded again.", number)
            self._departures.watch([served])
            return
        served.model.before_call = self._before_call
        self.serving = replace(self.serving, loaded={**self.serving.loaded, number: served})

    def _open(self, number: int, stored: StoredModel, mark: str) -> Model:
        loads = self._around.loads
        if self._has_started or loads.never_ended(number, mark):
            self._try(number)
        loads.begin(number, mark)
        logger.info("Version %d of %s is being loaded.", number, self._name)
        try:
            return self._around.opener.open(stored)
        finally:
            loads.end(number)

    def _try(self, number: int) -> None:
        logger.info("Version %d of %s is tried in a process of its own.", number, self._name)
        refusal = self._around.trial.run(number)
        # It computes on the CPU. What it says of a model for a GPU may not be so there; that it died is enough.
        if refusal is not None and self._around.opener.device.startswith("CPU"):
            raise ModelStoreError(refusal)

    def _fail(self, number: int, mark: str, reason: str) -> None:
        logger.error("Version %d of %s is not served: %s", number, self._name, reason)
        failure = VersionFailure(reason, self._around.loads.now_us(), mark)
        self.failures = {**self.failures, number: failure}

    def _settle(self, look: Look) -> None:
        """Let each label have its version, as far as that is loaded."""
        aimed = self._aims(look)
        labels = reached(aimed, self.serving.loaded.keys(), self.serving.labels)
        lost = [label for label, number in aimed.items() if labels.get(label) != number and number not in look.folders]
        absent = ", ".join(f"{label} = {aimed[label]}" for label in lost)
        self.labels = look.labels
        self.labels_failure = look.labels_failure or (f"The store has no version for {absent}." if absent else None)
        if labels != self.serving.labels:
            logger.info("%s serves %s.", self._name, ", ".join(f"{label} = {n}" for label, n in labels.items()))
            self.serving = replace(self.serving, labels=labels)

    def _drop(self) -> None:
        loaded = self.serving.loaded
        over = self._departures.over(loaded.keys() - set(self.serving.labels.values()))
        if over:
            kept = {number: served for number, served in loaded.items() if number not in over}
            self._departures.watch(loaded[number] for number in over)
            self.serving = replace(self.serving, loaded=kept)
            logger.info("%s has dropped version %s.", self._name, ", ".join(map(str, over)))

    def _before_call(self) -> None:
        self.before_call()


def _nothing() -> None:
    pass


def _always() -> bool:
    return True
