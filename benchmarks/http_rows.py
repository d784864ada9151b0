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

#: The loads of each way to ask, in turn.
Loads = dict[str, list[Load]]

(_OURS,) = CELERIAC.ways
#: What the docs show, and what is faster for one who does not read them.
_DOCUMENTED, _WAITING = PLAIN_CELERY.ways


def http_1_tiny(rig: Rig) -> RowResult:
    """One client: the time from submit to result."""
    loads, _ = _interleave(rig, "tiny", 1, with_limit=False)
    found = {title: [one.p50_ms for one in own] for title, own in loads.items()}
    measures, notes = _over_plain(found, ", p50", at_most=0.33)
    return _row(rig, "http-1-tiny", measures, notes, loads)


def http_64_tiny(rig: Rig) -> RowResult:
    """64 clients."""
    loads, _ = _interleave(rig, "tiny", 64, with_limit=False)
    measures, notes = _over_plain(_rates(loads), "", at_least=6)
    return _row(rig, "http-64-tiny", measures, notes, loads)


def http_64_small(rig: Rig) -> RowResult:
    """64 clients with pictures, and which share of the bare model they get."""
    loads, limits = _interleave(rig, "small", 64, with_limit=True)
    measures, notes = _over_plain(_rates(loads), "", at_least=5)
    share = ratios(_rates(loads)[_OURS.title], [one.rows_per_s for one in limits])
    measures = (*measures, Measure("the in-process limit", share, at_least=0.35))
    return _row(rig, "http-64-small", measures, notes, loads, limits)


def _rates(loads: Loads) -> dict[str, list[float]]:
    return {title: [one.requests_per_s for one in own] for title, own in loads.items()}


def _over_plain(
    found: dict[str, list[float]], what: str, at_least: float | None = None, at_most: float | None = None
) -> tuple[tuple[Measure, ...], tuple[str, ...]]:
    """Ours over the documented way, as the row's measure, and over the other way, as a note."""
    if _DOCUMENTED.title not in found:
        return (), ()
    documented = ratios(found[_OURS.title], found[_DOCUMENTED.title])
    waiting = ratios(found[_OURS.title], found[_WAITING.title])
    measure = Measure(_DOCUMENTED.title + what, documented, at_least=at_least, at_most=at_most)
    return (measure,), (f"{waiting} {_WAITING.title}{what}",)


def _interleave(rig: Rig, model: str, connections: int, with_limit: bool) -> tuple[Loads, list[Limit]]:
    rig.broker.empty()
    limits: list[Limit] = []
    with contextlib.ExitStack() as stack:
        present = [one for one in (CELERIAC, PLAIN_CELERY) if one.name not in rig.skipped]
        served = [stack.enter_context(serving(rig, one, model)) for one in present]
        client = stack.enter_context(rig.load_generator())
        limit = stack.enter_context(rig.limit(model)) if with_limit else None
        asked = [(one, way) for one in served for way in one.who.ways]
        loads: Loads = {way.title: [] for _, way in asked}
        for one, way in asked:
            run_load(rig, client, one, way, model, connections, rig.plan.http_warm_up)
        for _ in range(rig.plan.pairs):
            limits += [measure_limit(rig, limit, model)] if limit else []
            for one, way in asked:
                total = rig.plan.http_one_client if connections == 1 else rig.plan.requests_of(one.who.name)
                loads[way.title].append(run_load(rig, client, one, way, model, connections, total))
    return loads, limits


def _row(
    rig: Rig,
    row: str,
    measures: tuple[Measure, ...],
    notes: tuple[str, ...],
    loads: Loads,
    limits: list[Limit] | None = None,
) -> RowResult:
    shown = {title: _details(own) for title, own in loads.items()}
    if limits:
        shown["in-process limit"] = limit_details(limits)
    answers = sum(one.answers for own in loads.values() for one in own)
    skipped = {PLAIN_CELERY.title: rig.skipped[PLAIN_CELERY.name]} if PLAIN_CELERY.name in rig.skipped else {}
    return RowResult(row, measures, f"all {answers:,} answers equal the in-process model's", shown, skipped, notes)


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
