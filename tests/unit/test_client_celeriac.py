from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator

import pytest

from client import Celeriac
from client.errors import AddressError, ApiError, UnexpectedReply, Unreachable, UnsendableError
from client.job_options import Options
from client.payload import Payload
from client.retry import Patience
from tests.unit.client_stand_in import CUT, Answer, Request, StandIn

ARRAY = Payload(b"\x93NUMPY...", "application/x-npy")
QUEUED = {"id": "0198", "model": "digits", "version": 1, "status": "queued", "links": {}}


def at(url: str, api_key: str = "") -> Celeriac:
    """A client that does not try again."""
    return Celeriac(url, api_key, patience=Patience(total_s=0))


def always(answer: Answer) -> Callable[[Request], Answer]:
    return lambda request: answer


def record_or(result: Answer) -> Callable[[Request], Answer]:
    """The record of a job, or its result."""
    return lambda request: result if request.path.endswith("/result") else Answer.of({"jobs": [QUEUED]})


@pytest.fixture
def unused_port() -> Iterator[int]:
    # Bound but not listening: nobody else gets it, and a connection is refused.
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def test_a_submission_carries_bytes_content_type_options_and_key_as_the_api_wants_them() -> None:
    options = Options(
        lane="bulk",
        min_score=0.5,
        max_detections=3,
        annotate=True,
        expires_in_s=60.0,
        tag="night & day",
        signature="predict",
    )
    with StandIn(always(Answer.of(QUEUED, 202))) as server, at(server.url + "/", " secret\n") as api:
        job = api.submit("digits", ARRAY, **options)
    sent = server.requests[0]
    assert job.id == "0198"
    assert (sent.method, sent.path, sent.body) == ("POST", "/v1/models/digits/jobs", ARRAY.content)
    assert sent.query == {
        "lane": "bulk",
        "min_score": "0.5",
        "max_detections": "3",
        "annotate": "true",
        "expires_in_s": "60.0",
        "tag": "night & day",
        "signature": "predict",
    }
    assert sent.headers["content-type"] == "application/x-npy"
    assert sent.headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("inputs", "options"),
    [
        (ARRAY, Options(tag="\udcff\udcfe")),  # what Python makes of a command line's bytes that are no text
        (Payload(b"x", "a\nb"), Options()),
    ],
)
def test_what_http_cannot_carry_is_refused_before_anything_is_sent(inputs: Payload, options: Options) -> None:
    with (
        StandIn(always(Answer.of(QUEUED))) as server,
        at(server.url) as api,
        pytest.raises(UnsendableError, match="An option holds characters"),
    ):
        api.submit("digits", inputs, **options)
    assert server.requests == []


def test_an_empty_idempotency_key_is_left_to_the_server_to_refuse() -> None:
    with StandIn(always(Answer.of(QUEUED, 202))) as server, at(server.url) as api:
        api.submit("digits", ARRAY, idempotency_key="")
        api.submit("digits", ARRAY)
    keys = [request.headers["idempotency-key"] for request in server.requests]
    assert (keys[0], len(keys[1])) == ("", 36)


def test_options_that_are_not_set_are_not_sent_and_a_version_is_part_of_the_path() -> None:
    with StandIn(always(Answer.of(QUEUED, 202))) as server, at(server.url) as api:
        api.submit("digits", ARRAY, version=3)
        api.submit("digits", ARRAY, version="canary")
    assert server.requests[0].path == "/v1/models/digits/versions/3/jobs"
    assert server.requests[1].path == "/v1/models/digits/versions/canary/jobs"
    assert server.requests[0].query == {}
    assert "authorization" not in server.requests[0].headers


def test_a_name_with_slashes_stays_one_segment_of_the_path() -> None:
    with StandIn(always(Answer.of(QUEUED))) as server, at(server.url) as api:
        api.model("../jobs?x")
    assert server.requests[0].path == "/v1/models/..%2Fjobs%3Fx"


