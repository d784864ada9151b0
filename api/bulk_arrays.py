"""The rows of `.npy` and `.npz` as the items of a bulk request. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from api.bulk_item import Item, check_count, other_number
from api.validation import Input
from model_store.signature import Signature, check_inputs
from tasks.payload import Arrays, decode_arrays, encode_arrays, read_headers


def cut_arrays(
    content_type: str, data: bytes, signature: Signature, rows_per_job: int, max_bytes: int
) -> Iterator[Item]:
    """Arrays cut along axis 0; inputs that have no rows go whole with each job.

    Args:
        content_type: `NPY` or `NPZ`.
        data: the body.
        signature: of the model.
        rows_per_job: the last job may have fewer.
        max_bytes: a compressed `.npz` may not hold more.

    Raises:
        InvalidInput: damaged, too large once unpacked, or no row of it fits the signature.
        InvalidBody: too many jobs.
    """
    rows = check_inputs(signature.for_any_rows, read_headers(content_type, data, signature, max_bytes))
    check_count(-(-rows // rows_per_job), "jobs")
    return _cut(decode_arrays(content_type, data, signature), signature, rows, rows_per_job)


def _cut(arrays: Arrays, signature: Signature, rows: int, rows_per_job: int) -> Iterator[Item]:
    for first in range(0, rows, rows_per_job):
        part = slice(first, first + rows_per_job)
        count = len(range(rows)[part])
        if error := other_number("inputs", signature, count):
            yield Item(first, count, error)
            continue
        cut = {name: array[part] if name in signature.row_inputs else array for name, array in arrays.items()}
        content_type, payload = encode_arrays(cut)
        yield Item(first, count, Input(content_type, payload, count))
