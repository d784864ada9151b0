"""Made-up headers, queries and JSON values: each request is answered, and never by a failure of the server's."""

from __future__ import annotations

import pytest
import redis
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from tasks.api_keys import parse_api_keys
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.fuzzing import Tally, cancel, checked
from tests.http_api import NPY, OLD_ID, make_http, npy, play_worker, publish_models, submit

ROW = npy([[1, 2, 3, 4]])

#: What a server hands out of a header's value: Latin-1, without the bytes that end it.
LATIN = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60)
HEADERS = {
    "Accept": ["*/*", "application/x-npz;q=0", "image/png", "application/x-npy;q=nan", "text/*;q=1e9", ",,;;=q="],
    "Authorization": ["Bearer", "Bearer k", "Basic Og==", "Digest a=", "Bearer \xff"],
    "X-API-Key": ["k", " ", "\xe9"],
    "Prefer": ["wait=5", "wait", "wait=-1", "wait=99999999999", "respond-async, wait=1", 'wait="2"', ",=,;"],
    "Idempotency-Key": ["a", '"b"', " "],
    "Content-Type": [
        NPY,
        "application/json",
        "application/json; charset=x",
        "multipart/form-data; boundary=",
        "/",
        ";",
    ],
    "Content-Length": ["0", "-1", "5", "99999999999999999999", "1e3", " 7 ", "x"],
    "Content-Encoding": ["gzip", "identity", ",", ""],
    "Transfer-Encoding": ["chunked", "gzip, chunked", "x"],
    "Host": ["localhost", "[::1", "a b", "\xe9", "x:99999999", ""],
    "Cookie": ["a=b", "=;=", "session=x"],
    "Range": ["bytes=0-1", "bytes=9-0,-"],
    "If-None-Match": ["*", 'W/"a'],
    "If-Modified-Since": ["x", "Thu, 01 Jan 1970 00:00:00 GMT", "0"],
    "X-Forwarded-For": ["1.2.3.4", "::", "x"],
    "X-HTTP-Method-Override": ["DELETE", "x"],
    "Expect": ["100-continue", "x"],
}
SOME_HEADERS = st.fixed_dictionaries(
    {}, optional={name: st.one_of(st.sampled_from(values), LATIN) for name, values in HEADERS.items()}
)

NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([0, -0.0, 1e308, 5e-324, 2**63, 2**64, 1e400, 255, 256])
)
LEAVES = st.one_of(NUMBERS, st.booleans(), st.none(), st.text(max_size=8))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, min_size=4, max_size=4),
        st.dictionaries(st.sampled_from(["x", "a", "b", "b64", "", "\ud800"]), inner, max_size=3),
    ),
    max_leaves=12,
)
ROWS_LIKE = st.lists(st.lists(NUMBERS, min_size=4, max_size=4), min_size=1, max_size=3)
PAIRS_LIKE = st.lists(
    st.fixed_dictionaries({"a": st.lists(NUMBERS, min_size=2, max_size=2), "b": LEAVES}), min_size=1, max_size=3
)

PARAMETERS = {
    "lane": st.sampled_from(["bulk", "interactive", "", "BULK"]),
    "min_score": st.one_of(NUMBERS, st.sampled_from(["nan", "inf", "1_0", "0x1", " 1 ", "\u0660"])),
    "annotate": st.sampled_from(["true", "1", "yes", "", True, False, 2]),
    "expires_in_s": st.one_of(NUMBERS, st.sampled_from(["1e308", "1e-300", "nan", "9" * 400])),
    "tag": st.text(max_size=70),
    "wait": st.one_of(LEAVES, st.sampled_from(["61", "1e1", "-0"])),
    "\x00": st.text(max_size=3),
}
SOME_PARAMETERS = st.fixed_dictionaries({}, optional=PARAMETERS)


@pytest.fixture(scope="module")
def guarded_http(fuzzed_redis: redis.Redis, tally: Tally) -> FlaskClient:
    """An application that asks for keys."""
    registry = ModelRegistry(fuzzed_redis)
    publish_models(registry)
    keys = parse_api_keys("ann:the-key-of-ann")
    return tally.watch(make_http(JobStore(fuzzed_redis, 3600), registry, max_waiters=0, api_keys=keys))


