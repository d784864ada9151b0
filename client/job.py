"""A submitted job, to be asked about: `Job` for threads, `AsyncJob` for asyncio."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from client.arrays import Answer
from client.driver import AsyncDriver, Driver
from client.procedures import Procedures
from client.record import JobRecord


class _Known:
    """What is known of a job without asking: its record as it was when the server was last asked."""

    def __init__(self, record: JobRecord) -> None:
        self._record = record

    @property
    def id(self) -> str:
        """The job's id, also for `GET /v1/jobs/{id}`, Flower and the logs."""
        return self._record.id

    @property
    def model(self) -> str:
        """The model's name."""
        return self._record.model

    @property
    def status(self) -> str:
        """When the server was last asked: queued, running, succeeded, failed, cancelled or expired."""
        return self._record.status

    @property
    def is_finished(self) -> bool:
        """Whether the status, when the server was last asked, was one that never changes."""
        return self._record.is_finished

    @property
    def record(self) -> Mapping[str, Any]:
        """The whole record as the server told it last; its fields are in docs/http.md."""
        return self._record.body

    def require_result(self) -> None:
        """Return only when the job, when the server was last asked, had succeeded.

        Raises:
            JobUnfinished: It had not ended.
            JobFailed: It had ended without a result; the sentence says why.
        """
        self._record.require_result()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} of {self.model}: {self.status}>"


class Job(_Known):
    """A job of a `Celeriac`. Each method may raise `ClientError`."""

    def __init__(self, record: JobRecord, driver: Driver, procedures: Procedures) -> None:
        super().__init__(record)
        self._driver = driver
        self._procedures = procedures

    def refresh(self) -> Job:
        """Ask the server once; the job itself."""
        self._record = self._driver.run(self._procedures.job(self.id))
        return self

    def wait(self, timeout_s: float | None = None) -> Job:
        """Wait until the job has ended, or for so many seconds; the job itself, whose `status` says which."""
        if not self.is_finished:
            self._record = self._driver.run(self._procedures.wait(self.id, _limit_s(timeout_s)))
        return self

    def result(self, timeout_s: float | None = None, *, arrays: bool | None = None) -> Answer:
        """Wait for the job's end, and fetch its result.

        Args:
            timeout_s: Wait no longer than this; None: until it has ended.
            arrays: True: the model's outputs as `Arrays`; False: the document that the server makes of them
                (docs/http.md); None: the document of a classifier or detector, and the arrays of any other model.

        Raises:
            JobUnfinished: The time is over, and the job has not ended.
            JobFailed: It failed, was cancelled or expired; the sentence says why.
        """
        self.wait(timeout_s)
        return self._driver.run(self._procedures.result(self._record, arrays))

    def result_as(self, media_type: str, row: int | None = None) -> bytes:
        """The result in a form that the server offers, as it came: `image/png` is the drawing of an annotated job.

        Args:
            media_type: As in docs/http.md.
            row: Which drawing, of a job of several pictures, from 0.
        """
        return self._driver.run(self._procedures.result_bytes(self.id, media_type, row))

    def cancel(self) -> Job:
        """Cancel the job; the job itself.

        Raises:
            Conflict: It has ended already.
        """
        self._record = self._driver.run(self._procedures.cancel(self.id))
        return self

    def delete_result(self) -> None:
        """Free the server's memory of the result; the record stays."""
        self._driver.run(self._procedures.delete_result(self.id))


class AsyncJob(_Known):
    """A job of an `AsyncCeleriac`: the methods of `Job`, to be awaited."""

    def __init__(self, record: JobRecord, driver: AsyncDriver, procedures: Procedures) -> None:
        super().__init__(record)
        self._driver = driver
        self._procedures = procedures

    async def refresh(self) -> AsyncJob:
        """As `Job.refresh`."""
        self._record = await self._driver.run(self._procedures.job(self.id))
        return self

    async def wait(self, timeout_s: float | None = None) -> AsyncJob:
        """As `Job.wait`."""
        if not self.is_finished:
            self._record = await self._driver.run(self._procedures.wait(self.id, _limit_s(timeout_s)))
        return self

    async def result(self, timeout_s: float | None = None, *, arrays: bool | None = None) -> Answer:
        """As `Job.result`."""
        await self.wait(timeout_s)
        return await self._driver.run(self._procedures.result(self._record, arrays))

    async def result_as(self, media_type: str, row: int | None = None) -> bytes:
        """As `Job.result_as`."""
        return await self._driver.run(self._procedures.result_bytes(self.id, media_type, row))

    async def cancel(self) -> AsyncJob:
        """As `Job.cancel`."""
        self._record = await self._driver.run(self._procedures.cancel(self.id))
        return self

    async def delete_result(self) -> None:
        """As `Job.delete_result`."""
        await self._driver.run(self._procedures.delete_result(self.id))


def _limit_s(timeout_s: float | None) -> float:
    return inf if timeout_s is None else timeout_s
