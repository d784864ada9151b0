from __future__ import annotations

import pytest

from tasks.batching import batcher as batcher_module
from tasks.batching.batcher import Batcher
from tests.batchers import Clock, make_batcher


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(batcher_module, "monotonic", clock)
    return clock


@pytest.fixture
def pauses() -> list[float]:
    """What the batcher has asked to be asked again after."""
    return []


@pytest.fixture
def forgotten() -> list[object]:
    """The requests that another worker has now."""
    return []


@pytest.fixture
def batcher(clock: Clock, pauses: list[float], forgotten: list[object]) -> Batcher:
    return make_batcher(pauses, forgotten)
