"""Keeps what was found out about a model's speed in a file beside the model, so that the next start need not look.

The file holds the choices of several machines, each under a key that names all that it depends on. It is only a help:
one that cannot be read, or not be written, is as good as none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

from model_store.rows.batching import Batching
from model_store.signature import Signature
from model_store.spec import LARGEST_BATCH, LONGEST_WAIT_MS, SPEC_FILE_NAME, ModelSpec
from model_store.tuning.choice import Choice, Trial, Tuning
from model_store.tuning_spec import VARIANTS

TUNING_FILE_NAME = "tuning.json"
FORMAT = 1
# Of versions, and of machines that share a store.
MOST_CHOICES = 32
# What changes how answers are read, and not how the model runs.
IRRELEVANT = {"kind", "labels", "min_score", "run_timeout_s", "max_detections", "file"}

Key = Mapping[str, str]


@dataclass(frozen=True)
class TuningFiles:
    """Where a model's choices are kept.

    Attributes:
        folders: Where the file may lie, the best first; it is read from all and written to the first that can be
            written to; without any nothing is kept.
        machine: What the model runs on: processor, cores, threads, device.
    """

    folders: tuple[Path, ...]
    machine: str

    def find(self, key: Key) -> Tuning | None:
        """What was kept under this key; None where nothing was, or nothing that makes sense."""
        for folder in self.folders:
            for entry in _entries(folder / TUNING_FILE_NAME):
                if entry.get("key") == dict(key):
                    return _parsed(entry)
        return None

    def put(self, key: Key, tuning: Tuning) -> Path | None:
        """Keep this beside what others have kept; gives the file, None where none can be written."""
        for folder in self.folders:
            file = folder / TUNING_FILE_NAME
            others = [entry for entry in _entries(file) if entry.get("key") != dict(key)]
            entries = [_written(key, tuning), *others][:MOST_CHOICES]
            if _replace(file, json.dumps({"format": FORMAT, "choices": entries}, indent=1) + "\n"):
                return file
        return None


def key_of(artifact: Path, signature: Signature, spec: ModelSpec, versions: str, machine: str) -> Key:
    """All that a choice depends on.

    Args:
        artifact: The model's file or folder: its size and its time of change, and of a folder those of all files in it.
        signature: What was opened of it.
        spec: What its model.toml says.
        versions: Those of TensorFlow and Keras.
        machine: as in `TuningFiles`.
    """
    relevant = {field.name: repr(getattr(spec, field.name)) for field in fields(spec) if field.name not in IRRELEVANT}
    return {
        "artifact": artifact_state(artifact),
        "model": _digest(json.dumps([relevant, signature.to_json()], sort_keys=True)),
        "versions": versions,
        "machine": machine,
    }


def artifact_state(artifact: Path) -> str:
    """A digest of the names, sizes and times of change of an artifact's files; none is read."""
    files = [artifact] if artifact.is_file() else sorted(_files(artifact))
    stats = [(str(file.relative_to(artifact.parent)), file.stat()) for file in files]
    return _digest(json.dumps([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]))


def _files(folder: Path) -> Iterable[Path]:
    ours = (TUNING_FILE_NAME, SPEC_FILE_NAME)
    return (
        file for file in folder.rglob("*") if file.is_file() and file.name not in ours and not file.name.startswith(".")
    )


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


def _entries(file: Path) -> Sequence[dict[str, Any]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    choices = content.get("choices") if isinstance(content, dict) and content.get("format") == FORMAT else None
    return [entry for entry in choices if isinstance(entry, dict)] if isinstance(choices, list) else []


def _written(key: Key, tuning: Tuning) -> dict[str, Any]:
    return {"key": dict(key), "speedup": round(tuning.speedup, 2), **asdict(tuning)}


def _parsed(entry: Mapping[str, Any]) -> Tuning | None:
    try:
        choice, batching = Choice(**entry["choice"]), Batching(**entry["batching"])
        tuning = Tuning(
            choice=Choice(choice.variant, choice.base, tuple(choice.compiled_rows)),
            batching=Batching(batching.max_rows, batching.max_wait_ms, tuple(batching.sizes), batching.max_bytes),
            trials=tuple(Trial(**trial) for trial in entry["trials"]),
            dropped={str(name): str(reason) for name, reason in entry["dropped"].items()},
            faulty=tuple(map(str, entry["faulty"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return tuning if _makes_sense(tuning) else None


def _makes_sense(tuning: Tuning) -> bool:
    choice, batching = tuning.choice, tuning.batching
    rows = (batching.max_rows, *batching.sizes, *choice.compiled_rows)
    return (
        choice.variant in VARIANTS
        and choice.base in VARIANTS[:-1]
        and (choice.variant in ("xla", choice.base))
        and all(type(count) is int and 0 < count <= LARGEST_BATCH for count in rows)
        and list(batching.sizes) == sorted(set(batching.sizes))
        and _is_number(batching.max_wait_ms, 0, LONGEST_WAIT_MS)
        and (batching.max_bytes is None or type(batching.max_bytes) is int)
        and all(_is_trial(trial) for trial in tuning.trials)
    )


def _is_trial(trial: Trial) -> bool:
    return (
        trial.variant in VARIANTS
        and _is_number(trial.rows, 0, LARGEST_BATCH)
        and _is_number(trial.call_ms, 0, sys.float_info.max)
        and trial.call_ms > 0
        and _is_number(trial.first_ms, 0, sys.float_info.max)
        and type(trial.difference) in (int, float)
    )


def _is_number(value: Any, least: float, most: float) -> bool:
    """Whether it is a number between these; JSON's readers also know one that is none, which is between no others."""
    return type(value) in (int, float) and least <= value <= most


def _replace(file: Path, text: str) -> bool:
    """Write a file so that nobody ever reads half of it."""
    draft = file.with_name(f".{file.name}.{token_hex(4)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        return False
    return True
