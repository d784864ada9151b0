"""The client for asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from copy import copy
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, Unpack

from client.address import Address
from client.arrays import Answer
from client.bulk import Item, submitting_many
from client.driver import CONNECTIONS, TIMEOUT_S, AsyncDriver, each
from client.errors import ApiError
from client.following import following
from client.job import AsyncJob
from client.job_options import JobOptions, Options
from client.listing import JobFilters, listing
from client.map_options import MapOptions, check_rows
from client.procedures import Procedures, tell_nobody
from client.record import JobRecord
from client.retry import OnTrouble, Patience
from client.row_map import RowMap


class AsyncCeleriac:
    """The methods of `Celeriac`, to be awaited in one event loop; arguments, answers and errors are the same."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        connections: int = CONNECTIONS,
        patience: Patience | None = None,
        on_trouble: OnTrouble = tell_nobody,
    ) -> None:
        """As `Celeriac`."""
        self._driver = AsyncDriver(Address.of(url, api_key), timeout_s, connections)
        self._procedures = Procedures(self._driver.address.shown, patience or Patience(), on_trouble)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._driver.close()

    def patient(self, patience: Patience) -> Self:
        """The same client, with its connections, and another patience."""
        other = copy(self)
        other._procedures = replace(self._procedures, patience=patience)
        return other

    @property
    def url(self) -> str:
        """The server, without a password."""
        return self._procedures.url

    async def submit(
        self,
        model: str,
        inputs: Any,
        *,
        version: int | str | None = None,
        content_type: str | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[Options],
    ) -> AsyncJob:
        """As `Celeriac.submit`."""
        wanted = JobOptions(**options)
        record = await self._driver.run(
            self._procedures.submit(model, inputs, wanted, version, content_type, idempotency_key)
        )
        return self.job_of(record)

    async def submit_many(
        self,
        model: str,
        inputs: Any,
        *,
        rows_per_job: int = 1,
        version: int | str | None = None,
        content_type: str | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[Options],
    ) -> list[Item]:
        """As `Celeriac.submit_many`."""
        wanted = JobOptions(**options)
        payload = await self._driver.run(self._procedures.payload(model, inputs, content_type, wanted.signature))
        return await self._driver.run(
            submitting_many(self._procedures, model, payload, wanted, rows_per_job, version, idempotency_key)
        )

    def map(
        self,
        model: str,
        rows: Iterable[Any] | AsyncIterable[Any],
        *,
        window: int = 64,
        rows_per_job: int = 1,
        arrays: bool | None = None,
        yield_errors: bool = False,
        version: int | str | None = None,
        **options: Unpack[Options],
    ) -> AsyncGenerator[Any, None]:
        """As `Celeriac.map`, for `async for`; the rows may come from an async iterator too."""
        check_rows(rows)
        chosen = MapOptions(model, window, rows_per_job, arrays, yield_errors, version, JobOptions(**options))
        return self._mapped(RowMap(self._procedures, chosen), each(rows))

    async def _mapped(self, row_map: RowMap, rows: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
        try:
            async with aclosing(rows), aclosing(self._driver.iterate(row_map.stream(), rows)) as answers:
                async for answer in answers:
                    yield answer
        finally:
            if not self._driver.is_closed:
                await self._driver.run(row_map.leave())

    async def get_job(self, job_id: str, wait_s: float = 0.0) -> AsyncJob:
        """As `Celeriac.get_job`."""
        return self.job_of(await self._driver.run(self._procedures.wait(job_id, wait_s)))

    def follow(self, job_id: str) -> AsyncIterator[JobRecord]:
        """As `Celeriac.follow`; for `async for`."""
        return self._driver.iterate(following(self._procedures, job_id))

    async def jobs(
        self, *, model: str | None = None, status: str | None = None, tag: str | None = None
    ) -> AsyncIterator[AsyncJob]:
        """As `Celeriac.jobs`; for `async for`."""
        filters = JobFilters(model, status, tag)
        async for record in self._driver.iterate(listing(self._procedures, filters)):
            yield self.job_of(record)

    async def query(self, job_ids: Sequence[str], wait_s: float = 0.0) -> dict[str, JobRecord | ApiError]:
        """As `Celeriac.query`."""
        return await self._driver.run(self._procedures.query(job_ids, wait_s))

    async def results(self, job_ids: Sequence[str], *, arrays: bool = True) -> dict[str, Answer]:
        """As `Celeriac.results`."""
        return await self._driver.run(self._procedures.results(job_ids, arrays))

    async def free(self, job_ids: Sequence[str]) -> int:
        """As `Celeriac.free`."""
        return await self._driver.run(self._procedures.free(job_ids))

    async def models(self) -> list[Mapping[str, Any]]:
        """As `Celeriac.models`."""
        return await self._driver.run(self._procedures.models())

    async def model(self, model: str) -> Mapping[str, Any]:
        """As `Celeriac.model`."""
        return await self._driver.run(self._procedures.model(model))

    async def pause(self, model: str) -> Mapping[str, Any]:
        """As `Celeriac.pause`."""
        return await self._driver.run(self._procedures.pause(model))

    async def resume(self, model: str) -> Mapping[str, Any]:
        """As `Celeriac.resume`."""
        return await self._driver.run(self._procedures.resume(model))

    async def health(self) -> Mapping[str, Any]:
        """As `Celeriac.health`."""
        return await self._driver.run(self._procedures.health())

    def job_of(self, record: JobRecord) -> AsyncJob:
        """As `Celeriac.job_of`."""
        return AsyncJob(record, self._driver, self._procedures)
