"""What `celeriac inspect` says: made from what was found, as JSON values and as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_store.signature import TensorSpec, shape_text
from tasks.inspection.findings import Findings

LABEL_WIDTH = 11


@dataclass(frozen=True)
class Report:
    """All that is said about a model.

    Attributes:
        path: The artifact.
        size_bytes: Of all its files; None where they cannot be read.
        sha256: The digest that `trusted_sha256` takes; None likewise.
        findings: What opening and trying it brought.
        model_toml: The model.toml that holds for it, or that was written; None where there is none.
        is_toml_new: Whether it was written now.
        warnings: What is worth knowing beside that, in sentences.
    """

    path: Path
    size_bytes: int | None
    sha256: str | None
    findings: Findings
    model_toml: Path | None = None
    is_toml_new: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def loads(self) -> bool:
        """Whether a worker could serve it."""
        return self.findings.reason is None


def to_json(report: Report) -> dict[str, Any]:
    """The report as one object; its names are part of the command's contract."""
    found = report.findings
    return {
        "path": str(report.path),
        "format": found.format,
        "loads": report.loads,
        "refused": found.is_refused,
        "reason": found.reason,
        "saved_by": found.saved_by,
        "size_bytes": report.size_bytes,
        "sha256": report.sha256,
        "signatures": signatures(found),
        "rows": found.rows,
        "kind": found.card.get("kind"),
        "takes_pictures": found.card.get("takes_pictures"),
        "batching": found.card.get("batching") if report.loads else None,
        "operators_refused": list(found.operators_refused),
        "dry_run": found.dry_run,
        "model_toml": str(report.model_toml) if report.model_toml else None,
        "model_toml_written": report.is_toml_new,
        "warnings": list(report.warnings),
    }


def signatures(found: Findings) -> dict[str, Any]:
    """The signatures by name, as in the model's card; none of a model that was not opened."""
    return dict(found.card.get("signatures", {}))


def to_lines(report: Report) -> Iterator[str]:
    """The report for people, but for the reason why it cannot be served."""
    found = report.findings
    yield printable(str(report.path))
    yield from _facts(report)
    for name, signature in signatures(found).items():
        yield _line("signature", name)
        row_names = _row_names(found, name, signature)
        for kind in ("inputs", "outputs"):
            yield from (_tensor(kind, name, spec, name in row_names) for name, spec in signature[kind].items())
    yield from (
        _line("refused", f"{one['operator']}, in {one['where'] or 'the graph itself'}: {one['reason']}")
        for one in found.operators_refused
    )
    yield from _trial(found)
    if report.model_toml:
        yield _line("model.toml", f"{report.model_toml}{' (written now)' if report.is_toml_new else ''}")
    yield from (_line("note", warning) for warning in report.warnings)


def _facts(report: Report) -> Iterator[str]:
    facts = {
        "format": report.findings.format,
        "kind": report.findings.card.get("kind"),
        "saved by": report.findings.saved_by,
        "size": None if report.size_bytes is None else size_text(report.size_bytes),
        "sha256": report.sha256,
    }
    yield from (_line(label, value) for label, value in facts.items() if value)


def _trial(found: Findings) -> Iterator[str]:
    if found.dry_run is None:
        return
    yield _line("rows", _rows(found))
    run = found.dry_run
    rows = "1 row" if run["rows"] == 1 else f"{run['rows']} rows"
    memory = f"at most {size_text(run['memory_bytes'])} of memory beside TensorFlow's own"
    yield _line("dry run", f"passed: {run['ms']:.3g} ms for {rows}; {memory}, also for more rows")


def _rows(found: Findings) -> str:
    if found.rows is None:
        return "none: each job has a call of its own"
    inputs = ", ".join(found.rows["inputs"])
    if found.rows["only"] is not None:
        return f"exactly {found.rows['only']} on axis 0 of {inputs}: each job has calls of its own"
    most = found.card.get("batching", {}).get("max_batch_size", 1)
    shared = f"up to {most} share a call" if most > 1 else "sharing a call gains nothing on this machine"
    return f"any number on axis 0 of {inputs}; {shared}"


def _row_names(found: Findings, name: str, signature: Mapping[str, Any]) -> set[str]:
    """The inputs and outputs that have rows; of further signatures all that may have."""
    if found.rows is None:
        return set()
    if name == found.card["default_signature"]:
        return {*found.rows["inputs"], *found.rows["outputs"]}
    return {*signature["inputs"], *signature["outputs"]}


def _tensor(kind: str, name: str, spec: Mapping[str, Any], has_rows: bool) -> str:
    tensor = TensorSpec.from_json(spec)
    shape = "of any shape" if tensor.shape is None else shape_text(tensor.shape, has_rows)
    return _line(f"  {kind.removesuffix('s')}", f"{name}: {tensor.dtype} {shape}")


def _line(label: str, value: str) -> str:
    return f"{label:{LABEL_WIDTH}} {printable(value)}"


def printable(text: str) -> str:
    """The text without signs that a terminal would obey, as names come from files of strangers."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def size_text(size_bytes: int) -> str:
    """A size for people: `5.2 MB`, in powers of ten as file managers count."""
    size, unit = float(size_bytes), "bytes"
    for larger in ("kB", "MB", "GB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size_bytes} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
