"""How much is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Plan:
    """Numbers of jobs and repetitions.

    A slower contestant gets fewer jobs: what counts is a rate, over seconds.
    """

    pairs: int = 5
    #: Jobs of a drain, by model and contestant; `others` stands for those not named.
    drain_jobs: Mapping[str, Mapping[str, int]] = field(
        default_factory=lambda: {
            "tiny": {"celeriac": 12_000, "others": 2_000},
            "small": {"celeriac": 4_000, "others": 400},
            "large": {"celeriac": 400, "others": 60},
        }
    )
    #: Seconds in the model for each batch size of the in-process limit.
    limit_s: float = 0.4
    #: The largest batch that the limit is tried with; beyond these nothing is gained.
    limit_batch: Mapping[str, int] = field(default_factory=lambda: {"tiny": 256, "small": 128, "large": 32})
    #: Seconds of calls in each way that the model's own speed is compared.
    speed_s: float = 0.3
    http_warm_up: int = 200
    http_one_client: int = 500
    http_many_clients: Mapping[str, int] = field(default_factory=lambda: {"celeriac": 4_000, "others": 600})
    bulk_jobs: Mapping[str, int] = field(default_factory=lambda: {"celeriac": 10_000, "others": 2_000})
    memory_jobs: int = 10_000
    depths: tuple[int, ...] = (1_000, 100_000, 1_000_000)
    depth_operations: int = 2_000
    depth_claims: int = 4_000
    growth_jobs: int = 200_000
    growth_warm_up: int = 20_000
    backfill_rows: int = 100_000
    backfill_pictures: int = 8_000
    backfill_memory_rows: tuple[int, int] = (10_000, 1_000_000)
    one_by_one_jobs: int = 1_000
    #: Jobs of one client beside a backfill, and as many without.
    beside_jobs: int = 400
    #: More pictures than a backfill gets through meanwhile.
    beside_pictures: int = 40_000

    def jobs_of(self, model: str, contestant: str) -> int:
        """Jobs of one drain."""
        jobs = self.drain_jobs[model]
        return jobs.get(contestant, jobs["others"])

    def bulk_jobs_of(self, contestant: str) -> int:
        """Jobs of one bulk submission."""
        return self.bulk_jobs.get(contestant, self.bulk_jobs["others"])

    def requests_of(self, contestant: str) -> int:
        """HTTP requests of one run with many clients."""
        return self.http_many_clients.get(contestant, self.http_many_clients["others"])


def quick(pairs: int) -> Plan:
    """Just enough to see that everything works; its figures mean nothing."""
    return Plan(
        pairs=pairs,
        drain_jobs={
            "tiny": {"celeriac": 4_000, "others": 300},
            "small": {"celeriac": 600, "others": 100},
            "large": {"celeriac": 60, "others": 20},
        },
        limit_s=0.1,
        speed_s=0.05,
        limit_batch={"tiny": 64, "small": 32, "large": 8},
        http_warm_up=20,
        http_one_client=50,
        http_many_clients={"others": 300},
        bulk_jobs={"others": 300},
        memory_jobs=300,
        depths=(100, 500, 1_000),
        depth_operations=100,
        depth_claims=1_000,
        growth_jobs=3_000,
        growth_warm_up=500,
        backfill_rows=5_000,
        backfill_pictures=600,
        backfill_memory_rows=(1_000, 20_000),
        one_by_one_jobs=50,
        beside_jobs=30,
        beside_pictures=10_000,
    )
