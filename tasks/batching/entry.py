"""One claimed job on its way through a worker."""

from __future__ import annotations

import sys
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from tasks.deliveries import Delivery
from tasks.inputs import Inputs
from tasks.job import Job, Lane


@dataclass(eq=False, slots=True)
class Entry:
    """A job from its claim to its end.

    Attributes:
        request: Celery's, for events and acknowledgement; touched on the event loop only, but for reading.
        delivery: Its message's tag and claim, and its id.
        lane: Where it waited.
        job: What of its record is needed to run it; None until it was looked at.
        inputs: Its decoded input; None until then.
        number: Its delivery's, once it has begun: with another number it is another worker's.
        rows: How many it has.
        batch_rows: The most that a batch of such rows may have.
        is_suspect: It has begun before, and its worker may have died of it.
        group: Jobs of equal groups can share a batch; None for one that runs alone.
        ready_s: When it was ready for the model, by the monotonic clock.
    """

    request: Any
    delivery: Delivery
    lane: Lane = Lane.INTERACTIVE
    job: Job | None = None
    inputs: Inputs | None = None
    number: int | None = None
    rows: int = 1
    batch_rows: int = sys.maxsize
    is_suspect: bool = False
    group: Hashable = None
    ready_s: float = 0.0
