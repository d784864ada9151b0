from __future__ import annotations

from pathlib import Path

import pytest

from tasks.api_keys import parse_api_keys
from tasks.errors import SettingsError
from tasks.settings import describe, read_settings


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = read_settings({})
    assert (settings.port, settings.host, settings.redis_url) == (8000, "127.0.0.1", "")
    assert settings.model_store == Path("models")
    assert settings.api_keys == {}
    assert settings.gpu is None


def test_values_are_read_with_their_types() -> None:
    settings = read_settings(
        {"PORT": " 81 ", "CELERIAC_API_KEYS": "ann:k1, bob:k:2", "CELERIAC_GPU": "0", "CELERIAC_VAR": "/v"}
    )
    assert settings.port == 81
    assert settings.api_keys == parse_api_keys("ann:k1,bob:k:2")
    assert settings.gpu == 0
    assert settings.var == Path("/v")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "eighty"),
        ("PORT", "0"),
        ("PORT", "70000"),
        ("CELERIAC_RESULT_TTL_S", "1.5"),
        ("CELERIAC_API_KEYS", "ann"),
        ("CELERIAC_API_KEYS", "ann:1,ann:2"),
        ("CELERIAC_FLOWER_BASIC_AUTH", "ann:"),
        ("CELERIAC_KEY_PREFIX", "{one}"),
        ("CELERIAC_KEY_PREFIX", "one two"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings({name: text})


def test_a_refusal_never_repeats_a_secret() -> None:
    for name in ("CELERIAC_API_KEYS", "CELERIAC_FLOWER_BASIC_AUTH"):
        with pytest.raises(SettingsError) as refusal:
            read_settings({name: "topsecret"})
        assert "topsecret" not in str(refusal.value)


def test_no_secret_is_shown_with_the_settings() -> None:
    secrets = {
        "REDIS_URL": "redis://ann:r3dis@host/0",
        "CELERIAC_API_KEYS": "ann:k3y",
        "CELERIAC_FLOWER_BASIC_AUTH": "ann:fl0wer",
    }
    settings = read_settings(secrets | {"PORT": "81"})
    assert "port=81" in repr(settings)
    assert not [secret for secret in ("r3dis", "k3y", "fl0wer") if secret in f"{settings} {settings!r}"]
    assert "k3y" not in str(settings.api_keys), "the key itself is kept"


def test_every_default_lies_in_its_own_range() -> None:
    for description, default in describe():
        if description.low is not None and default is not None:
            assert description.low <= default <= description.high
