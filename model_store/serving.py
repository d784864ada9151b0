"""How a model is served: what its file tells, and what its warm-up adds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from model_store.program import Program
from model_store.rows.batching import Batching
from model_store.signature import Signature
from model_store.spec import ImageSpec
from model_store.tuning.choice import Tuning


@dataclass(frozen=True)
class Serving:
    """How a model is served; the defaults are those of a model that was not warmed up.

    Attributes:
        program: What is run.
        signature: The inputs that it takes and the outputs wanted.
        image: How a picture becomes the input `image.input`; None when the model takes no pictures.
        row_outputs: Names of the outputs with one entry a row on axis 0.
        fixed_rows: How many rows each call needs, where other numbers can be divided into such calls; else None.
        takes_many_rows: Whether the rows of several jobs can share one call, whose outputs can then be divided among
            them.
        batching: How many rows are worth giving to it at once.
        tuning: Which way of running it was found to be the fastest.
        tuning_file: Where that was kept; None where it was not, or was found by an earlier start.
    """

    program: Program
    signature: Signature
    image: ImageSpec | None = None
    row_outputs: frozenset[str] = frozenset()
    fixed_rows: int | None = None
    takes_many_rows: bool = False
    batching: Batching = field(default_factory=Batching)
    tuning: Tuning = field(default_factory=Tuning)
    tuning_file: Path | None = None

    @property
    def takes_divided_rows(self) -> bool:
        """Whether more rows than a call should have can be given to it in several calls."""
        return self.fixed_rows is not None or self.takes_many_rows
