"""Warming up a model's further signatures: lightly, since many of them shall not hold up the start of a worker."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING

from model_store.errors import PredictError, WarmUpError
from model_store.rows.batching import MOST_ROWS

if TYPE_CHECKING:
    # It uses this module.
    from model_store.model import Model

# What all of them may take together, and how long the search for a good number of rows may take for each.
TOTAL_S = 6.0
SEARCH_S = 0.5


def warm_up_others(others: Mapping[str, Model], max_rows: int | None) -> None:
    """Warm up the signatures whose calls change nothing, as far as the time suffices.

    The jobs of one that was not reached, or cannot run on trial inputs, run one by one.

    Args:
        others: The model by its further signatures.
        max_rows: The most rows that a batch may have; None where nobody has said.
    """
    until_s = perf_counter() + TOTAL_S

    def check_time() -> None:
        if perf_counter() > until_s:
            raise WarmUpError(f"The trials of further signatures took {TOTAL_S} s.")

    for other in others.values():
        if other.changes_state:
            continue
        before_call, other.before_call = other.before_call, check_time
        # One whose trial fails is served as it was opened.
        with suppress(PredictError, WarmUpError):
            other.warm_up()
            other.limit_rows(max_rows or MOST_ROWS)
        other.before_call = before_call
