from __future__ import annotations

import pytest

from tasks.broker import connect
from tasks.errors import SettingsError


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://:pa55word@localhost:port/0"])
def test_a_url_that_is_no_redis_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL is expected") as caught:
        connect(url)
    assert "pa55word" not in str(caught.value)


def test_a_redis_url_is_not_connected_to() -> None:
    connect("redis://192.0.2.1:1/0").close()


def test_what_a_url_says_reaches_the_client_whatever_its_form() -> None:
    for url in ("redis://ann:p%40ss@h:1/2", "rediss://ann:p%40ss@h:1/2", "sentinel://ann:p%40ss@h:1;sentinel://i/2"):
        client = connect(url)
        wanted = {"username": "ann", "password": "p@ss", "db": 2}
        assert wanted.items() <= client.get_connection_kwargs().items()
        client.close()
