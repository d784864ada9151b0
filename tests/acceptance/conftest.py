from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import Systems, Up
from tests.receivers import SECRET
from tests.stores import make_store
from tests.system import Running, running


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One running system for all acceptance tests, over tiny models of each format and three that are broken."""
    store = make_store(tmp_path_factory.mktemp("store"))
    # One batch at a time, so that a test can occupy a model.
    settings = {"CELERIAC_START_ATTEMPTS": "1", "CELERIAC_LEASE_S": "5", "CELERIAC_PARALLEL_BATCHES": "1"}
    settings |= {"CELERIAC_CALLBACK_SECRETS": SECRET, "CELERIAC_CALLBACK_ALLOW": "127.0.0.0/8"}
    with running(store, tmp_path_factory.mktemp("var"), **settings) as system:
        yield system


@pytest.fixture
def systems(tmp_path: Path) -> Iterator[Systems]:
    """Makes systems, each with a folder of its own, and leaves nothing of them behind."""
    made: list[Up] = []

    def make(*models: str, **environment: str) -> Up:
        made.append(Up(tmp_path / f"var{len(made)}", models, **environment))
        return made[-1]

    yield make
    for system in made:
        system.kill_all()
