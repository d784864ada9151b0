"""What a start may spend on finding the fastest way to run its model, and where it keeps what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model_store.tuning.file import TuningFiles
from model_store.tuning_spec import TuningSpec


@dataclass(frozen=True)
class TuningPlan:
    """A start's plan.

    Attributes:
        artifact: The model's file or folder.
        files: Where choices are kept.
        limit_s: How long to look, where model.toml does not say; 0 for not at all.
        looks_again: Whether to look also where a choice is kept.
    """

    artifact: Path
    files: TuningFiles
    limit_s: float
    looks_again: bool = False

    def limit_for(self, spec: TuningSpec) -> float:
        """How long to look for the best variant of a model whose model.toml says this, in seconds."""
        return self.limit_s if spec.time_limit_s is None else spec.time_limit_s

    def looks(self, spec: TuningSpec) -> bool:
        """Whether anything is to be found out for such a model."""
        return spec.variant != "plain" and (spec.variant != "auto" or self.limit_for(spec) > 0)
