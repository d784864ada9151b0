"""The rows of the table, in its order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.drain_rows import drain_tiny, drain_tiny_queues
from benchmarks.rig import Rig
from benchmarks.verdict import RowResult

ROWS: Mapping[str, Callable[[Rig], RowResult]] = {
    "drain-tiny": drain_tiny,
    "drain-tiny-queues": drain_tiny_queues,
}
