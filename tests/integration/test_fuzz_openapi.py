"""Requests that schemathesis makes up from openapi.json, right and wrong ones: the answers are those that it names."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import redis
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode

from tasks.job_store import JobStore
from tests.fuzzing import checked
from tests.http_api import OLD_ID, play_worker, submit

SPECIFICATION = json.loads((Path(__file__).parents[2] / "api" / "openapi.json").read_text())
#: For each operation one of so many examples: to make one up takes ten times as long as to answer it.
SHARE = 10
OPERATIONS = [(path, method) for path, methods in SPECIFICATION["paths"].items() for method in methods]


def narrowed(jobs: list[str]) -> dict[str, Any]:
    """The specification with the models and jobs that there are, so that not all is 404."""
    known = {"model": ["digits", "pairs", "boxes"], "version": ["1", "3"], "job_id": jobs}
    specification = copy.deepcopy(SPECIFICATION)
    for methods in specification["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                if parameter["name"] in known:
                    parameter["schema"] = {"type": "string", "enum": known[parameter["name"]]}
    return specification


@pytest.fixture(scope="module")
def operations(fuzzed_http: FlaskClient, fuzzed_redis: redis.Redis) -> Any:
    queued, done = submit(fuzzed_http), submit(fuzzed_http)
    play_worker(JobStore(fuzzed_redis, 3600), done)
    made = schemathesis.openapi.from_dict(narrowed([queued, done, OLD_ID]))
    made.app = fuzzed_http.application
    return made


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_the_specification_allows_and_forbids_is_answered_as_it_says(
    fuzzed_http: FlaskClient, operations: Any, path: str, method: str, mode: GenerationMode
) -> None:
    operation = operations[path][method]
    takes_something = "requestBody" in operation.definition.raw or operation.definition.raw.get("parameters")
    if mode is GenerationMode.NEGATIVE and not takes_something:
        return

    @settings(max_examples=settings.default.max_examples // SHARE, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        answer = checked(fuzzed_http.open(**case.as_transport_kwargs()))
        assert str(answer.status_code) in operation.definition.raw["responses"], answer.text

    ask()
