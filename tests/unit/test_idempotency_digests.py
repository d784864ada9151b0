from __future__ import annotations

import pytest

from api.errors import InvalidHeader
from api.idempotency import check_key, key_digest, request_digest
from api.parameters import Parameters
from tasks.job import Lane

REQUEST = ("2", "application/json", Parameters(), b"{}")


@pytest.mark.parametrize("key", ["a", "k" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "!~,;="])
def test_a_key_of_visible_ascii_is_taken_as_it_is(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize(
    ("key", "got"),
    [
        ("", "none"),
        ("k" * 256, "256 characters"),
        ("a b", "another character"),
        ("ä", "another character"),
        ("a\t", "another character"),
    ],
)
def test_another_key_is_refused_naming_the_header_and_not_the_key(key: str, got: str) -> None:
    with pytest.raises(InvalidHeader, match=got) as refusal:
        check_key(key)
    assert refusal.value.field == "Idempotency-Key"
    assert not key or key not in str(refusal.value)


def test_a_key_means_something_for_one_owner_and_one_model_alone() -> None:
    digests = {
        key_digest(*scope) for scope in [("ann", "m", "k"), ("bob", "m", "k"), ("ann", "n", "k"), ("", "m", "k")]
    }
    assert len(digests) == 4
    assert key_digest("annm", "", "k") != key_digest("ann", "m", "k")


@pytest.mark.parametrize(
    "other",
    [
        (None, *REQUEST[1:]),
        ("3", *REQUEST[1:]),
        ("2", "application/x-npy", *REQUEST[2:]),
        (*REQUEST[:2], Parameters(lane=Lane.BULK), b"{}"),
        (*REQUEST[:2], Parameters(min_score=0.0), b"{}"),
        (*REQUEST[:2], Parameters(signature="predict"), b"{}"),
        (*REQUEST[:2], Parameters(callback_url="https://hooks.example/"), b"{}"),
        (*REQUEST[:3], b"{ }"),
        (*REQUEST[:3], b""),
    ],
)
def test_whatever_of_a_request_is_another_makes_another_digest(
    other: tuple[str | None, str, Parameters, bytes],
) -> None:
    assert request_digest(*REQUEST) == request_digest("2", "application/json", Parameters(), b"{}")
    assert request_digest(*other) != request_digest(*REQUEST)
