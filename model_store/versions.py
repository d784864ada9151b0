"""Which versions of a model are to be served, and which one a job gets; pure.

A label's aim is the version that it should have. Until that one is loaded, the label keeps the version that it had.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set

from model_store.version_labels import LATEST, STABLE


def aims(
    found: Collection[int], failed: Collection[int], labels: Mapping[str, int], served: Mapping[str, int]
) -> dict[str, int]:
    """The version that each label should have.

    Args:
        found: in the store.
        failed: those of them that could not be loaded.
        labels: as versions.toml has them.
        served: label to version, as they are served now.
    """
    newest = max((number for number in found if number not in failed), default=served.get(LATEST))
    latest = {} if newest is None else {LATEST: newest}
    return latest | {label: number for label, number in labels.items() if label != LATEST}


def to_load(aimed: Mapping[str, int], loaded: Set[int], failed: Collection[int], found: Collection[int]) -> list[int]:
    """The versions to load, the most important first: what jobs get that name none, then those that labels name."""
    order = sorted(aimed, key=lambda label: (label != default_label(aimed), label != LATEST, label))
    wanted = dict.fromkeys(aimed[label] for label in order)
    return [number for number in wanted if number in found and number not in loaded and number not in failed]


def reached(aimed: Mapping[str, int], loaded: Set[int], served: Mapping[str, int]) -> dict[str, int]:
    """The version that each label has: the one aimed at where it is loaded, else the one that it had."""
    labels = {label: number if number in loaded else served.get(label) for label, number in aimed.items()}
    return {label: number for label, number in labels.items() if number is not None and number in loaded}


def default_label(labels: Collection[str]) -> str:
    """The label whose version a job gets that names none."""
    return STABLE if STABLE in labels else LATEST


def number_for(labels: Mapping[str, int], asked_number: int, label: str, is_pinned: bool) -> int:
    """The version that a job gets when it runs.

    Args:
        labels: as they are served now.
        asked_number: the version that the job was accepted for.
        label: the one that its client named or that a share gave it; empty without one.
        is_pinned: whether its client named a version or a label.
    """
    if label in labels:
        return labels[label]
    return asked_number if is_pinned else labels[default_label(labels)]


def drawn_label(shares: Mapping[str, float], labels: Collection[str], draw: float) -> str:
    """The label that a job gets by its draw, from 0 to 1 without 1; empty: it gets the default.

    Shares of labels that are not served fall to the default. The same draw gives a label again when its share grows.
    """
    end = 0.0
    for label in sorted(shares):
        if label in labels:
            end += shares[label]
            if draw < end:
                return label
    return ""
