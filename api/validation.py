"""A request's input -> what is stored for the worker, checked against the model's signature. Pure.

Whatever the signature can tell is found here, so that it never reaches a worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from api.errors import InvalidBody
from api.request_body import json_kind
from model_store.errors import InvalidInput, PictureError
from model_store.json_arrays import array_from_json, is_base64
from model_store.pictures.decoding import read_picture_header
from model_store.signature import Signature, TensorSpec, check_inputs
from tasks.payload import MAX_DIMENSIONS, Arrays, encode_arrays, read_headers
from tasks.picture_list import PICTURES, pack_pictures

#: Of one job. They are decoded together.
MAX_PICTURES = 64


@dataclass(frozen=True)
class Input:
    """A checked input as it is stored: its content type, its bytes, its number of rows."""

    content_type: str
    payload: bytes
    rows: int


def check_job_pictures(files: Sequence[bytes], max_pixels: int, signature: Signature) -> Input:
    """A job's picture or pictures; raises what `check_picture` and `check_pictures` do."""
    if len(files) == 1 and signature.fixed_rows in (None, 1):
        return check_picture(files[0], max_pixels)
    return check_pictures(files, max_pixels, signature)


def check_picture(data: bytes, max_pixels: int) -> Input:
    """A picture; its content type is judged by its bytes.

    Raises:
        PictureError: no picture, a damaged one, or one with more than `max_pixels`.
    """
    picture_format, _, _ = read_picture_header(data, max_pixels)
    return Input(f"image/{picture_format.lower()}", data, rows=1)


def check_pictures(files: Sequence[bytes], max_pixels: int, signature: Signature) -> Input:
    """Several pictures; each is checked as one is.

    Raises:
        PictureError: one is no picture or damaged, or all together have more than `max_pixels`.
        InvalidInput: more than a job may have, or another number than the model takes.
    """
    if len(files) > MAX_PICTURES:
        raise InvalidInput("image", f"at most {MAX_PICTURES} pictures in one job", f"{len(files)}")
    if signature.fixed_rows not in (None, 1, len(files)):
        raise InvalidInput("image", f"{signature.fixed_rows} pictures, as many as the model takes", f"{len(files)}")
    pixels = 0
    for row, data in enumerate(files):
        try:
            _, width, height = read_picture_header(data, max_pixels)
        except PictureError as error:
            raise PictureError(f"Picture {row}, counted from 0: {error}") from None
        pixels += width * height
    if pixels > max_pixels:
        raise PictureError(
            f"The {len(files)} pictures have {pixels} pixels together, and at most {max_pixels} are taken in one job; "
            "send fewer or smaller ones."
        )
    return Input(PICTURES, pack_pictures(files), len(files))


def check_arrays(content_type: str, data: bytes, signature: Signature, max_bytes: int) -> Input:
    """Arrays as `.npy` or `.npz`; only their headers are read.

    Raises:
        InvalidInput: a damaged payload, pickled objects, arrays that do not fit the signature, or that need more than
            `max_bytes` once unpacked.
    """
    headers = read_headers(content_type, data, signature, max_bytes)
    return Input(content_type, data, check_inputs(signature, headers))


def check_json(document: Mapping[str, Any], signature: Signature, max_bytes: int) -> Input:
    """Arrays in JSON: `instances`, a list of rows, or `inputs`, a tensor or an object of tensors by name.

    Raises:
        InvalidBody: not exactly one of the two.
        InvalidInput: values that do not fit the signature, or that need more than `max_bytes` as arrays.
    """
    given = [name for name in ("instances", "inputs") if name in document]
    if len(given) != 1:
        raise InvalidBody("body", "exactly one of instances and inputs", " and ".join(given) or "none of them")
    field = given[0]
    tensors = (_columns if field == "instances" else _by_name)(document[field], signature)
    arrays, rows = _read_tensors(tensors, signature, field)
    return encode_input(arrays, rows, field, max_bytes)


def read_row(row: Any, signature: Signature) -> Arrays:
    """One row in JSON, as arrays of one row; of inputs that have no rows the arrays as they are.

    Args:
        row: its value, where the model has one input, or an object with the value of each input.
        signature: of the model.

    Raises:
        InvalidInput: values that do not fit the signature.
    """
    values = _by_name(row, signature)
    tensors = {name: [value] if name in signature.row_inputs else value for name, value in values.items()}
    return _read_tensors(tensors, signature.for_any_rows, "inputs")[0]


