"""A job's result as bytes, in the parts of one Redis hash, and its forms for clients.

| part | content |
|---|---|
| `output:0:scores` | the model's output `scores`, the first in order, as `.npy`; one such part for each output |
| `answer` | JSON: what the model's kind makes of them, `{"labels": …}` or `{"detections": …}`, if any |
| `annotated` | PNG: the picture of the first row with its detections drawn; only for jobs sent with `annotate` |
| `annotated:1` | PNG: the same of row 1, and so on |
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from model_store.byte_strings import unpack
from tasks.npy import decode_npy, encode_npy
from tasks.payload import Arrays, pack_npz

#: Redis takes no value above 512 MB (proto-max-bulk-len), and cuts the connection of who sends one.
MAX_RESULT_BYTES = 268_435_456

OUTPUT = "output:"
ANSWER = "answer"
ANNOTATED = "annotated"


def encode_result(
    outputs: Arrays, answer: Mapping[str, Any] | None = None, annotated: Sequence[bytes] = ()
) -> dict[str, bytes]:
    """A result's parts. `answer` is None for plain tensors, `annotated` is empty when nothing was to be drawn."""
    # A Redis hash keeps no order, so a part's name says which output it is.
    parts = {f"{OUTPUT}{index}:{name}": encode_npy(array) for index, (name, array) in enumerate(outputs.items())}
    if answer is not None:
        parts[ANSWER] = orjson.dumps(answer)
    return parts | {f"{ANNOTATED}:{row}" if row else ANNOTATED: png for row, png in enumerate(annotated)}


def result_json(parts: Mapping[str, bytes]) -> dict[str, Any]:
    """A result for JSON: `{"detections": …}`, or `{"outputs": {name: array}}` with `labels` for a classifier.

    The arrays are numpy's, for a serializer that knows them. JSON has no NaN and no infinity: `orjson` writes null.
    """
    answer: dict[str, Any] = orjson.loads(parts[ANSWER]) if ANSWER in parts else {}
    if "detections" in answer:
        return answer
    return {"outputs": {name: _jsonable(decode_npy(npy)) for name, npy in _outputs(parts).items()}, **answer}


def result_npz(parts: Mapping[str, bytes]) -> bytes:
    """The outputs as an uncompressed `.npz`, with a member for each."""
    return pack_npz(_outputs(parts))


def results_npz(results: Mapping[str, Mapping[str, bytes]]) -> bytes:
    """The outputs of many jobs, by job id, as one uncompressed `.npz` with the members `{id}/{output}`."""
    return pack_npz(
        {f"{job_id}/{name}": npy for job_id, parts in results.items() for name, npy in _outputs(parts).items()}
    )


def only_output(parts: Mapping[str, bytes]) -> bytes | None:
    """The one output as `.npy`; None when there are several."""
    outputs = list(_outputs(parts).values())
    return outputs[0] if len(outputs) == 1 else None


def drawn_pictures(parts: Mapping[str, bytes]) -> list[bytes]:
    """The PNG of each row, in their order; empty when nothing was drawn."""
    names = (part.partition(":") for part in parts)
    rows = sorted(int(row or 0) for name, _, row in names if name == ANNOTATED)
    return [parts[f"{ANNOTATED}:{row}" if row else ANNOTATED] for row in rows]


def _outputs(parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """The `.npy` of each output by its name, in the model's order."""
    found = []
    for part, npy in parts.items():
        if part.startswith(OUTPUT):
            index, _, name = part.removeprefix(OUTPUT).partition(":")
            found.append((int(index), name, npy))
    return {name: npy for _, name, npy in sorted(found)}


def _jsonable(array: np.ndarray[Any, Any]) -> Any:
    # orjson takes contiguous native numbers and booleans with at least one dimension; the rest goes the slow way.
    if array.ndim and array.dtype.kind in "biuf" and array.flags.c_contiguous and array.dtype.isnative:
        return array
    if array.dtype.kind in "SV":
        return _strings(unpack(array).tolist())
    if array.dtype.kind == "c":
        return np.stack([array.real, array.imag], axis=-1)
    return array.tolist()


def _strings(nested: Any) -> Any:
    """Text as it is, and other bytes as JSON can have them: `{"b64": …}`, as TensorFlow Serving writes them."""
    if isinstance(nested, list):
        return [_strings(item) for item in nested]
    try:
        return nested.decode()
    except UnicodeDecodeError:
        return {"b64": b64encode(nested).decode()}
