"""A network before a test's server that forgets connections: both ends think that they are open, and nothing comes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator


class HalfOpenProxy:
    """Forwards connections from a port of its own, until it is told to forget those that it has.

    Attributes:
        port: Where it listens, on loopback.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._loop = asyncio.new_event_loop()
        self._copies: set[asyncio.Task[None]] = set()
        # Both ends of what was forgotten: collected as garbage, they would be closed.
        self._kept: list[asyncio.StreamWriter] = []
        self._server = self._loop.run_until_complete(asyncio.start_server(self._forward, "127.0.0.1", 0))
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._thread = threading.Thread(target=self._loop.run_forever, name="half-open proxy", daemon=True)
        self._thread.start()

    def forget(self) -> int:
        """Forward nothing more on the connections of now, and close none; returns how many they are."""
        return asyncio.run_coroutine_threadsafe(self._forget(), self._loop).result(10)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            writer.close()
            return
        self._kept += [writer, there_writer]
        for source, target in ((reader, there_writer), (there_reader, writer)):
            copy = asyncio.create_task(_copy(source, target))
            self._copies.add(copy)
            copy.add_done_callback(self._copies.discard)

    async def _forget(self) -> int:
        copies = list(self._copies)
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)
        return len(copies) // 2

    async def _close(self) -> None:
        self._server.close()
        await self._forget()
        for writer in self._kept:
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # Cancelled, it closes nothing.
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.contextmanager
def half_open_proxy(server_port: int) -> Iterator[HalfOpenProxy]:
    proxy = HalfOpenProxy(server_port)
    try:
        yield proxy
    finally:
        proxy.close()
