"""Strings of bytes as the API's arrays have them."""

from __future__ import annotations

from client.npy import Array


def byte_strings(array: Array) -> list[bytes]:
    """The strings of an array as the API sends them: of bytes, or with two fields, the length and the padded bytes."""
    flat = array.ravel()
    if array.dtype.names:
        length, content = array.dtype.names
        pairs = zip(flat[content].tolist(), flat[length].tolist(), strict=True)
        return [string.ljust(size, b"\0") for string, size in pairs]
    return [string if isinstance(string, bytes) else str(string).encode() for string in flat.tolist()]
