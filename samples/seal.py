"""The seal of a sample's folder: a hidden file that says what was made there, and the sha256 of each file.

The store does not see it, as it looks at no hidden files. The model.toml is no part of what is hashed: it is for
people to change, and their changes are kept as long as the sample itself is. Deleting it brings the first one back.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from samples.catalog import Sample

SEAL_FILE_NAME = ".sample.json"
SPEC_FILE_NAME = "model.toml"


def write_seal(sample: Sample, folder: Path) -> None:
    """Seal a folder as it is now."""
    (folder / SEAL_FILE_NAME).write_text(json.dumps(_describe(sample, folder), indent=2) + "\n", encoding="utf-8")


def is_sealed(folder: Path) -> bool:
    """Whether the folder was made as a sample, of whatever revision and in whatever state."""
    return (folder / SEAL_FILE_NAME).is_file()


def seal_fits(sample: Sample, folder: Path) -> bool:
    """Whether the folder holds what its seal says, and the seal says what the sample is today."""
    if not (folder / SPEC_FILE_NAME).is_file():
        return False
    try:
        sealed = json.loads((folder / SEAL_FILE_NAME).read_bytes())
    except (OSError, ValueError):
        return False
    return bool(sealed == _describe(sample, folder))


def _describe(sample: Sample, folder: Path) -> dict[str, object]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    not_hashed = (folder / SEAL_FILE_NAME, folder / SPEC_FILE_NAME)
    return {
        "revision": sample.revision,
        "model_toml": sample.model_toml,
        "sha256": {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
            if path not in not_hashed
        },
    }
