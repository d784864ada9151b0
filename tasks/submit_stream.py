"""Storing jobs: `lua/submit.lua` for a chunk of them after the other, without a wait in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import redis

from tasks.broker import broker_errors
from tasks.broker_memory import MemoryGuard
from tasks.caps import Caps
from tasks.errors import TasksError
from tasks.job import Job
from tasks.message import event_channel
from tasks.receipt import Receipt, read_receipts
from tasks.script_stream import ScriptCall, stream_calls
from tasks.submission import Chunk, chunks, script_arguments

_LUA = Path(__file__).parent / "lua"


class SubmitStream:
    """Stores jobs with their inputs. Safe to share between threads. Raises BrokerUnavailable when Redis is away.

    Args:
        client: of the broker, see `tasks.broker.connect`.
        caps: beyond which submissions are refused.
    """

    def __init__(self, client: redis.Redis, caps: Caps) -> None:
        self._redis = client
        self._caps = caps
        self._memory = MemoryGuard(client, caps.memory_percent)
        self._script = client.register_script((_LUA / "submit.lua").read_text())
        self._event_channel = event_channel(int(client.get_connection_kwargs().get("db") or 0))

    def store(self, jobs: Sequence[tuple[Job, bytes]]) -> list[Receipt | TasksError]:
        """Store some jobs; what became of each."""
        outcomes: list[Receipt | TasksError] = []
        self.run(jobs, lambda _, outcome: outcomes.append(outcome))
        return outcomes

    def run(self, jobs: Iterable[tuple[Job, bytes]], heed: Callable[[Job, Receipt | TasksError], None]) -> None:
        """Store any number of jobs, in their order.

        Args:
            jobs: with their inputs. About a chunk more is taken than has an outcome yet.
            heed: told the outcome of each job, in their order: a receipt, or why the job is not recorded.
        """

        def tell(chunk: Chunk, answer: Any) -> None:
            for (job, _), outcome in zip(chunk, read_receipts(chunk, answer, self._caps), strict=True):
                heed(job, outcome)

        def call(chunk: Chunk) -> ScriptCall:
            names, arguments = script_arguments(chunk, self._event_channel, self._caps, self._memory.is_full())
            return ScriptCall(names, arguments, partial(tell, chunk))

        with broker_errors():
            stream_calls(self._redis, self._script, map(call, chunks(jobs)))
