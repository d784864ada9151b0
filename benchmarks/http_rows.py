"""The rows over HTTP: Celeriac's API beside plain Celery with Flask in front, submit and wait in one request.

Both systems run for the whole row, on one broker, and are loaded in turn; the one that is not loaded is idle.
"""

from __future__ import annotations

import contextlib

from benchmarks.contestant import Way
from benchmarks.contestants.celeriac.adapter import CELERIAC
from benchmarks.contestants.plain_celery.adapter import PLAIN_CELERY
from benchmarks.http_system import Load, run_load, serving
from benchmarks.limit_rows import Limit, limit_details, measure_limit
from benchmarks.rig import Rig
from benchmarks.verdict import Measure, RowResult, Samples, best_of_each, ratios

#: The loads of each way to ask, in turn.
Loads = dict[str, list[Load]]

(_OURS,) = CELERIAC.ways
#: What the docs show, and what is faster for one who does not read them.
_DOCUMENTED, _WAITING = PLAIN_CELERY.ways


def http_1_tiny(rig: Rig) -> RowResult:
    """One client: the time from submit to result, over the documented way's."""
    loads, _ = _interleave(rig, "tiny", 1, with_limit=False)
    if _DOCUMENTED.title not in loads:
        return _row(rig, "http-1-tiny", (), loads)
    ours, documented, waiting = ([one.p50_ms for one in loads[way.title]] for way in (_OURS, _DOCUMENTED, _WAITING))
    measures = (Measure(f"{_DOCUMENTED.title}, p50", ratios(ours, documented), at_most=0.33),)
    return _row(rig, "http-1-tiny", measures, loads, notes=(f"{ratios(ours, waiting)} {_WAITING.title}, p50",))


def http_64_tiny(rig: Rig) -> RowResult:
    """64 clients."""
    loads, _ = _interleave(rig, "tiny", 64, with_limit=False)
    return _row(rig, "http-64-tiny", _over_plain(loads, at_least=6), loads)


def http_64_small(rig: Rig) -> RowResult:
    """64 clients with pictures, and which share of the bare model they get."""
    loads, limits = _interleave(rig, "small", 64, with_limit=True)
    share = ratios(_rates(loads, _OURS), [one.rows_per_s for one in limits])
    measures = (*_over_plain(loads, at_least=5), Measure("the in-process limit", share, at_least=0.35))
    return _row(rig, "http-64-small", measures, loads, limits)


def _rates(loads: Loads, way: Way) -> list[float]:
    return [one.requests_per_s for one in loads[way.title]]


def _over_plain(loads: Loads, at_least: float) -> tuple[Measure, ...]:
    """Requests/s over those of the faster way in each round: many clients that poll overwhelm the documented one."""
    if _DOCUMENTED.title not in loads:
        return ()
    faster = best_of_each([_rates(loads, _DOCUMENTED), _rates(loads, _WAITING)])
    name = "plain Celery + Flask, the faster way"
    return (Measure(name, ratios(_rates(loads, _OURS), faster), at_least=at_least),)


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
    loads: Loads,
    limits: list[Limit] | None = None,
    notes: tuple[str, ...] = (),
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
