"""An answer that is read part by part as it comes, for a stream that a driver performs: one at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx


class Listening:
    """Reads in the thread that asks. Raises what httpx raises."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._reply: httpx.Response | None = None
        self._parts: Iterator[bytes] = iter(())

    def begin(self, **request: Any) -> httpx.Response:
        """The reply to a request, read whole only where it is a refusal."""
        self.close()
        self._reply = self._client.send(self._client.build_request(**request), stream=True)
        if not self._reply.is_success:
            self._reply.read()
        self._parts = self._reply.iter_bytes()
        return self._reply

    def hear(self) -> bytes:
        """The next part, once there is one; nothing at the end."""
        return next(self._parts, b"")

    def close(self) -> None:
        """Do not read on."""
        if self._reply is not None:
            self._reply.close()


class AsyncListening:
    """Reads in the running event loop."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._reply: httpx.Response | None = None
        self._parts: AsyncIterator[bytes] | None = None

    async def begin(self, **request: Any) -> httpx.Response:
        """As `Listening.begin`."""
        await self.aclose()
        self._reply = await self._client.send(self._client.build_request(**request), stream=True)
        if not self._reply.is_success:
            await self._reply.aread()
        self._parts = self._reply.aiter_bytes()
        return self._reply

    async def hear(self) -> bytes:
        """As `Listening.hear`."""
        return b"" if self._parts is None else await anext(self._parts, b"")

    async def aclose(self) -> None:
        """As `Listening.close`."""
        if self._reply is not None:
            await self._reply.aclose()
