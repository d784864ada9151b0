from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stores import make_store
from tests.system import Running, running


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One running system for all acceptance tests, over tiny models of each format and three that are broken."""
    store = make_store(tmp_path_factory.mktemp("store"))
    settings = {"CELERIAC_START_ATTEMPTS": "1", "CELERIAC_VISIBILITY_TIMEOUT_S": "15"}
    with running(store, tmp_path_factory.mktemp("var"), **settings) as system:
        yield system
