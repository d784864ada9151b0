"""What the two models compute, and which inputs they are given: exact in float32, so that an answer is right or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]

#: Numbers of a row.
WIDTH = 3

#: Who finds this in a row aborts. No number of a job comes near it.
POISON = -1_000_000.0

#: A row whose first number is a multiple of this holds its batch up for so long: kills are to meet jobs that run.
SLOW_EVERY = 64.0
SLOW_S = 0.15


class Sum(NamedTuple):
    """y = factor * x + offset."""

    factor: float
    offset: float


SUMS: Mapping[str, Sum] = {"double": Sum(2.0, 1.0), "triple": Sum(3.0, -2.0)}

#: Rows of a job: from one to so many, so that batches are made of different ones.
MOST_ROWS = 3

#: So many jobs have inputs of their own, then they begin anew. Ten minutes have fewer; three times, they are exact.
NUMBERS = 200_000


def rows_of(number: int) -> Array:
    """The input of the job with this number: (rows, WIDTH) float32."""
    return longest_rows_of(number)[: 1 + number % MOST_ROWS]


def longest_rows_of(number: int) -> Array:
    """That input and what follows it, up to (MOST_ROWS, WIDTH)."""
    return (number % NUMBERS + np.arange(MOST_ROWS * WIDTH, dtype="float32")).reshape(MOST_ROWS, WIDTH)


def poisonous_rows() -> Array:
    """The input of a job that kills its worker."""
    return np.full((1, WIDTH), POISON, "float32")
