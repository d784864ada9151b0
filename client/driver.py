"""The two that talk to the network: each performs the steps of procedures, one with threads, one with asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import aclosing, closing
from typing import Any, TypeVar

import httpx

from client.address import CONNECT_TIMEOUT_S, Address
from client.call import Call
from client.errors import ClientError
from client.listening import AsyncListening, Listening
from client.steps import END, Emit, Hear, Listen, Pause, Steps, Stream, Take

_Answer = TypeVar("_Answer")

#: For the server's own work on a request, beyond what it holds back on purpose.
TIMEOUT_S = 30.0
#: As many requests at once go over connections of their own; more wait for one.
CONNECTIONS = 16

#: What httpx raises of itself, and for a header that is no text.
_TROUBLES = (httpx.HTTPError, UnicodeEncodeError)


def _request(call: Call, timeout_s: float) -> dict[str, Any]:
    # No limit of time for getting one of the connections: those before may be long polls.
    timeout = httpx.Timeout(timeout_s + call.held_s, connect=CONNECT_TIMEOUT_S, pool=None)
    return {
        "method": call.method,
        "url": call.path,
        "params": call.params,
        "headers": call.headers,
        "content": call.content,
        "timeout": timeout,
    }


def _limits(connections: int) -> httpx.Limits:
    return httpx.Limits(max_connections=connections, max_keepalive_connections=connections)


def _read(reply: httpx.Response) -> httpx.Response:
    # All of it is here. httpx's own stream refers back to the reply, so that both bodies would stay in memory until the
    # garbage collector comes by, and large bodies bring it no sooner.
    reply.stream = httpx.ByteStream(b"")
    return reply


class Driver:
    """Performs steps in the thread that asks; any number of threads may ask at once."""

    def __init__(self, address: Address, timeout_s: float, connections: int) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._client = httpx.Client(base_url=address.url, headers=address.headers, limits=_limits(connections))

    @property
    def is_closed(self) -> bool:
        """Whether the connections are closed for good."""
        return self._client.is_closed

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def run(self, steps: Steps[_Answer]) -> _Answer:
        """A procedure's answer.

        Raises:
            ClientError: What the procedure raises.
        """
        reply, trouble = None, None
        while True:
            try:
                step = steps.send(reply) if trouble is None else steps.throw(trouble)
            except StopIteration as end:
                answer: _Answer = end.value
                return answer
            reply, trouble = self._perform(step)

    def iterate(self, stream: Stream, rows: Iterator[Any] | None = None) -> Iterator[Any]:
        """What a stream emits, as it is wanted; it takes the rows one by one."""
        reply, trouble = None, None
        with closing(Listening(self._client)) as listening:
            while True:
                try:
                    step = stream.send(reply) if trouble is None else stream.throw(trouble)
                except StopIteration:
                    return
                reply, trouble = None, None
                if isinstance(step, Emit):
                    yield step.value
                elif isinstance(step, Take):
                    reply = END if rows is None else next(rows, END)
                elif isinstance(step, Listen | Hear):
                    reply, trouble = self._listen(listening, step)
                else:
                    reply, trouble = self._perform(step)

    def _listen(
        self, listening: Listening, step: Listen | Hear
    ) -> tuple[httpx.Response | bytes | None, ClientError | None]:
        try:
            if isinstance(step, Hear):
                return listening.hear(), None
            return listening.begin(**_request(step.call, self._timeout_s)), None
        except _TROUBLES as error:
            return None, self.address.trouble(error)

    def _perform(self, step: Call | Pause) -> tuple[httpx.Response | None, ClientError | None]:
        if isinstance(step, Pause):
            time.sleep(step.for_s)
            return None, None
        try:
            return _read(self._client.request(**_request(step, self._timeout_s))), None
        except _TROUBLES as error:
            return None, self.address.trouble(error)


class AsyncDriver:
    """Performs steps in the running event loop."""

    def __init__(self, address: Address, timeout_s: float, connections: int) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(base_url=address.url, headers=address.headers, limits=_limits(connections))

    @property
    def is_closed(self) -> bool:
        """Whether the connections are closed for good."""
        return self._client.is_closed

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def run(self, steps: Steps[_Answer]) -> _Answer:
        """As `Driver.run`."""
        reply, trouble = None, None
        while True:
            try:
                step = steps.send(reply) if trouble is None else steps.throw(trouble)
            except StopIteration as end:
                answer: _Answer = end.value
                return answer
            reply, trouble = await self._perform(step)

    async def iterate(self, stream: Stream, rows: AsyncIterator[Any] | None = None) -> AsyncGenerator[Any, None]:
        """As `Driver.iterate`."""
        reply, trouble = None, None
        async with aclosing(AsyncListening(self._client)) as listening:
            while True:
                try:
                    step = stream.send(reply) if trouble is None else stream.throw(trouble)
                except StopIteration:
                    return
                reply, trouble = None, None
                if isinstance(step, Emit):
                    yield step.value
                elif isinstance(step, Take):
                    reply = END if rows is None else await anext(rows, END)
                elif isinstance(step, Listen | Hear):
                    reply, trouble = await self._listen(listening, step)
                else:
                    reply, trouble = await self._perform(step)

    async def _listen(
        self, listening: AsyncListening, step: Listen | Hear
    ) -> tuple[httpx.Response | bytes | None, ClientError | None]:
        try:
            if isinstance(step, Hear):
                return await listening.hear(), None
            return await listening.begin(**_request(step.call, self._timeout_s)), None
        except _TROUBLES as error:
            return None, self.address.trouble(error)

    async def _perform(self, step: Call | Pause) -> tuple[httpx.Response | None, ClientError | None]:
        if isinstance(step, Pause):
            await asyncio.sleep(step.for_s)
            return None, None
        try:
            return _read(await self._client.request(**_request(step, self._timeout_s))), None
        except _TROUBLES as error:
            return None, self.address.trouble(error)


async def each(rows: Iterable[Any] | AsyncIterable[Any]) -> AsyncGenerator[Any, None]:
    """The rows of either kind of iterable."""
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
    else:
        for row in rows:
            yield row
