from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.api_keys import find_key, hash_key, parse_api_keys

MANUAL = Path(__file__).parents[2] / "docs" / "http.md"
HEX = hashlib.sha256(b"s3cret").hexdigest()


def test_a_key_and_its_hash_are_kept_alike_and_never_the_key() -> None:
    hashes = parse_api_keys(f"ann:s3cret, bob:k:2,,carl:sha256:{HEX[::-1].upper()}")
    assert hashes == {"ann": bytes.fromhex(HEX), "bob": hash_key(b"k:2"), "carl": bytes.fromhex(HEX[::-1])}
    assert parse_api_keys(f"ann:sha256:{HEX}") == parse_api_keys("ann:s3cret")


def test_a_hash_is_no_key() -> None:
    hashes = parse_api_keys(f"ann:sha256:{HEX}")
    assert find_key(hashes, b"s3cret") == "ann"
    for wrong in (HEX.encode(), f"sha256:{HEX}".encode(), bytes.fromhex(HEX), b"", b"s3cre", b"s3cret "):
        assert find_key(hashes, wrong) is None, wrong


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("s3cret", "an entry lacks one"),
        (":s3cret", "an entry lacks one"),
        ("s3cret:", "an entry lacks one"),
        ("ann:s3cret1,ann:s3cret2", "an owner twice"),
        (f"ann:s3cret,bob:sha256:{HEX}", "two owners the same key"),
        ("ann:sha256:s3cret", "64 hexadecimal digits"),
        (f"ann:sha256:{HEX}0", "64 hexadecimal digits"),
        ("ann:sha256:" + "²" * 64, "64 hexadecimal digits"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_without_repeating_them(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refusal:
        parse_api_keys(text)
    assert "s3cret" not in str(refusal.value)


def test_the_manuals_command_makes_a_key_and_its_hash() -> None:
    command = next(line for line in MANUAL.read_text().splitlines() if line.startswith("$ python3 -c"))
    code = command.partition("'")[2].rpartition("'")[0]
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    key, kept = said.split()
    assert len(key) >= 43
    assert find_key(parse_api_keys(f"ann:{kept}"), key.encode()) == "ann"
