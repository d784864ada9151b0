"""Several pictures as one payload: how many there are, the length of each, then their files one after the other.

Numbers are unsigned, 8 bytes, little-endian. The API writes it and a worker of the same release reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from model_store.errors import InvalidInput

#: The content type of such a payload, in job records only; clients send a form.
PICTURES = "multipart/form-data"

_NUMBER_BYTES = 8


def pack_pictures(files: Sequence[bytes]) -> bytes:
    """One payload of several pictures' files."""
    numbers = [len(files), *map(len, files)]
    return b"".join([*(number.to_bytes(_NUMBER_BYTES, "little") for number in numbers), *files])


def unpack_pictures(payload: bytes) -> list[bytes]:
    """The reverse of `pack_pictures`.

    Raises:
        InvalidInput: the payload is damaged.
    """
    count = int.from_bytes(payload[:_NUMBER_BYTES], "little")
    start = _NUMBER_BYTES * (1 + count)
    if not count or start > len(payload):
        raise InvalidInput("image", "a whole list of pictures", "a damaged one")
    lengths = [
        int.from_bytes(payload[at : at + _NUMBER_BYTES], "little") for at in range(_NUMBER_BYTES, start, _NUMBER_BYTES)
    ]
    ends = list(accumulate(lengths, initial=start))
    if ends[-1] != len(payload):
        raise InvalidInput("image", "a whole list of pictures", "a damaged one")
    return [payload[first:end] for first, end in pairwise(ends)]
