from __future__ import annotations

from typing import Any

import pytest
from kombu import Connection
from redis.connection import parse_url

from tasks.errors import SettingsError
from tasks.redis_url import RedisUrl, parse_redis_url


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("redis://", RedisUrl("redis", (("localhost", 6379),), 0)),
        ("redis://h:1/2", RedisUrl("redis", (("h", 1),), 2)),
        ("redis://:p%40ss@h", RedisUrl("redis", (("h", 6379),), 0, None, "p@ss")),
        ("redis://ann:p@[::1]:7/3", RedisUrl("redis", (("::1", 7),), 3, "ann", "p")),
        ("rediss://h/1", RedisUrl("rediss", (("h", 6379),), 1, tls={"ssl_cert_reqs": "required"})),
        (
            "rediss://h?ssl_cert_reqs=CERT_NONE&ssl_ca_certs=/a%20b/ca.pem&ssl_check_hostname=False",
            RedisUrl(
                "rediss",
                (("h", 6379),),
                0,
                tls={"ssl_cert_reqs": "none", "ssl_ca_certs": "/a b/ca.pem", "ssl_check_hostname": False},
            ),
        ),
        ("sentinel://h", RedisUrl("sentinel", (("h", 26379),), 0)),
        (
            "sentinel://:p@h:1;sentinel://i;sentinel://j:3/4",
            RedisUrl("sentinel", (("h", 1), ("i", 26379), ("j", 3)), 4, None, "p"),
        ),
    ],
)
def test_a_url_is_taken_apart_and_put_together_again(text: str, wanted: RedisUrl) -> None:
    assert parse_redis_url(text) == wanted
    assert parse_redis_url(wanted.for_celery()) == wanted


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begins otherwise"),
        ("localhost:6379", "begins otherwise"),
        ("http://localhost", "begins otherwise"),
        ("unix:///run/pa55word.sock", "begins otherwise"),
        ("redis:pa55word", "begins otherwise"),
        ("redis://:pa55word@h:port/0", "port"),
        ("redis://:pa55word@h:70000/0", "port"),
        ("redis://:pa55word@h/zero", "database"),
        ("redis://:pa55word@h/1/2", "database"),
        ("redis://:1#pa55word@h/0", "written as %23"),
        ("redis://:1?pa55word@h/0", "takes none"),
        ("redis://:pa55word@[h/0", "host"),
        ("redis://:pa55word@h\u2100/0", "host"),
        ("redis://:pa55word@h?db=1", "takes none"),
        ("rediss://:pa55word@h?ssl_min_version=2", "takes ssl_cert_reqs"),
        ("rediss://:pa55word@h?ssl_cert_reqs=maybe", "required, optional or none"),
        ("rediss://:pa55word@h?ssl_check_hostname=1", "true or false"),
        ("redis://:pa55word@h;redis://i", "Only sentinels"),
        ("sentinel://:pa55word@h;i:1", "Only sentinels"),
        ("sentinel://:pa55word@h;sentinel://:other@i", "different passwords"),
        ("sentinel://:pa55word@h/1;sentinel://i/2", "different databases"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_a_reason_and_not_repeated(text: str, why: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL is expected as redis://HOST:PORT/DB, rediss://") as refusal:
        parse_redis_url(text)
    assert why in str(refusal.value)
    assert "pa55word" not in str(refusal.value)


def test_the_password_is_not_shown() -> None:
    assert "pa55word" not in repr(parse_redis_url("redis://:pa55word@h/0"))


@pytest.mark.parametrize("text", ["redis://ann:p%2F%40;@h:1/2", "redis://:p@[::1]:7", "rediss://h/1"])
def test_kombu_and_redis_py_understand_the_url_for_celery_alike(text: str) -> None:
    url = parse_redis_url(text.replace(";", "%3B")).for_celery()
    theirs: dict[str, Any] = parse_url(url)
    kombus = Connection(url)
    assert (kombus.hostname, kombus.port, int(kombus.virtual_host)) == (theirs["host"], theirs["port"], theirs["db"])
    assert kombus.password == theirs.get("password")
    assert kombus.userid == theirs.get("username")


def test_tls_is_verified_by_kombu_too_unless_the_url_says_otherwise() -> None:
    assert Connection(parse_redis_url("rediss://h").for_celery()).ssl["ssl_cert_reqs"].name == "CERT_REQUIRED"
    unchecked = Connection(parse_redis_url("rediss://h?ssl_cert_reqs=none&ssl_check_hostname=false").for_celery()).ssl
    assert unchecked["ssl_cert_reqs"].name == "CERT_NONE"
    assert unchecked["ssl_check_hostname"] is False


def test_each_sentinel_of_kombus_url_has_password_and_database() -> None:
    url = parse_redis_url("sentinel://:p@h:1;sentinel://i:2/4").for_celery()
    assert url == "sentinel://:p@h:1/4;sentinel://:p@i:2/4"
