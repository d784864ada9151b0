"""Scikit-learn's handwritten digits (1,797 real scans from UCI), split into what models see and what they never see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HELD_OUT_FRACTION = 0.25
SPLIT_SEED = 20


@dataclass(frozen=True)
class Digits:
    """Some of the digits.

    Attributes:
        images: float32 (N, 8, 8), from 0 (paper) to 16 (ink).
        labels: int64 (N,), 0 to 9.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]

    def first(self, label: int) -> NDArray[np.float32]:
        """The first image of a digit, as one row: (1, 8, 8)."""
        index = int(np.flatnonzero(self.labels == label)[0])
        return self.images[index : index + 1]


def training_digits() -> Digits:
    """The three quarters that models are trained on."""
    return _split()[0]


def held_out_digits() -> Digits:
    """The quarter that no sample model was trained on, 450 digits; always the same ones."""
    return _split()[1]


def _split() -> tuple[Digits, Digits]:
    data = load_digits()
    labels = data.target.astype(np.int64)
    seen_images, held_out_images, seen_labels, held_out_labels = train_test_split(
        data.images.astype(np.float32), labels, test_size=HELD_OUT_FRACTION, random_state=SPLIT_SEED, stratify=labels
    )
    return Digits(seen_images, seen_labels), Digits(held_out_images, held_out_labels)