def test_a_long_poll_names_its_seconds_and_a_plain_question_does_not() -> None:
    with StandIn(always(Answer.of({"jobs": [QUEUED]}))) as server, at(server.url) as api:
        job = api.get_job("0198")
        job.wait(0.25)
    asked = [json.loads(request.body) for request in server.requests]
    assert asked[0] == {"ids": ["0198"]}
    assert asked[1]["wait"] == pytest.approx(0.25, abs=0.1)


def test_a_result_is_asked_for_by_its_media_type_and_comes_unchanged() -> None:
    with StandIn(record_or(Answer(200, b"\x89PNG", "image/png"))) as server, at(server.url) as api:
        assert api.get_job("0198").result_as("image/png") == b"\x89PNG"
    assert server.requests[1].headers["accept"] == "image/png"


def test_a_refusal_is_the_servers_own_sentence_with_its_type_field_and_retry_after() -> None:
    answer = Answer.refusal(400, "There is no room for digits.", Retry_After="7")
    with (
        StandIn(always(answer)) as server,
        at(server.url) as api,
        pytest.raises(ApiError, match=r"^There is no room for digits\.$") as caught,
    ):
        api.submit("digits", ARRAY)
    error = caught.value
    assert (error.status, error.type, error.field, error.retry_after_s) == (400, "some_type", "inputs", 7)
    assert not error.is_temporary


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_refusal_for_now_is_temporary(status: int) -> None:
    answer = Answer.refusal(status, "The queue of digits is full.")
    with StandIn(always(answer)) as server, at(server.url) as api, pytest.raises(ApiError) as caught:
        api.submit("digits", ARRAY)
    assert caught.value.is_temporary


def test_a_proxy_that_says_unavailable_in_html_is_temporary_and_any_other_page_is_no_celeriac() -> None:
    for status, kind, is_temporary in ((503, ApiError, True), (502, ApiError, True), (404, UnexpectedReply, False)):
        page = Answer(status, b"<h1>Hm</h1>", "text/html")
        with (
            StandIn(always(page)) as server,
            at(server.url) as api,
            pytest.raises(kind, match=str(status)) as caught,
        ):
            api.models()
        assert caught.value.is_temporary is is_temporary


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"hello": 1}', b""])
def test_a_good_status_from_something_that_is_no_celeriac_is_told(content: bytes) -> None:
    with StandIn(always(Answer(200, content))) as server, at(server.url) as api:
        for ask in (api.models, lambda: api.get_job("0198")):
            with pytest.raises(UnexpectedReply, match="Is this a Celeriac"):
                ask()


def test_a_refused_connection_says_where_nobody_answers_and_how_to_start_it(unused_port: int) -> None:
    with at(f"http://127.0.0.1:{unused_port}") as api, pytest.raises(Unreachable) as caught:
        api.models()
    assert str(caught.value) == (
        f"No Celeriac at http://127.0.0.1:{unused_port}: connection refused; start it with `make up` or set "
        "CELERIAC_URL."
    )


def test_a_connection_that_breaks_is_told_as_lost_and_temporary() -> None:
    with StandIn(always(CUT)) as server, at(server.url) as api, pytest.raises(Unreachable) as caught:
        api.models()
    assert f"The connection to {server.url} was lost" in str(caught.value)
    assert caught.value.is_temporary


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "", "http://host:port"])
def test_a_url_that_cannot_be_one_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(AddressError, match="http://HOST:PORT"):
        Celeriac(url)


def test_no_sentence_repeats_a_key_or_a_password(unused_port: int) -> None:
    with pytest.raises(AddressError) as bad_key:
        Celeriac(api_key="s3cr\net")
    with (
        at(f"http://user:s3cret@127.0.0.1:{unused_port}") as api,
        pytest.raises(Unreachable, match=f"at http://127.0.0.1:{unused_port}:") as refused,
    ):
        api.models()
    assert "s3cr" not in str(bad_key.value) + str(refused.value)
