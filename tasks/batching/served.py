"""The versions of a model that a worker has loaded, and which of them a job gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from model_store.versions import default_label, number_for
from tasks.batching.compute import Computer
from tasks.job import Job

if TYPE_CHECKING:
    # Brings TensorFlow, and this module is loaded by Flower and the keeper too.
    from model_store.model import Model


@dataclass(frozen=True, eq=False)
class Served:
    """A loaded version, and what runs its batches. Jobs hold on to theirs, from their decoding to their end."""

    model: Model
    computer: Computer

    @classmethod
    def of(cls, model: Model) -> Served:
        """A model that was warmed up."""

        def takes_many_rows(signature: str) -> bool:
            return model.with_signature(signature).takes_many_rows

        return cls(model, Computer(model.predict, model.most_rows, takes_many_rows))


@dataclass(frozen=True)
class Serving:
    """What is served at one moment; never changed, but replaced as a whole.

    Attributes:
        loaded: By number; also those that no label has any more, for jobs that were accepted before.
        labels: Label to number, all of them loaded.
    """

    loaded: Mapping[int, Served] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)

    @property
    def default(self) -> Served:
        """What a job gets that names no version."""
        return self.loaded[self.labels[default_label(self.labels)]]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The versions that jobs may name."""
        return tuple(sorted(set(self.labels.values())))

    @property
    def max_rows(self) -> int:
        """Most rows of a batch of any version."""
        return max(served.computer.max_rows for served in self.loaded.values())

    def run_timeout_s(self, default_s: float) -> float:
        """How long a call may last, of the version that may take longest.

        Args:
            default_s: where a model.toml is silent.
        """
        return max(served.model.spec.run_timeout_s or default_s for served in self.loaded.values())

    def number_of(self, job: Job) -> int:
        """The version that a job gets; a pinned one may ask for one that is not loaded."""
        return number_for(self.labels, job.version, job.label, job.pinned)
