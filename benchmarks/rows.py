"""The rows of the table, in its order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.backfill_rows import backfill_jpeg, backfill_memory, backfill_tiny
from benchmarks.beside_row import backfill_beside
from benchmarks.depth_row import growth_cost
from benchmarks.drain_rows import drain_tiny, drain_tiny_queues
from benchmarks.http_rows import http_1_tiny, http_64_small, http_64_tiny
from benchmarks.limit_rows import drain_large, drain_small
from benchmarks.memory_row import growth_memory
from benchmarks.rig import Rig
from benchmarks.speed_row import model_speed
from benchmarks.submit_row import submit_bulk
from benchmarks.verdict import RowResult

ROWS: Mapping[str, Callable[[Rig], RowResult]] = {
    "drain-tiny": drain_tiny,
    "drain-tiny-queues": drain_tiny_queues,
    "drain-small": drain_small,
    "drain-large": drain_large,
    "model-speed": model_speed,
    "http-1-tiny": http_1_tiny,
    "http-64-tiny": http_64_tiny,
    "http-64-small": http_64_small,
    "submit-bulk": submit_bulk,
    "growth-cost": growth_cost,
    "growth-memory": growth_memory,
    "backfill-tiny": backfill_tiny,
    "backfill-jpeg": backfill_jpeg,
    "backfill-memory": backfill_memory,
    "backfill-beside": backfill_beside,
}
