from __future__ import annotations

import hashlib

import pytest

from api.auth import find_owner
from tasks.api_keys import parse_api_keys

KEYS = parse_api_keys("ann:secret-a,bob:sécret-b")


def test_no_key_is_nobodys_whatever_the_settings_hold() -> None:
    assert find_owner({"ann": hashlib.sha256(b"").digest()}, "", "") is None
    with pytest.raises(ValueError, match="the hash of an empty key"):
        parse_api_keys(f"ann:sha256:{hashlib.sha256(b'').hexdigest()}")


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "owner"),
    [
        ("Bearer secret-a", "", "ann"),
        ("bearer  secret-a ", "", "ann"),
        ("", "secret-a", "ann"),
        ("Basic abc", "secret-a", "ann"),
        ("", "sécret-b".encode().decode("latin-1"), "bob"),
        ("", "", None),
        ("Bearer", "", None),
        ("Bearer secret", "", None),
        ("Bearer secret-a2", "", None),
        ("Bearer wrong", "secret-a", None),
        ("Basic secret-a", "", None),
        ("", "ann", None),
        ("", "κλειδί", None),
    ],
)
def test_a_key_tells_its_owner_and_nothing_else_does(authorization: str, x_api_key: str, owner: str | None) -> None:
    assert find_owner(KEYS, authorization, x_api_key) == owner
