from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.callbacks.url import CallbackUrl, UrlRefused, parse_url


@pytest.mark.parametrize(
    ("text", "host", "port", "target", "authority"),
    [
        ("https://hooks.example", "hooks.example", 443, "/", "hooks.example"),
        ("HTTPS://Hooks.Example./a/b?c=d&e", "hooks.example", 443, "/a/b?c=d&e", "hooks.example"),
        ("http://hooks.example:80/", "hooks.example", 80, "/", "hooks.example"),
        ("https://hooks.example:8443/%20?", "hooks.example", 8443, "/%20", "hooks.example:8443"),
        ("https://[2001:DB8::1]:9/x", "2001:db8::1", 9, "/x", "[2001:db8::1]:9"),
        ("https://[2001:db8::1]/x", "2001:db8::1", 443, "/x", "[2001:db8::1]"),
        ("http://10_0.internal?a", "10_0.internal", 80, "/?a", "10_0.internal"),
    ],
)
def test_a_url_is_taken_apart(text: str, host: str, port: int, target: str, authority: str) -> None:
    url = parse_url(text)
    assert (url.host, url.port, url.target, url.authority) == (host, port, target, authority)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("https://a.example/" + "x" * 2048, "2066 characters"),
        ("https://a.example/ä", "character"),
        ("https://a.example/a b", "character"),
        ("https://a.example/\r\nHost: b", "character"),
        ("https://a.example\\@b.example/", "character"),
        ("ftp://a.example/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("//a.example/", "scheme"),
        ("a.example", "scheme"),
        ("https://user:pass@a.example/", "credentials"),
        ("https://@a.example/", "credentials"),
        ("https://a.example/#part", "fragment"),
        ("https:///path", "without a host"),
        ("https://:443/path", "without a host"),
        ("https://a..example/", "without a host"),
        ("https://a.example:0x50/", "taken apart"),
        ("https://a.example:99999/", "taken apart"),
        ("https://[::1/", "taken apart"),
        ("https://[fe80::1%25eth0]/", "host"),
    ],
)
def test_what_is_no_url_of_a_receiver_is_refused_and_not_repeated(text: str, said: str) -> None:
    with pytest.raises(UrlRefused, match=said) as refusal:
        parse_url(text)
    assert "example/" not in str(refusal.value) and "pass" not in str(refusal.value)


def test_a_url_does_not_show_its_path() -> None:
    assert "token" not in repr(parse_url("https://a.example/token?token=token"))


@given(st.text(max_size=40) | st.text("htps:/[]@?#.%:a0-", max_size=40).map("http://".__add__))
def test_whatever_comes_is_refused_or_fits_into_a_request_line(text: str) -> None:
    try:
        url: CallbackUrl = parse_url(text)
    except UrlRefused:
        return
    assert url.host and 0 <= url.port < 65_536
    assert url.target.startswith("/") and url.target.isascii()
    assert not set(url.target + url.authority) & set(" \r\n\t")
