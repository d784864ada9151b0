"""Bytes made from whole files by cutting, flipping and repeating, for tests of who reads bytes from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

#: Sizes and offsets that formats do not expect.
_WORDS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x80")
#: Headers are at the beginning, a zip's directory is at the end.
_PLACES = st.one_of(st.integers(0, 200), st.integers(-150, -1), st.integers(0, 100_000))


class Blow(NamedTuple):
    """One piece of damage: what is done, where, to how many bytes, and with which bytes."""

    kind: str
    place: int
    size: int
    filler: bytes


_BLOWS = st.builds(
    Blow,
    st.sampled_from(["flip", "overwrite", "insert", "cut", "end", "repeat"]),
    _PLACES,
    st.integers(1, 40),
    st.one_of(st.sampled_from(_WORDS), st.binary(min_size=1, max_size=8)),
)


def damaged(wholes: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """One of the files, with up to four blows; with none it is whole."""
    return st.builds(_strike, st.sampled_from(wholes), st.lists(_BLOWS, max_size=4))


def _strike(data: bytes, blows: Sequence[Blow]) -> bytes:
    for blow in blows:
        data = _struck(data, blow, blow.place % max(len(data), 1))
    return data


def _struck(data: bytes, blow: Blow, start: int) -> bytes:
    before, hit, after = data[:start], data[start : start + blow.size], data[start + blow.size :]
    match blow.kind:
        case "flip":
            return before + bytes(byte ^ (blow.filler[0] or 1) for byte in hit[:1]) + hit[1:] + after
        case "overwrite":
            return before + blow.filler + data[start + len(blow.filler) :]
        case "insert":
            return before + blow.filler + hit + after
        case "cut":
            return before + after
        case "end":
            return before
        case _:
            return before + hit * (1 + blow.size) + after
