"""The row about long queues: what a submit, a claim and a poll cost at several depths, and the memory that a job takes.

Each depth has a broker of its own, filled beforehand; the depths are measured in turn. Costs are CPU time, of client or
worker and of the broker together, which says more than wall time on a machine that others use too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.broker import Broker
from benchmarks.contestant import WorkerSetting
from benchmarks.contestants.celeriac.adapter import CELERIAC
from benchmarks.depth_probe import MODEL
from benchmarks.drain import await_finished
from benchmarks.partner import Partner
from benchmarks.rig import Rig
from benchmarks.verdict import Measure, RowResult, Samples, ratios
from tasks import keys

FILL_JOBS = 10_000

_SETTING = WorkerSetting(MODEL, events=True)


@dataclass(frozen=True)
class Costs:
    """CPU time for a job, in µs, of both sides together; and a call's median wall time."""

    submit_us: float
    claim_us: float
    poll_us: float
    submit_wall_us: float
    poll_wall_us: float


@dataclass(frozen=True)
class Depth:
    """A queue that is kept at one depth."""

    jobs: int
    rig: Rig
    probe: Partner

    def fill(self, jobs: int) -> None:
        """Bring the number of unfinished jobs up to so many."""
        inputs = str(self.rig.inputs(MODEL))
        while (missing := jobs - int(self.rig.broker.client.zcard(keys.unfinished(MODEL)))) > 0:
            self.probe.ask("fill", inputs=inputs, jobs=min(missing, FILL_JOBS))
        self.rig.broker.settle()

    def measure(self) -> Costs:
        """One round: the depth holds at least during all of it."""
        operations, claims = self.rig.plan.depth_operations, self.rig.plan.depth_claims
        self.fill(self.jobs)
        submit, submit_broker_us = self._ask("submit", inputs=str(self.rig.inputs(MODEL)), jobs=operations)
        poll, poll_broker_us = self._ask("poll", jobs=operations)
        self.fill(self.jobs + claims)
        return Costs(
            submit["cpu_us"] + submit_broker_us,
            self._claim(claims),
            poll["cpu_us"] + poll_broker_us,
            submit["median_us"],
            poll["median_us"],
        )

    def _ask(self, what: str, **arguments: object) -> tuple[dict[str, float], float]:
        """The probe's answer, and the broker's CPU time for an operation, in µs."""
        before_s = self.rig.broker.process.cpu_s()
        told = self.probe.ask(what, **arguments)
        return told, (self.rig.broker.process.cpu_s() - before_s) / self.rig.plan.depth_operations * 1e6

    def _claim(self, jobs: int) -> float:
        """CPU time of worker and broker for a job that is claimed, run and ended."""
        broker, who = self.rig.broker, CELERIAC
        ended = who.finished(broker.client, MODEL, jobs)
        with self.rig.worker(who, _SETTING) as worker:
            # As in a drain: at both ends of the measurement the worker holds as many jobs as it takes at once.
            first = await_finished(self.rig, who, worker, MODEL, jobs, ended + jobs // 10)
            before_s = worker.cpu_s() + broker.process.cpu_s()
            last = await_finished(self.rig, who, worker, MODEL, jobs, ended + jobs)
            return (worker.cpu_s() + broker.process.cpu_s() - before_s) / (last - first) * 1e6


def growth_cost(rig: Rig) -> RowResult:
    """Costs at the greatest depth over those at the least, and bytes of Redis memory a job."""
    queued_bytes, finished_bytes, answers = _memory(rig)
    with contextlib.ExitStack() as stack:
        depths = [stack.enter_context(_depth(rig, jobs)) for jobs in rig.plan.depths]
        found: dict[int, list[Costs]] = {one.jobs: [] for one in depths}
        for _ in range(rig.plan.pairs):
            for one in depths:
                found[one.jobs].append(one.measure())
    least, most = (found[depth] for depth in (min(found), max(found)))
    measures = (
        Measure("submit", ratios([c.submit_us for c in most], [c.submit_us for c in least]), at_most=1.2),
        Measure("claim", ratios([c.claim_us for c in most], [c.claim_us for c in least]), at_most=1.2),
    )
    details = {
        "Redis memory": {
            "queued": Samples("bytes a job", (queued_bytes,)),
            "finished": Samples("bytes a job", (finished_bytes,)),
        },
        **{f"{jobs:,} queued": _details(costs) for jobs, costs in found.items()},
    }
    polled = ratios([c.poll_us for c in most], [c.poll_us for c in least])
    checked = f"all {answers:,} answers of the memory measurement equal the in-process model's"
    return RowResult("growth-cost", measures, checked, details, notes=(f"a poll: {polled}",))


def _memory(rig: Rig) -> tuple[float, float, int]:
    """Bytes for a queued and for a finished job of `tiny`, and how many answers were checked."""
    jobs, into = rig.plan.memory_jobs, rig.folder / "answers.npy"
    rig.broker.empty()
    with rig.desk(CELERIAC, MODEL) as desk:
        empty = rig.broker.used_bytes()
        desk.ask("submit", inputs=str(rig.inputs(MODEL)), jobs=jobs)
        queued = rig.broker.used_bytes()
        with rig.worker(CELERIAC, _SETTING) as worker:
            await_finished(rig, CELERIAC, worker, MODEL, jobs, jobs)
        finished = rig.broker.used_bytes()
        desk.ask("collect", into=str(into))
    answers = rig.check(CELERIAC.title, MODEL, into)
    rig.broker.empty()
    return (queued - empty) / jobs, (finished - empty) / jobs, answers


@contextlib.contextmanager
def _depth(rig: Rig, jobs: int) -> Iterator[Depth]:
    folder = rig.folder / f"depth-{jobs}"
    folder.mkdir()
    with Broker(folder / "broker") as broker:
        own = replace(rig, folder=folder, broker=broker)
        with own.depth_probe() as probe:
            depth = Depth(jobs, own, probe)
            depth.fill(jobs)
            yield depth


def _details(costs: list[Costs]) -> dict[str, Samples]:
    return {
        "submit CPU": Samples("µs", tuple(one.submit_us for one in costs)),
        "claim CPU": Samples("µs", tuple(one.claim_us for one in costs)),
        "poll CPU": Samples("µs", tuple(one.poll_us for one in costs)),
        "submit": Samples("µs", tuple(one.submit_wall_us for one in costs)),
        "poll": Samples("µs", tuple(one.poll_wall_us for one in costs)),
    }
