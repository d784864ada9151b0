"""A backfill from what a user asks to what it came to."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

from client.async_celeriac import AsyncCeleriac
from client.backfill.beginning import begin_or_resume
from client.backfill.checkpoint import Checkpoint
from client.backfill.chunk import RowChunk
from client.backfill.course import Course
from client.backfill.fit import Fit
from client.backfill.inputs.opening import open_source
from client.backfill.journal import Journal
from client.backfill.order import Order, bounds, pinned_version
from client.backfill.output_files import OutputFiles
from client.backfill.progress import Progress
from client.backfill.recorder import Recorder
from client.backfill.request import Request
from client.backfill.run import Parts, Run
from client.backfill.run_state import RunState
from client.backfill.source import Source
from client.backfill.summary import EXIT_STOPPED, Summary
from client.backfill.tally import Tally
from client.celeriac import Celeriac
from client.errors import ClientError
from client.procedures import has_documents
from client.retry import OnTrouble, Patience

#: A backfill runs overnight: a server that is away is waited for, until somebody has come to work.
PATIENCE = Patience(total_s=86_400.0, longest_pause_s=5.0)

#: To begin with somebody is there, and may have mistyped the URL.
FIRST_PATIENCE = Patience(total_s=15.0)

_SHOW_EVERY_S = 0.125

#: Among so many rows there is one that says whether the input has pictures or arrays.
_LOOKED_AT_ROWS = 1000


@dataclass(frozen=True)
class Server:
    """Where the server is, and who asks it."""

    url: str | None
    api_key: str | None


@dataclass(frozen=True)
class Prepared:
    """A backfill that can begin.

    Attributes:
        request: What was asked for.
        server: Of whom.
        card: The model as the server tells it.
        order: What each job is to be, but for the form of its answer.
        source: The input.
        checkpoint: Locked for this run.
        state: What it says.
        tally: Of this process.
        has_pictures: Whether rows are encoded pictures.
    """

    request: Request
    server: Server
    card: Mapping[str, Any]
    order: Order
    source: Source
    checkpoint: Checkpoint
    state: RunState
    tally: Tally
    has_pictures: bool


def perform(request: Request, server: Server, progress: Progress) -> Summary:
    """Bring all rows through the model, or as many as it is let.

    Raises:
        ClientError: Nothing could be begun: the server, the input, the output or the checkpoint is not as it should be.
    """
    card = model_card(request.model, server, progress)
    fit = Fit.of_model(card, request.options.signature)
    version = pinned_version(card, request.version)
    with closing(opened(request, fit)) as source:
        for note in source.notes:
            progress.tell(note)
        identity = request.identity(source.fingerprint, version)
        checkpoint, state = begin_or_resume(request.output, identity, request.restart, request.inputs)
        with checkpoint:
            has_pictures = fit.takes_pictures and _has_pictures(source)
            # Pictures of a job are given one by one to a model that takes one row.
            fixed_rows = None if has_pictures and fit.fixed_rows == 1 else fit.fixed_rows
            order = Order(
                request.model, version, request.options, not has_documents(card, request.options.signature), fixed_rows
            )
            tally = _tally(request, source, state)
            prepared = Prepared(request, server, card, order, source, checkpoint, state, tally, has_pictures)
            return _perform(prepared, progress)


def model_card(model: str, server: Server, progress: Progress) -> Mapping[str, Any]:
    """The model as the server tells it."""
    with Celeriac(server.url, server.api_key, patience=FIRST_PATIENCE, on_trouble=_telling(progress)) as api:
        return api.model(model)


def opened(request: Request, fit: Fit) -> Source:
    """The input, checked against the model."""
    folder = request.output.parent
    return open_source(request.inputs, fit, request.reading, format=request.format, spool_folder=folder)


def _has_pictures(source: Source) -> bool:
    with closing(source.read(0)) as reader:
        for _ in range(_LOOKED_AT_ROWS):
            for item in reader.next(1, 1):
                if isinstance(item, RowChunk):
                    return not isinstance(item.inputs, Mapping)
    return True


def _telling(progress: Progress) -> OnTrouble:
    return lambda error: progress.tell(f"{error} Trying again.")


def _tally(request: Request, source: Source, state: RunState) -> Tally:
    total = source.total_rows
    if request.limit is not None and (total is None or total > request.limit):
        total = request.limit
    return Tally(total, state.rows_done, state.rows_failed, monotonic())


def _perform(prepared: Prepared, progress: Progress) -> Summary:
    tally, state = prepared.tally, prepared.state
    if state.is_finished:
        progress.tell("This backfill had finished before; nothing is left to do.")
        return _summary(prepared, state, None)
    if tally.settled or state.pending:
        of_total = f" of {tally.total:,}" if tally.total else ""
        jobs = f"{len(state.pending):,} jobs were on their way"
        progress.tell(f"Going on: {tally.settled:,}{of_total} rows are written, and {jobs}.")
    stopped = asyncio.run(_run(prepared, progress))
    return _summary(prepared, prepared.checkpoint.load() or state, stopped)


def _summary(prepared: Prepared, state: RunState, stopped: str | None) -> Summary:
    request, tally = prepared.request, prepared.tally
    return Summary(
        model=request.model,
        version=prepared.order.version,
        output=request.output,
        errors=OutputFiles(request.output).errors if state.rows_failed else None,
        total=tally.total,
        done=state.rows_done,
        failed=state.rows_failed,
        found=tally.found_done + tally.found_failed,
        seconds=monotonic() - tally.began_s,
        stopped=stopped,
    )


async def _run(prepared: Prepared, progress: Progress) -> str | None:
    """Why the run ended before the last row; None: it did not."""
    request, server, state = prepared.request, prepared.server, prepared.state
    runs: list[Run] = []
    client = AsyncCeleriac(
        server.url, server.api_key, patience=PATIENCE, on_trouble=lambda error: runs[0].troubled(error)
    )
    with Recorder(request.output, prepared.checkpoint, state, request.is_ordered) as recorder:
        journal = Journal(recorder, prepared.checkpoint, request.is_ordered, state.unfreed)
        async with client:
            runs.append(Run(_parts(prepared, client, journal, progress)))
            with _stopping(runs[0], progress):
                return await _to_end(runs[0], journal, prepared.tally, progress)


def _parts(prepared: Prepared, client: AsyncCeleriac, journal: Journal, progress: Progress) -> Parts:
    order = prepared.order
    return Parts(
        client=client,
        order=order if journal.takes_documents else order.for_arrays(),
        source=prepared.source,
        course=Course.of(prepared.state, prepared.request.limit),
        journal=journal,
        tally=prepared.tally,
        bounds=bounds(prepared.card, prepared.has_pictures, order.fixed_rows),
        workers=len(prepared.card.get("workers") or ()),
        most_failures=prepared.request.most_failures,
        tell=progress.tell,
    )


async def _to_end(run: Run, journal: Journal, tally: Tally, progress: Progress) -> str | None:
    showing = asyncio.create_task(_showing(tally, progress))
    try:
        await run.to_end()
    except ClientError as error:
        left = f" {run.jobs_left} jobs are left on the server; the next run finds them." if run.jobs_left else ""
        return f"{error}{left}"
    finally:
        showing.cancel()
        await journal.close()
        progress.show(tally)
    return None


async def _showing(tally: Tally, progress: Progress) -> None:
    while True:
        progress.show(tally)
        await asyncio.sleep(_SHOW_EVERY_S)


@contextmanager
def _stopping(run: Run, progress: Progress) -> Iterator[None]:
    """The first signal ends the run in good order, the second one at once; nothing is lost by either."""

    def stop() -> None:
        if run.stop.is_set():
            progress.close()
            os._exit(EXIT_STOPPED)
        progress.tell("Stopping; once more to stop at once.")
        run.stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
