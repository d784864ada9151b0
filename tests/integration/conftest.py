from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.http_api import make_http, publish_models


@pytest.fixture
def http(job_store: JobStore, registry: ModelRegistry) -> Iterator[FlaskClient]:
    publish_models(registry)
    with make_http(job_store, registry) as http:
        yield http
