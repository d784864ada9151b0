"""What a user installs beside their own code: an HTTP client and the command `celeriac`."""

from __future__ import annotations

from client.async_celeriac import AsyncCeleriac
from client.celeriac import Celeriac

__all__ = ["AsyncCeleriac", "Celeriac"]
