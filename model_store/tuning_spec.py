"""The table `[tuning]` of a model.toml: which way of running the model is used, and how long it may be looked for."""

from __future__ import annotations

from dataclasses import dataclass

from model_store.spec_table import Table, one_of, whole_number

VARIANTS = ("plain", "direct", "folded", "xla")
LONGEST_TUNING_S = 86_400


@dataclass(frozen=True)
class TuningSpec:
    """How a model's way to run is found.

    Attributes:
        variant: One of `VARIANTS`, or "auto" for the fastest of them, as measured.
        time_limit_s: How long a start may look for it; None leaves it to the operator's setting.
    """

    variant: str = "auto"
    time_limit_s: int | None = None


def parse_tuning(table: Table) -> TuningSpec:
    """Parse the table; raises SpecError for an unknown key or a wrong value."""
    table.refuse_unknown_keys("variant", "time_limit_s")
    known = ("auto", *VARIANTS)
    limit_s = f"seconds, from 0 to {LONGEST_TUNING_S}"
    return TuningSpec(
        variant=table.read("variant", f"one of {', '.join(known)}", one_of(*known)) or TuningSpec.variant,
        time_limit_s=table.read("time_limit_s", limit_s, whole_number(0, LONGEST_TUNING_S)),
    )
