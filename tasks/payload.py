"""A job's input as bytes: `.npy` for one array, `.npz` for several, or a picture as it came.

The API reads only headers (`read_headers`) and writes arrays that came as JSON (`encode_arrays`); the worker decodes
(`decode_arrays`). Formats: numpy.lib.format, versions 1.0 to 3.0; a `.npz` is a zip archive of `.npy` members.
Pickled objects are never read.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np

from model_store.byte_strings import unpack
from model_store.errors import InvalidInput
from model_store.signature import Signature, TensorSpec
from tasks.npy import decode_npy, encode_npy

NPY = "application/x-npy"
NPZ = "application/x-npz"
ARRAY_TYPES = (NPY, NPZ)

#: What an array of numpy's can have (NPY_MAXDIMS and intp, numpy 2.0).
MAX_DIMENSIONS = 64
MAX_SIZE = 2**63 - 1

#: Of a `.npz`; more than any model has inputs. zipfile makes an object of each before anybody can count them, of 67 MB
#: 1.3 million.
MAX_MEMBERS = 10_000
#: With it begins each entry of a zip's directory (PKWARE's APPNOTE 4.3.12).
_MEMBER_MARK = b"PK\x01\x02"

Arrays = Mapping[str, "np.ndarray[Any, Any]"]


def encode_arrays(arrays: Arrays) -> tuple[str, bytes]:
    """One array as `.npy`, several or none as an uncompressed `.npz`.

    Returns:
        Content type and bytes.
    """
    if len(arrays) != 1:
        return NPZ, write_npz(arrays)
    return NPY, encode_npy(next(iter(arrays.values())))


def write_npz(arrays: Arrays) -> bytes:
    """An uncompressed `.npz`; unlike numpy.savez it takes any names, `file` and `allow_pickle` too."""
    return pack_npz({name: encode_npy(array) for name, array in arrays.items()})


def pack_npz(members: Mapping[str, bytes]) -> bytes:
    """An uncompressed `.npz` of arrays that are `.npy` bytes already, by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, npy in members.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), npy)
    return buffer.getvalue()


def read_headers(
    content_type: str, data: bytes, signature: Signature, max_unpacked_bytes: int
) -> dict[str, TensorSpec]:
    """Dtype and shape of each array in a payload, by input name, without unpacking the arrays.

    Args:
        content_type: `NPY` or `NPZ`.
        data: the payload.
        signature: gives a single `.npy` its input's name.
        max_unpacked_bytes: a compressed `.npz` may not hold more than this.

    Raises:
        InvalidInput: pickled objects, a truncated or damaged file, more than `max_unpacked_bytes` or `MAX_MEMBERS`.
    """
    if content_type == NPY:
        field = "inputs." + _only_input(signature)
        return {_only_input(signature): _read_header(io.BytesIO(data), len(data), field)}
    if data.count(_MEMBER_MARK) > MAX_MEMBERS:
        raise InvalidInput("inputs", f"a .npz archive of at most {MAX_MEMBERS} arrays", "one of more")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read_members(archive, max_unpacked_bytes)
    except InvalidInput:
        raise
    # Damage makes zipfile, the decompressors and numpy's header parser raise a dozen unrelated kinds.
    except Exception:
        raise InvalidInput("inputs", "a .npz archive", "a damaged archive, or none") from None


def decode_arrays(content_type: str, data: bytes, signature: Signature) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a payload by input name; they may be read-only. For payloads that `read_headers` has accepted.

    Raises:
        InvalidInput: the payload is damaged.
    """
    try:
        if content_type == NPY:
            return {_only_input(signature): unpack(decode_npy(data))}
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: unpack(archive[name]) for name in archive.files}
    except (InvalidInput, MemoryError):
        raise
    except Exception:
        raise InvalidInput("inputs", f"a whole {content_type} payload", "a damaged one") from None


def _only_input(signature: Signature) -> str:
    if len(signature.inputs) != 1:
        names = ", ".join(signature.inputs) or "none"
        raise InvalidInput("inputs", f"{NPZ} with the arrays {names}", f"{NPY}, which holds one array")
    return next(iter(signature.inputs))


def _read_members(archive: zipfile.ZipFile, max_unpacked_bytes: int) -> dict[str, TensorSpec]:
    members = archive.infolist()
    unpacked_bytes = sum(member.file_size for member in members)
    if unpacked_bytes > max_unpacked_bytes:
        raise InvalidInput("inputs", f"at most {max_unpacked_bytes} bytes unpacked", f"{unpacked_bytes} bytes")
    headers: dict[str, TensorSpec] = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name in headers:
            raise InvalidInput(f"inputs.{name[:80]}", "one array", "two of the same name")
        with archive.open(member) as file:
            headers[name] = _read_header(file, member.file_size, f"inputs.{name[:80]}")
    return headers


def _read_header(file: Any, size_bytes: int, field: str) -> TensorSpec:
    start = file.tell()
    try:
        shape, dtype = _parse_header(file)
    except Exception:
        raise InvalidInput(field, "a .npy array", "a damaged one, or none") from None
    if dtype.hasobject:
        raise InvalidInput(field, "an array of numbers or strings", "pickled Python objects, which are never read")
    if dtype.kind not in "biufcSU":
        raise InvalidInput(field, "an array of numbers or strings", f"dtype {str(dtype)[:80]}")
    if len(shape) > MAX_DIMENSIONS or not all(0 <= size <= MAX_SIZE for size in shape):
        raise InvalidInput(field, f"at most {MAX_DIMENSIONS} sizes from 0 to {MAX_SIZE}", "another shape")
    expected_bytes = math.prod(shape) * dtype.itemsize
    data_bytes = size_bytes - (file.tell() - start)
    if data_bytes != expected_bytes:
        raise InvalidInput(field, f"{expected_bytes} bytes of data after the header", f"{data_bytes} bytes")
    return TensorSpec("string" if dtype.kind in "SU" else dtype.name, shape)


def _parse_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    length = file.read(2 if version == (1, 0) else 4)
    return _parse_description(version, length + file.read(int.from_bytes(length, "little")))


# numpy compiles the description as Python: for a small array that takes longer than all else, and most requests to a
# model bring the same one. numpy takes none above 10,000 characters (`max_header_size`), so the cache stays small.
@lru_cache(256)
def _parse_description(version: tuple[int, int], described: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(described))
    else:
        # 2.0 has a longer header and 3.0 writes it in UTF-8; numpy has a public reader for 2.0 only, and the two
        # differ in nothing that an array of numbers or strings can have.
        shape, _, dtype = np.lib.format.read_array_header_2_0(io.BytesIO(described))
    return shape, dtype
