"""API keys as they are kept: the SHA-256 hash of each under its owner's name, never the key itself. Pure.

A hash without salt and rounds is enough for keys of 128 random bits or more; docs/http.md shows how to make one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

#: Owner's name to the 32 bytes of a key's hash.
KeyHashes = Mapping[str, bytes]

_HASH_MARK = "sha256:"
_HASH = re.compile(r"[0-9A-Fa-f]{64}")


def parse_api_keys(text: str) -> KeyHashes:
    """The hashes from `name:key,name:sha256:HEX`; HEX is a key's SHA-256 in 64 hexadecimal digits.

    Raises:
        ValueError: an entry lacks name or key, a hash is none, or an owner or a key comes twice. The sentence says what
            is expected and repeats nothing of the text, which holds secrets.
    """
    pairs = [entry.strip().partition(":") for entry in text.split(",") if entry.strip()]
    if not all(name and key for name, _, key in pairs):
        raise ValueError("is expected as name:key,name:key; an entry lacks one.")
    hashes = {name: _hash_of_entry(key) for name, _, key in pairs}
    if len(hashes) < len(pairs):
        raise ValueError("names an owner twice; give each key a name of its own.")
    if len(set(hashes.values())) < len(hashes):
        raise ValueError("gives two owners the same key; give each a key of its own.")
    return hashes


def hash_key(key: bytes) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key).digest()


def find_key(hashes: KeyHashes, key: bytes) -> str | None:
    """The name of the owner of a key; None when it is nobody's.

    It is compared with every owner's, and by hash: the time that it takes tells nothing of how near it came.
    """
    if not key:
        return None
    given = hash_key(key)
    matching = [name for name, kept in hashes.items() if hmac.compare_digest(kept, given)]
    return matching[0] if matching else None


def _hash_of_entry(key: str) -> bytes:
    if not key.startswith(_HASH_MARK):
        return hash_key(key.encode())
    digits = key.removeprefix(_HASH_MARK)
    if not _HASH.fullmatch(digits):
        raise ValueError("has an entry name:sha256:HEX whose HEX is not 64 hexadecimal digits.")
    if bytes.fromhex(digits) == hash_key(b""):
        raise ValueError("has an entry name:sha256:HEX whose HEX is the hash of an empty key.")
    return bytes.fromhex(digits)
