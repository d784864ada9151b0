"""Opens and tries a model in a process of its own: `python -m tasks.inspection.child SUBJECT RESULT`.

Each step is told in a line of JSON before it begins, so that a file that crashes this process is known by it. What
TensorFlow and the model print does not matter.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_store.errors import ModelStoreError, Untrusted
from model_store.spec import ModelSpec, parse_spec
from model_store.store import StoredModel
from model_store.trust.store_links import refuse_links_outside
from tasks.inspection.findings import DONE, FAILED, IMPORTING, LOADING, READING, RUNNING
from tasks.inspection.subject import Subject

if TYPE_CHECKING:
    from model_store.model import Model

# Linux tells of a process what it has in memory and the most it had, and forgets that at a "5" (man 5 proc).
STATUS, RESET, RESET_PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs"), "5"

Tell = Callable[..., None]


def main() -> None:
    """Inspect the subject of the first argument, and write what is found to the file of the second."""
    values = json.loads(sys.argv[1])
    subject = Subject(Path(values["path"]), Path(values["folder"]), values["version"])
    with Path(sys.argv[2]).open("w", encoding="utf-8", buffering=1) as file:

        def tell(step: str, **found: Any) -> None:
            file.write(json.dumps({"step": step, **found}) + "\n")

        _volunteer_for_lack_of_memory()
        _inspect(subject, tell)


def _volunteer_for_lack_of_memory() -> None:
    """Where the machine's memory does not suffice, Linux shall end this process and no other."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _inspect(subject: Subject, tell: Tell) -> None:
    tell(IMPORTING)
    # TensorFlow takes seconds, and this process must have said by then that it lives.
    from model_store.saved_by import saved_by

    tell(READING, format=subject.format)
    try:
        refuse_links_outside(subject.linked_folder, subject.root)
        spec = _spec(subject)
        tell(LOADING, saved_by=saved_by(subject.path))
        _try_out(subject, spec, tell)
    except ModelStoreError as error:
        operators = {"operators_refused": error.operators} if isinstance(error, Untrusted) else {}
        tell(FAILED, reason=_one_line(str(error)), is_refused=isinstance(error, Untrusted), **operators)
    # A file can make the libraries that read it raise anything.
    except Exception as error:
        tell(FAILED, reason=_one_line(f"{subject.path} cannot be opened: {type(error).__name__}: {error}"))


def _spec(subject: Subject) -> ModelSpec:
    file = subject.spec_file
    return ModelSpec() if file is None else parse_spec(file.read_text(encoding="utf-8"), file)


def _try_out(subject: Subject, spec: ModelSpec, tell: Tell) -> None:
    from model_store.device import place

    place(spec.device)
    with suppress(OSError):
        RESET.write_text(RESET_PEAK)
    before_bytes = _memory_bytes("VmRSS")
    model = _open(subject, spec, tell)
    tell(RUNNING, format=model.format, card=model.describe())
    call_ms = model.warm_up()
    signature = model.signature
    rows = {"inputs": sorted(signature.row_inputs), "outputs": sorted(model.row_outputs), "only": signature.fixed_rows}
    tell(
        DONE,
        card=model.describe(),
        rows=rows if signature.row_inputs else None,
        dry_run={
            "ms": round(call_ms, 3),
            "rows": signature.fixed_rows or 1,
            "memory_bytes": max(0, _memory_bytes("VmHWM") - before_bytes),
        },
    )


def _open(subject: Subject, spec: ModelSpec, tell: Tell) -> Model:
    """Open the model. One that is trusted is first opened as if it were not, to know what it brings."""
    from model_store.loader import open_model

    stored = StoredModel(subject.path.stem, subject.version or 0, subject.path, subject.folder)
    if spec.trusted_sha256:
        try:
            return open_model(stored, replace(spec, trusted_sha256=()))
        except Untrusted as error:
            tell(LOADING, operators_refused=error.operators)
    return open_model(stored, spec)


def _memory_bytes(name: str) -> int:
    """A number of this process that the kernel keeps; 0 on systems that have no such file."""
    try:
        found = re.search(rf"^{name}:\s*(\d+) kB", STATUS.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main()
