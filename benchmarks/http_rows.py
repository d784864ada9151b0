"""The rows over HTTP: Celeriac's API beside plain Celery with Flask in front, submit and wait in one request.

Both systems run for the whole row, on one broker, and are loaded in turn; the one that is not loaded is idle.
"""

from __future__ import annotations

import contextlib

from benchmarks.contestants.celeriac.adapter import CELERIAC
from benchmarks.contestants.plain_celery.adapter import PLAIN_CELERY
from benchmarks.http_system import Load, run_load, serving
from benchmarks.limit_rows import Limit, limit_details, measure_limit
from benchmarks.rig import Rig
from benchmarks.verdict import Measure, RowResult, Samples, ratios

#: Each contestant's loads, in turn.
Loads = dict[str, list[Load]]


def http_1_tiny(rig: Rig) -> RowResult:
    """One client: the time from submit to result."""
    loads, _ = _interleave(rig, "tiny", 1, with_limit=False)
    measures: tuple[Measure, ...] = ()
    if PLAIN_CELERY.name in loads:
        ours, theirs = ([one.p50_ms for one in loads[who.name]] for who in (CELERIAC, PLAIN_CELERY))
        measures = (Measure("plain Celery + Flask, p50", ratios(ours, theirs), at_most=0.33),)
    return _row(rig, "http-1-tiny", measures, loads)


def http_64_tiny(rig: Rig) -> RowResult:
    """64 clients."""
    loads, _ = _interleave(rig, "tiny", 64, with_limit=False)
    return _row(rig, "http-64-tiny", _over_plain(loads, 6), loads)


def http_64_small(rig: Rig) -> RowResult:
    """64 clients with pictures, and which share of the bare model they get."""
    loads, limits = _interleave(rig, "small", 64, with_limit=True)
    share = ratios([one.requests_per_s for one in loads[CELERIAC.name]], [one.rows_per_s for one in limits])
    measures = (*_over_plain(loads, 5), Measure("the in-process limit", share, at_least=0.35))
    return _row(rig, "http-64-small", measures, loads, limits)


def _over_plain(loads: Loads, at_least: float) -> tuple[Measure, ...]:
    if PLAIN_CELERY.name not in loads:
        return ()
    ours, theirs = ([one.requests_per_s for one in loads[who.name]] for who in (CELERIAC, PLAIN_CELERY))
    return (Measure("plain Celery + Flask", ratios(ours, theirs), at_least=at_least),)


def _interleave(rig: Rig, model: str, connections: int, with_limit: bool) -> tuple[Loads, list[Limit]]:
    rig.broker.empty()
    limits: list[Limit] = []
    with contextlib.ExitStack() as stack:
        present = [one for one in (CELERIAC, PLAIN_CELERY) if one.name not in rig.skipped]
        served = [stack.enter_context(serving(rig, one, model)) for one in present]
        client = stack.enter_context(rig.load_generator())
        limit = stack.enter_context(rig.limit(model)) if with_limit else None
        for one in served:
            run_load(rig, client, one, model, connections, rig.plan.http_warm_up)
        loads: Loads = {one.who.name: [] for one in served}
        for _ in range(rig.plan.pairs):
            limits += [measure_limit(rig, limit, model)] if limit else []
            for one in served:
                total = rig.plan.http_one_client if connections == 1 else rig.plan.requests_of(one.who.name)
                loads[one.who.name].append(run_load(rig, client, one, model, connections, total))
    return loads, limits


def _row(
    rig: Rig, row: str, measures: tuple[Measure, ...], loads: Loads, limits: list[Limit] | None = None
) -> RowResult:
    shown = {one.title: _details(loads[one.name]) for one in (CELERIAC, PLAIN_CELERY) if one.name in loads}
    if limits:
        shown["in-process limit"] = limit_details(limits)
    answers = sum(one.answers for own in loads.values() for one in own)
    skipped = {PLAIN_CELERY.title: rig.skipped[PLAIN_CELERY.name]} if PLAIN_CELERY.name in rig.skipped else {}
    return RowResult(row, measures, f"all {answers:,} answers equal the in-process model's", shown, skipped)


def _details(loads: list[Load]) -> dict[str, Samples]:
    return {
        "rate": Samples("requests/s", tuple(one.requests_per_s for one in loads)),
        "p50": Samples("ms", tuple(one.p50_ms for one in loads), digits=1),
        "p99": Samples("ms", tuple(one.p99_ms for one in loads), digits=1),
        "worker CPU": Samples("µs a job", tuple(one.worker_us for one in loads)),
        "HTTP server CPU": Samples("µs a job", tuple(one.web_us for one in loads)),
        "broker CPU": Samples("µs a job", tuple(one.broker_us for one in loads)),
        "client CPU": Samples("µs a job", tuple(one.client_us for one in loads)),
    }
