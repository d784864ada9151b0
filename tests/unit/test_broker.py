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
