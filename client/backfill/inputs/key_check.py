"""Whether keys are keys: that none stands in two rows, found in bounded memory however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from hashlib import blake2b
from itertools import islice
from tempfile import TemporaryFile
from typing import IO

import numpy as np

from client.errors import InputError
from client.npy import Array

#: 64 bits tell ten million keys apart: that two of them agree by chance has a probability of 3 in a million.
_HASH_BYTES = 8
#: Hashes are spread over files by their first bits; one file's are sorted at a time, 1.25 MB of ten million.
_BUCKET_BITS = 6
_PART = 65_536


def require_unique(keys: Callable[[], Iterable[str]], what: str) -> None:
    """Return when all keys differ. Takes 8 bytes of temporary disk for each, and about a microsecond.

    Args:
        keys: Goes through all of them in the order of the rows.
        what: What they are, for the sentence.

    Raises:
        InputError: Two rows have the same key; the sentence says which.
    """
    repeated = _repeated(iter(keys()))
    if not len(repeated):
        return
    seen: dict[str, int] = {}
    for row, key in enumerate(keys()):
        if _hash(key) not in repeated:
            continue
        if key in seen:
            rows = f"row {seen[key]} and in row {row}, counted from 0"
            raise InputError(f"{what} {key[:80]!r} stands in {rows}; each row needs its own.")
        seen[key] = row


def _repeated(keys: Iterator[str]) -> set[int]:
    """The hashes that come twice."""
    repeated: set[int] = set()
    with ExitStack() as files:
        buckets = [files.enter_context(TemporaryFile()) for _ in range(1 << _BUCKET_BITS)]
        while part := list(islice(keys, _PART)):
            hashes = np.array(list(map(_hash, part)), np.uint64)
            for number, bucket in enumerate(buckets):
                hashes[hashes >> (64 - _BUCKET_BITS) == number].tofile(bucket)
        for bucket in buckets:
            repeated.update(_twice(bucket))
            if repeated:
                break
    return repeated


def _twice(bucket: IO[bytes]) -> list[int]:
    bucket.seek(0)
    hashes: Array = np.sort(np.fromfile(bucket, np.uint64))
    twice: list[int] = np.unique(hashes[1:][hashes[1:] == hashes[:-1]]).tolist()
    return twice


def _hash(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=_HASH_BYTES).digest(), "little")
