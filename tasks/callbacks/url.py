"""A callback's URL, taken apart; pure. Its errors repeat nothing of it, since it may hold secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

MAX_CHARACTERS = 2048

PORTS = {"http": 80, "https": 443}

#: RFC 3986, section 2. Nothing else goes into a request line or a header.
_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")


class UrlRefused(Exception):
    """A URL cannot be a callback's, or not here; the text says what it has that it may not have."""


@dataclass(frozen=True)
class CallbackUrl:
    """Where a callback goes to.

    Attributes:
        scheme: `http` or `https`.
        host: A name in lower case or an IP address, without brackets.
        port: Of the host.
        target: Path and query, as they stand in the request line.
    """

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)

    @property
    def authority(self) -> str:
        """What the header `Host` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def parse_url(text: str) -> CallbackUrl:
    """Take a URL apart.

    Raises:
        UrlRefused: it is none, or has a part that a callback's must not have.
    """
    if len(text) > MAX_CHARACTERS:
        raise UrlRefused(f"one of {len(text)} characters")
    if not _CHARACTERS.fullmatch(text):
        raise UrlRefused("one with a character that no URL has" if text else "an empty one")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UrlRefused("one that cannot be taken apart") from None
    if parts.scheme not in PORTS:
        raise UrlRefused("one with another scheme")
    if "@" in parts.netloc:
        raise UrlRefused("one with credentials in it")
    if "#" in text:
        raise UrlRefused("one with a fragment")
    # Behind % is one of this machine's interfaces.
    if "%" in host or (":" not in host and not _NAME.fullmatch(host)):
        raise UrlRefused("one without a host's name")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return CallbackUrl(parts.scheme, host.removesuffix("."), PORTS[parts.scheme] if port is None else port, target)
