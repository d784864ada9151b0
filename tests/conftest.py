from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import settings

from tasks.broker import connect
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.valkey import Valkey

# The same examples in each run; an answer that takes this long is a finding.
settings.register_profile("tests", derandomize=True, deadline=10_000, max_examples=600)
# `make fuzz`: other examples in each run, and many.
settings.register_profile("fuzz", deadline=10_000, max_examples=10_000, database=None, print_blob=True)
settings.load_profile("tests")

# Each worker of the tests has a fresh store, and would look for seconds for the fastest way to run its model.
os.environ.setdefault("CELERIAC_TUNING_LIMIT_S", "0")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share out the tests among processes. pytest-xdist is not installed beside the API alone."""
    from tests.shared_work import FileScheduling

    return FileScheduling(config, log)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """One server for the whole run; `client` empties it for each test."""
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(valkey: Valkey) -> Iterator[redis.Redis]:
    client = connect(valkey.url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def job_store(client: redis.Redis) -> JobStore:
    return JobStore(client, result_ttl_s=3600)


@pytest.fixture
def registry(client: redis.Redis) -> ModelRegistry:
    return ModelRegistry(client)