def encode_input(arrays: Arrays, rows: int, field: str, max_bytes: int) -> Input:
    """Arrays as a job's input.

    Raises:
        InvalidInput: they need more than `max_bytes`.
    """
    content_type, payload = encode_arrays(arrays)
    if len(payload) > max_bytes:
        raise InvalidInput(field, f"at most {max_bytes} bytes as arrays", f"{len(payload)} bytes")
    return Input(content_type, payload, rows)


def _read_tensors(tensors: Mapping[str, Any], signature: Signature, field: str) -> tuple[Arrays, int]:
    arrays = {name: _array(tensors[name], spec, f"{field}.{name}") for name, spec in signature.inputs.items()}
    return arrays, _check_fit(arrays, signature, field)


def _by_name(value: Any, signature: Signature) -> Mapping[str, Any]:
    if isinstance(value, dict) and not _is_bytes(value, signature):
        _check_names(value, signature, "inputs")
        return value
    if len(signature.inputs) != 1:
        names = ", ".join(signature.inputs)
        raise InvalidInput("inputs", f"an object with the names {names}", f"a JSON {json_kind(value)}")
    return {next(iter(signature.inputs)): value}


def _columns(instances: Any, signature: Signature) -> Mapping[str, Any]:
    """Rows turned into one list for each input."""
    if not isinstance(instances, list):
        raise InvalidInput("instances", "a list of rows", f"a JSON {json_kind(instances)}")
    if not instances:
        raise InvalidInput("instances", "at least 1 row", "0 rows")
    rowless = [name for name in signature.inputs if name not in signature.row_inputs]
    if rowless:
        expected = f"the form `inputs`, since {', '.join(rowless)} has no rows"
        raise InvalidInput("instances", expected, "the form `instances`")
    is_row = not isinstance(instances[0], dict) or _is_bytes(instances[0], signature)
    if len(signature.inputs) == 1 and is_row:
        return {next(iter(signature.inputs)): instances}
    return _columns_of_objects(instances, signature)


def _is_bytes(value: Any, signature: Signature) -> bool:
    """Whether an object is a string's bytes, and not one with the names of inputs."""
    return is_base64(value) and "b64" not in signature.inputs


def _columns_of_objects(instances: Sequence[Any], signature: Signature) -> Mapping[str, Any]:
    for index, row in enumerate(instances):
        field = f"instances[{index}]"
        if not isinstance(row, dict):
            names = ", ".join(signature.inputs)
            raise InvalidInput(field, f"an object with the names {names}", f"a JSON {json_kind(row)}")
        _check_names(row, signature, field)
    return {name: [row[name] for row in instances] for name in signature.inputs}


def _check_names(given: Mapping[str, Any], signature: Signature, field: str) -> None:
    if given.keys() == signature.inputs.keys():
        return
    expected = f"the names {', '.join(signature.inputs)}"
    unknown = [name for name in given if name not in signature.inputs]
    if unknown:
        raise InvalidInput(field, expected, f"an unknown name {unknown[0][:80]!r}")
    missing = next(name for name in signature.inputs if name not in given)
    raise InvalidInput(field, expected, f"nothing for {missing!r}")


def _array(value: Any, spec: TensorSpec, field: str) -> np.ndarray[Any, Any]:
    depth, first = 0, value
    while isinstance(first, list) and first:
        depth, first = depth + 1, first[0]
    if depth > MAX_DIMENSIONS:
        raise InvalidInput(field, f"lists nested at most {MAX_DIMENSIONS} deep", f"{depth} deep")
    return array_from_json(value, spec, field)


def _check_fit(arrays: Arrays, signature: Signature, field: str) -> int:
    headers = {name: TensorSpec.of(array) for name, array in arrays.items()}
    try:
        return check_inputs(signature, headers)
    except InvalidInput as error:
        # It speaks of inputs; what came may have been instances.
        raise InvalidInput(error.field.replace("inputs", field, 1), error.expected, error.got) from None