@pytest.fixture(scope="module")
def paths(fuzzed_http: FlaskClient, fuzzed_redis: redis.Redis) -> list[tuple[str, str]]:
    """A request of each kind, of jobs that wait, have ended, or never were; those that end a job are not among them."""
    queued, done = submit(fuzzed_http), submit(fuzzed_http)
    play_worker(JobStore(fuzzed_redis, 3600), done)
    jobs = [f"/v1/jobs/{job_id}{part}" for job_id in (queued, done, OLD_ID, "none") for part in ("", "/result")]
    others = ["/", "/v1/models", "/v1/models/digits", "/healthz", "/readyz", "/metrics", "/openapi.json", "/nothing"]
    asked = [(method, path) for path in jobs + others for method in ("GET", "HEAD", "OPTIONS", "PATCH")]
    return [*asked, ("POST", "/v1/models/digits/jobs"), ("POST", "/v1/jobs:query"), ("DELETE", f"/v1/jobs/{done}")]


@given(pick=st.integers(0, 10**6), headers=SOME_HEADERS)
def test_any_headers_are_answered(
    fuzzed_http: FlaskClient, paths: list[tuple[str, str]], pick: int, headers: dict[str, str]
) -> None:
    method, path = paths[pick % len(paths)]
    data = ROW if method == "POST" else None
    answer = fuzzed_http.open(path, method=method, headers={"Content-Type": NPY} | headers, data=data)
    cancel(fuzzed_http, checked(answer))


@given(pick=st.integers(0, 10**6), headers=SOME_HEADERS)
def test_no_headers_but_the_key_open_what_is_closed(
    guarded_http: FlaskClient, paths: list[tuple[str, str]], pick: int, headers: dict[str, str]
) -> None:
    closed = [(method, path) for method, path in paths if path not in ("/", "/healthz", "/readyz", "/openapi.json")]
    method, path = closed[pick % len(closed)]
    assert checked(guarded_http.open(path, method=method, headers=headers, data=ROW)).status_code == 401


@given(parameters=SOME_PARAMETERS, in_json=st.booleans(), model=st.sampled_from(["digits", "boxes"]))
def test_any_parameters_are_answered(
    fuzzed_http: FlaskClient, parameters: dict[str, object], in_json: bool, model: str
) -> None:
    url, row = f"/v1/models/{model}/jobs", {"instances": [[1, 2, 3, 4]]}
    if in_json:
        answer = fuzzed_http.post(url, json=row | {"parameters": parameters})
    else:
        answer = fuzzed_http.post(url, json=row, query_string={name: str(text) for name, text in parameters.items()})
    cancel(fuzzed_http, checked(answer))


@given(wait=st.one_of(LEAVES, st.text(max_size=5)))
def test_any_wait_is_answered_at_once_or_refused(
    fuzzed_http: FlaskClient, paths: list[tuple[str, str]], wait: object
) -> None:
    checked(fuzzed_http.get(paths[0][1], query_string={"wait": str(wait)}))


@given(
    document=st.one_of(
        st.fixed_dictionaries({"instances": st.one_of(ROWS_LIKE, PAIRS_LIKE, VALUES)}),
        st.fixed_dictionaries(
            {"inputs": st.one_of(ROWS_LIKE, st.dictionaries(st.sampled_from("abx"), VALUES), VALUES)}
        ),
        st.fixed_dictionaries({"ids": VALUES}, optional={"results": VALUES}),
        VALUES,
    ),
    path=st.sampled_from(
        ["/v1/models/digits/jobs", "/v1/models/pairs/jobs", "/v1/models/boxes/jobs", "/v1/jobs:query"]
    ),
)
def test_any_json_is_answered(fuzzed_http: FlaskClient, document: object, path: str) -> None:
    cancel(fuzzed_http, checked(fuzzed_http.post(path, json=document)))
