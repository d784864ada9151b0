"""The client for threads and scripts."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, Unpack

from client.address import Address
from client.arrays import Answer
from client.bulk import Item, submitting_many
from client.driver import CONNECTIONS, TIMEOUT_S, Driver
from client.errors import ApiError
from client.following import following
from client.job import Job
from client.job_options import JobOptions, Options
from client.listing import JobFilters, listing
from client.map_options import MapOptions, check_rows
from client.procedures import Procedures, tell_nobody
from client.record import JobRecord
from client.retry import OnTrouble, Patience
from client.row_map import RowMap


class Celeriac:
    """Asks one server. Any number of threads may share it.

    A request that meets a server that is full, restarting or away is made again, with pauses that grow and as long as
    the patience lasts; a submission is the same job however often it is sent. Each method raises `ClientError`:
    `ApiError`, by status as `NotFound` or `TooManyJobs`, when the server refuses; `Unreachable` when none answers;
    `UnexpectedReply` when what answers is no Celeriac; `InputError` and `UnsendableError` before anything is sent.
    """

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
        """Prepare for a server; nothing is sent yet.

        Args:
            url: As http://HOST:PORT; None: `CELERIAC_URL`, or http://127.0.0.1:8000 where that is not set.
            api_key: Sent as a bearer token; None: `CELERIAC_API_KEY`, if that is set.
            timeout_s: The longest silence of the server that is taken for work, beyond long polls.
            connections: The most that are open at once.
            patience: How long to go on asking a server that is full or away; None: 60 s.
            on_trouble: Told the first trouble of each streak of them.

        Raises:
            AddressError: The URL or the key cannot be used.
        """
        self._driver = Driver(Address.of(url, api_key), timeout_s, connections)
        self._procedures = Procedures(self._driver.address.shown, patience or Patience(), on_trouble)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._driver.close()

    def patient(self, patience: Patience) -> Self:
        """The same client, with its connections, and another patience."""
        other = copy(self)
        other._procedures = replace(self._procedures, patience=patience)
        return other

    @property
    def url(self) -> str:
        """The server, without a password."""
        return self._procedures.url

    def submit(
        self,
        model: str,
        inputs: Any,
        *,
        version: int | str | None = None,
        content_type: str | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[Options],
    ) -> Job:
        """Submit one job; when this returns, the server has stored it durably.

        Args:
            model: Its name.
            inputs: See `client.inputs.encode`: an array or a mapping of arrays with rows on axis 0, the path or the
                bytes of a file, a PIL picture, a list of pictures, or plain values and texts in lists.
            version: Its number, or a label such as `stable`; None: the server chooses.
            content_type: What bytes or a file are; None: they say it themselves.
            idempotency_key: Calls with the same key are the same job; None: this call is a job of its own.
            options: See `client.job_options.JobOptions`.
        """
        wanted = JobOptions(**options)
        record = self._driver.run(
            self._procedures.submit(model, inputs, wanted, version, content_type, idempotency_key)
        )
        return self.job_of(record)

    def submit_many(
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
        """Submit many jobs in one request: the inputs' rows, `rows_per_job` to a job.

        Gives an item for each job with its record, or with the error for which it was refused. Jobs that were refused
        because the queue is full are submitted again as long as the patience lasts. The other arguments are those of
        `submit`.
        """
        wanted = JobOptions(**options)
        payload = self._driver.run(self._procedures.payload(model, inputs, content_type, wanted.signature))
        return self._driver.run(
            submitting_many(self._procedures, model, payload, wanted, rows_per_job, version, idempotency_key)
        )

    def map(
        self,
        model: str,
        rows: Iterable[Any],
        *,
        window: int = 64,
        rows_per_job: int = 1,
        arrays: bool | None = None,
        yield_errors: bool = False,
        version: int | str | None = None,
        **options: Unpack[Options],
    ) -> Generator[Any, None, None]:
        """The answers to any number of rows, in their order, as they are wanted.

        Jobs are submitted ahead of what is consumed, as many as the window has; rows are taken from the iterable, and
        results freed on the server, as it goes. An iterator that is closed early, or left by an error, cancels the
        jobs that it leaves; `contextlib.closing` closes it at once where a loop is left by `break`.

        Args:
            model: Its name.
            rows: Each an array without an axis for rows, a mapping of those by input, a picture (path, bytes or PIL),
                or plain values; texts where the model takes texts.
            window: The most jobs that are under way or wait to be consumed.
            rows_per_job: How many rows a job has.
            arrays: True: `Arrays`, without the axis of rows; False: documents (docs/http.md); None: documents of a
                classifier or detector, and the arrays of any other model.
            yield_errors: Give the error of a row in its place, a `ClientError`; else it is raised there.
            version: Of the model; None: the server chooses.
            options: See `client.job_options.JobOptions`.

        Raises:
            InputError: The window or `rows_per_job` is less than 1, or the rows are none.
        """
        check_rows(rows)
        chosen = MapOptions(model, window, rows_per_job, arrays, yield_errors, version, JobOptions(**options))
        return self._mapped(RowMap(self._procedures, chosen), iter(rows))

    def _mapped(self, row_map: RowMap, rows: Iterator[Any]) -> Generator[Any, None, None]:
        try:
            yield from self._driver.iterate(row_map.stream(), rows)
        finally:
            if not self._driver.is_closed:
                self._driver.run(row_map.leave())

    def get_job(self, job_id: str, wait_s: float = 0.0) -> Job:
        """A job that was submitted before; after waiting up to `wait_s` for its end."""
        return self.job_of(self._driver.run(self._procedures.wait(job_id, wait_s)))

    def follow(self, job_id: str) -> Iterator[JobRecord]:
        """A job's record as it is, then whenever its status or its place in the queue has changed; the last has ended.

        `body["queue_position"]` says how many jobs wait in front of it, `body["estimated_start_s"]` for how long.
        """
        return self._driver.iterate(following(self._procedures, job_id))

    def jobs(self, *, model: str | None = None, status: str | None = None, tag: str | None = None) -> Iterator[Job]:
        """One's own jobs, newest first, page by page as they are wanted."""
        filters = JobFilters(model, status, tag)
        return (self.job_of(record) for record in self._driver.iterate(listing(self._procedures, filters)))

    def query(self, job_ids: Sequence[str], wait_s: float = 0.0) -> dict[str, JobRecord | ApiError]:
        """The records of many jobs by id; in place of one that cannot be had, the error that says why.

        Args:
            job_ids: Asked for by 1,000 a request.
            wait_s: At most 60. The server holds the answer back so long, or until one of the first 1,000 ends.
        """
        return self._driver.run(self._procedures.query(job_ids, wait_s))

    def results(self, job_ids: Sequence[str], *, arrays: bool = True) -> dict[str, Answer]:
        """The results of many jobs by id, as `Arrays` or as documents; jobs that have none are left out."""
        return self._driver.run(self._procedures.results(job_ids, arrays))

    def free(self, job_ids: Sequence[str]) -> int:
        """Free the server's memory of the results of many jobs that have ended; how many those were."""
        return self._driver.run(self._procedures.free(job_ids))

    def models(self) -> list[Mapping[str, Any]]:
        """All models: names, statuses, versions, signatures, how much waits (docs/http.md)."""
        return self._driver.run(self._procedures.models())

    def model(self, model: str) -> Mapping[str, Any]:
        """One model."""
        return self._driver.run(self._procedures.model(model))

    def pause(self, model: str) -> Mapping[str, Any]:
        """Stop a model's queue: jobs are accepted and wait. The model as it is then."""
        return self._driver.run(self._procedures.pause(model))

    def resume(self, model: str) -> Mapping[str, Any]:
        """Let a model's queue go on. The model as it is then."""
        return self._driver.run(self._procedures.resume(model))

    def health(self) -> Mapping[str, Any]:
        """What `/healthz` says."""
        return self._driver.run(self._procedures.health())

    def job_of(self, record: JobRecord) -> Job:
        """A handle for a record that `query` or `submit_many` gave; nothing is asked."""
        return Job(record, self._driver, self._procedures)
