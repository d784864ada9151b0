"""Where a server is and who asks it: its URL and the API key, checked before anything is sent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from client.errors import AddressError, ClientError, Unreachable, UnsendableError

DEFAULT_URL = "http://127.0.0.1:8000"
URL_VARIABLE = "CELERIAC_URL"
API_KEY_VARIABLE = "CELERIAC_API_KEY"

CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Address:
    """A server's address.

    Attributes:
        url: Where requests go, with a password if one was given.
        headers: What says who asks.
        shown: The URL for sentences, without a password.
    """

    url: httpx.URL
    headers: Mapping[str, str]
    shown: str

    @classmethod
    def of(cls, url: str | None = None, api_key: str | None = None) -> Address:
        """The address of a URL and a key; what is None is read from `CELERIAC_URL` and `CELERIAC_API_KEY`.

        Raises:
            AddressError: One of them cannot be used.
        """
        parsed = _parsed(os.environ.get(URL_VARIABLE) or DEFAULT_URL if url is None else url)
        key = os.environ.get(API_KEY_VARIABLE) if api_key is None else api_key
        shown = str(parsed.copy_with(username=None, password=None)).rstrip("/")
        return cls(parsed, _headers(key), shown)

    def trouble(self, error: Exception) -> ClientError:
        """The sentence for an error of a connection to here, or of a request that cannot be written as HTTP."""
        if isinstance(error, httpx.HTTPError) and not isinstance(error, httpx.LocalProtocolError):
            return self._unreachable(error)
        return UnsendableError("An option holds characters that are no text, or no header can carry.")

    def _unreachable(self, error: httpx.HTTPError) -> Unreachable:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            reason = _reason(error)
            return Unreachable(f"No Celeriac at {self.shown}: {reason}; start it with `make up` or set CELERIAC_URL.")
        if isinstance(error, httpx.TimeoutException):
            return Unreachable(f"{self.shown} did not answer in time; is its machine overloaded?")
        return Unreachable(f"The connection to {self.shown} was lost: {_reason(error)}; is it restarting?")


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise AddressError(f"A server's URL is expected as http://HOST:PORT or https://HOST; got {url!r}.")
    return parsed


def _headers(api_key: str | None) -> dict[str, str]:
    key = (api_key or "").strip()
    if not (key.isascii() and key.isprintable()):
        # The sentence must not repeat the key.
        raise AddressError("The API key holds a character that no key has; copy it again.")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection within {CONNECT_TIMEOUT_S:g} s"
    # The operating system's text is "[Errno 111] Connection refused".
    text = str(error).rpartition("] ")[2].strip(". ")
    return text[:1].lower() + text[1:] if text else type(error).__name__
