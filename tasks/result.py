"""A job's result as bytes, in up to three parts of one Redis hash, and its JSON form.

| part | content |
|---|---|
| `outputs` | the model's outputs, an uncompressed `.npz` with a member for each |
| `answer` | JSON: what the model's kind makes of them, `{"labels": …}` or `{"detections": …}`, if any |
| `annotated` | PNG: the picture with its detections drawn; only for jobs sent with `annotate` |
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from tasks.payload import Arrays, write_npz

#: Redis takes no value above 512 MB (proto-max-bulk-len), and cuts the connection of who sends one.
MAX_RESULT_BYTES = 268_435_456

OUTPUTS = "outputs"
ANSWER = "answer"
ANNOTATED = "annotated"


def encode_result(outputs: Arrays, answer: Mapping[str, Any] | None, annotated: bytes | None) -> dict[str, bytes]:
    """A result's parts. `answer` is None for plain tensors, `annotated` when nothing was to be drawn."""
    parts = {OUTPUTS: write_npz(outputs)}
    if answer is not None:
        parts[ANSWER] = orjson.dumps(answer)
    if annotated is not None:
        parts[ANNOTATED] = annotated
    return parts


def result_json(parts: Mapping[str, bytes]) -> dict[str, Any]:
    """A result for JSON: `{"detections": …}`, or `{"outputs": {name: array}}` with `labels` for a classifier.

    The arrays are numpy's, for a serializer that knows them. JSON has no NaN and no infinity: `orjson` writes null.
    """
    answer: dict[str, Any] = orjson.loads(parts[ANSWER]) if ANSWER in parts else {}
    if "detections" in answer:
        return answer
    with np.load(io.BytesIO(parts[OUTPUTS]), allow_pickle=False) as archive:
        outputs = {name: _jsonable(archive[name]) for name in archive.files}
    return {"outputs": outputs, **answer}


def only_output(parts: Mapping[str, bytes]) -> bytes | None:
    """The one output as `.npy`; None when there are several."""
    with zipfile.ZipFile(io.BytesIO(parts[OUTPUTS])) as archive:
        names = archive.namelist()
        return archive.read(names[0]) if len(names) == 1 else None


def _jsonable(array: np.ndarray[Any, Any]) -> Any:
    # orjson takes contiguous native numbers and booleans with at least one dimension; the rest goes the slow way.
    if array.ndim and array.dtype.kind in "biuf" and array.flags.c_contiguous and array.dtype.isnative:
        return array
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8", "replace").tolist()
    if array.dtype.kind == "c":
        return np.stack([array.real, array.imag], axis=-1)
    return array.tolist()
