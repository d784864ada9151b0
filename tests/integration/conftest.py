from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from flask.testing import FlaskClient

from tasks.broker import connect
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.api_process import Api
from tests.fuzzing import Tally
from tests.http_api import make_http, publish_models
from tests.valkey import Valkey

if TYPE_CHECKING:
    from celery import Celery

    from tests.batching_stage import Stage
    from tests.claiming_worker import Workplace


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server that the test may stop."""
    server = Valkey(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def http(job_store: JobStore, registry: ModelRegistry) -> Iterator[FlaskClient]:
    publish_models(registry)
    with make_http(job_store, registry) as http:
        yield http


@pytest.fixture(scope="module")
def fuzzed_redis(valkey: Valkey) -> Iterator[redis.Redis]:
    """An emptied server, for all examples of a test."""
    client = connect(valkey.url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture(scope="session")
def tally() -> Tally:
    """Of all requests that the tests of the run make up."""
    return Tally()


@pytest.fixture(scope="module")
def fuzzed_http(fuzzed_redis: redis.Redis, tally: Tally) -> FlaskClient:
    """An application with three models, for all examples of a test; nobody can make it wait."""
    registry = ModelRegistry(fuzzed_redis)
    publish_models(registry)
    return tally.watch(make_http(JobStore(fuzzed_redis, 3600), registry, max_waiters=0))


@pytest.fixture(scope="module")
def fuzzed_api(valkey: Valkey, fuzzed_redis: redis.Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A real server with these models. Whatever it is sent, its processes live on and have no failure to tell of."""
    publish_models(ModelRegistry(fuzzed_redis))
    one = {"CELERIAC_API_PROCESSES": "1", "CELERIAC_API_THREADS": "8"}
    api = Api(tmp_path_factory.mktemp("api"), REDIS_URL=valkey.url, **one).await_ready()
    family = [process.pid for process in api.family()]
    try:
        yield api
        assert [process.pid for process in api.family()] == family
        assert not {"Traceback", "panicked"} & set(re.findall(r"\w+", api.log()))
    finally:
        api.stop()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    # Brings Celery and TensorFlow, and the API's tests run without.
    from tests.batching_stage import open_stage

    with open_stage(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.fixture
def place(tmp_path: Path, valkey: Valkey, client: redis.Redis) -> Iterator[Workplace]:
    """Where a test starts the workers that claim."""
    # Brings Celery, as the next does.
    from tests.claiming_worker import Workplace

    place = Workplace(tmp_path, valkey.url)
    yield place
    place.close()


@pytest.fixture
def stock(valkey: Valkey) -> Iterator[Celery]:
    """An application that knows nothing of us."""
    from tests.claiming_worker import stock_app

    with stock_app(valkey.url) as app:
        yield app


@pytest.fixture
def clean_stage(stage: Stage) -> Iterator[None]:
    """Whatever a test did, in the end nothing is left of it."""
    yield
    stage.await_all_clean()
