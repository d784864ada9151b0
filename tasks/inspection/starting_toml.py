"""A first model.toml for a model: what was found, and what could be said, in comments."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from model_store.signature import TensorSpec, shape_text
from tasks.inspection.report import Report, printable, signatures

LABEL_EXAMPLES = 3
ANYONE_WRITES = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def starting_toml(report: Report) -> str:
    """The text. It says what holds without it too, so that the model is served alike; the rest are comments."""
    return "\n".join([*_head(report), *_top(report), "", *_image(report), *_batching(report), ""])


def _head(report: Report) -> Iterator[str]:
    found = report.findings
    by = f", saved by {found.saved_by}" if found.saved_by else ""
    yield f"# Written by `celeriac inspect` for {printable(report.path.name)} ({found.format}{printable(by)})."
    yield "# Every key is optional, and those below say what holds without them too. All keys: docs/models.md."
    for name, signature in signatures(found).items():
        yield f"# Signature {printable(name)}:"
        for kind in ("inputs", "outputs"):
            for tensor, spec in signature[kind].items():
                yield f"#   {kind.removesuffix('s')} {printable(tensor)}: {_tensor(spec)}"
    yield ""


def _top(report: Report) -> Iterator[str]:
    found = report.findings
    kind = found.card["kind"]
    yield f"kind = {_string(kind)}  # tensors, classifier (with labels), or detector"
    classes = _classes(found.card["signature"]["outputs"])
    if kind == "tensors" and classes:
        first = ", ".join(f'"name of class {number}"' for number in range(min(classes, LABEL_EXAMPLES)))
        yield f"# labels = [{first}{', …' if classes > LABEL_EXAMPLES else ''}]  # of its {classes} classes, in order"
    outputs = list(found.card["signature"]["outputs"])
    if len(outputs) > 1:
        yield f"# outputs = [{', '.join(printable(_string(name)) for name in outputs)}]  # those wanted"
    yield "# run_timeout_s = 300  # a call that lasts longer ends the worker"
    if found.operators_refused:
        yield f"trusted_sha256 = [{_string(report.sha256 or '')}]"


def _image(report: Report) -> Iterator[str]:
    card = report.findings.card
    if card.get("takes_pictures"):
        yield "# How a picture becomes the input."
        yield "# [image]"
        yield "# resize = [224, 224]  # height, width; without it pictures keep theirs, where the model allows"
        yield "# scale = [0.0, 1.0]  # what 0 and 255 become"
        yield ""


def _batching(report: Report) -> Iterator[str]:
    batching = report.findings.card.get("batching")
    if batching and batching["max_batch_size"] > 1:
        yield "# Measured on this machine; a worker measures anew where it is not said."
        yield "# [batching]"
        yield f"# max_batch_size = {batching['max_batch_size']}"


def _classes(outputs: Mapping[str, Any]) -> int | None:
    """How many classes the only output could tell apart; None where it does not look like classes."""
    specs = [TensorSpec.from_json(spec) for spec in outputs.values()]
    if len(specs) != 1 or not specs[0].dtype.startswith("float") or specs[0].rank != 2:
        return None
    return (specs[0].shape or ())[-1]


def _tensor(spec: Mapping[str, Any]) -> str:
    tensor = TensorSpec.from_json(spec)
    return f"{tensor.dtype} {'of any shape' if tensor.shape is None else shape_text(tensor.shape, has_rows=True)}"


def _string(text: str) -> str:
    """A TOML string; JSON's are all valid in TOML but for the sign of deletion."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def write_new(file: Path, text: str) -> str | None:
    """Write a file that does not exist yet; gives the reason where that cannot be done."""
    try:
        # Whoever took the right to write away meant it, also for root, whom the system would let through.
        if not file.parent.stat().st_mode & ANYONE_WRITES:
            return f"{file} was not written: its folder is read-only."
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        return f"{file} exists and is left as it is."
    except OSError as error:
        return f"{file} was not written: {error.strerror}."
    return None
