"""`versions.toml` beside a model's version folders: names for versions, and the share of jobs that a name gets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_store.errors import SpecError
from model_store.spec_table import Table, fraction, read_toml, whole_number

LABELS_FILE_NAME = "versions.toml"
LABEL = re.compile(r"[a-z][a-z0-9_-]{0,31}")
# The newest version that loads. It always exists, so no file can give the name to another one.
LATEST = "latest"
# What a job gets that names no version, where there is such a label.
STABLE = "stable"
HIGHEST_VERSION = 10**15 - 1


@dataclass(frozen=True)
class VersionLabels:
    """What a versions.toml says; a model without one has no labels.

    Attributes:
        numbers: Label to version.
        shares: Label to the share, from 0 to 1, of the jobs that name no version; all others get the default.
    """

    numbers: Mapping[str, int] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)


def read_version_labels(model_folder: Path) -> VersionLabels:
    """Read the versions.toml of a model's folder.

    Raises:
        SpecError: It is not readable TOML, a key is unknown, or a value is not what the key takes.
    """
    file = model_folder / LABELS_FILE_NAME
    if file.exists() and not file.is_file():
        raise SpecError(f"{file} cannot be read: it is not a file.")
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return VersionLabels()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{file} cannot be read: {error}.") from None
    return parse_version_labels(text, file)


def parse_version_labels(text: str, file: Path) -> VersionLabels:
    """Parse the text of a versions.toml; raises SpecError naming `file` and the key."""
    top = read_toml(text, file)
    top.refuse_unknown_keys("labels", "shares")
    labels, shares = top.table("labels"), top.table("shares")
    _check_names(labels)
    spec = VersionLabels(_read_all(labels, _read_number), _read_all(shares, _read_share))
    _check_shares(file, spec)
    return spec


def _check_names(labels: Table) -> None:
    for label in labels.values:
        if label == LATEST:
            raise SpecError(
                f"{labels.file}: labels.{LATEST} cannot be set; it is always the newest version that loads."
            )
        if not LABEL.fullmatch(label):
            raise SpecError(
                f"{labels.file}: {label[:40]!r} cannot be a label: a label has up to 32 lower-case letters, digits, "
                "'_' and '-', and starts with a letter."
            )


def _check_shares(file: Path, spec: VersionLabels) -> None:
    for label in spec.shares:
        if label == STABLE or label not in spec.numbers:
            others = ", ".join(name for name in spec.numbers if name != STABLE) or "none"
            raise SpecError(
                f"{file}: shares.{label[:40]} is for no label that can have a share; those are: {others}. "
                f"What the shares leave goes to {STABLE}, or without it to {LATEST}."
            )
    total = sum(spec.shares.values())
    # Ten tenths are a little more than one in floating point.
    if total > 1 + 1e-9:
        raise SpecError(f"{file}: the shares add up to {total:g}; they can be 1 at most.")


def _read_number(table: Table, label: str) -> int | None:
    return table.read(label, "the number of a version", whole_number(0, HIGHEST_VERSION))


def _read_share(table: Table, label: str) -> float | None:
    return table.read(label, "a share of the jobs, from 0 to 1", fraction)


def _read_all(table: Table, read: Any) -> dict[str, Any]:
    return {label: read(table, label) for label in table.values}
