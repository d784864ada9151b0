"""A model's name in a URL: whatever it is, it names a known model or nothing, and leaves no trace in Redis."""

from __future__ import annotations

from urllib.parse import quote

import redis
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st

from tests.hostile_names import NAMES
from tests.http_api import NPY, npy

KNOWN = {"digits", "pairs", "boxes", "1"}
ROW = npy([[1, 2, 3, 4]])


@given(name=NAMES.filter(lambda name: name not in KNOWN), safe=st.sampled_from(["", "/", "/.%~"]))
@example(name="../../etc/passwd", safe="")
@example(name="digits/../boxes", safe="")
@example(name="%2e%2e%2fdigits", safe="%")
@example(name="digits\0", safe="")
@example(name="digits\n", safe="")
def test_a_name_that_nobody_published_is_404_everywhere_and_leaves_nothing(
    fuzzed_http: FlaskClient, fuzzed_redis: redis.Redis, name: str, safe: str
) -> None:
    before = fuzzed_redis.dbsize()
    path = quote(name.encode("utf-8", "surrogatepass"), safe=safe)
    for part in (f"{path}/jobs", f"{path}/versions/1/jobs", f"digits/versions/{path}/jobs"):
        url = f"/v1/models/{part}"
        answer = fuzzed_http.post(url, data=ROW, content_type=NPY)
        assert answer.status_code in (404, 405), (url, answer.text)
    assert fuzzed_http.get(f"/v1/models/{path}x").status_code == 404
    assert fuzzed_redis.dbsize() == before
