"""Bodies made from good ones by damage: each is refused, or a job whose input its worker can read.

They go to a real server, which has to survive all of them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from werkzeug.test import Client

from model_store.errors import InvalidInput, PictureError
from model_store.pictures.decoding import FORMATS, decode_picture
from model_store.signature import Signature, TensorSpec, check_inputs
from tasks.payload import decode_arrays
from tests.api_process import Api
from tests.damage import damaged
from tests.fuzzing import Forward, Tally, cancel, checked
from tests.http_api import NPY, NPZ, ROWS, TWO_INPUTS, npy, npz

# Pillow warns of what it passes over in a TIFF; a server prints that and goes on.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

MAX_PIXELS = 1_000_000
FORM = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'


def picture(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    shades = np.arange(24 * 16 * 3, dtype="uint8").reshape(16, 24, 3)
    Image.fromarray(shades).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def compressed(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def form(image: bytes) -> bytes:
    file = FORM % (b"image", b'; filename="a.png"\r\nContent-Type: image/png', image)
    return file + FORM % (b"lane", b"", b"bulk") + FORM % (b"min_score", b"", b"0.5") + b"--b--\r\n"


A, B = np.ones((3, 2), "float32"), np.arange(3, dtype="int32")
NPYS = [
    npy([[1, 2, 3, 4]]),
    npy(np.ones((5, 4)), ">f4"),
    npy(np.asfortranarray(np.ones((2, 4), "float32"))),
    npy([["a", "bc"]], "U2"),
]
NPZS = [npz(a=A, b=B), compressed(a=A, b=B)]
GREYS = [picture("PNG", "L"), picture("JPEG", "L"), picture("TIFF", "I;16")]
PICTURES = [picture(kind) for kind in FORMATS] + [picture("PNG", "P"), picture("JPEG", progressive=True), *GREYS]
FORMS = [form(PICTURES[0]), form(PICTURES[1])]
DOCUMENTS = [
    b'{"instances": [[1, 2.5, 3e2, -4], [0, 0, 0, 0]], "parameters": {"lane": "bulk", "tag": "x"}}',
    b'{"inputs": {"x": [[1, 2, 3, 4]]}}',
]
LINES = [
    b'{"id": "a", "instance": [1, 2.5, 3e2, -4]}\n{"inputs": {"x": [0, 0, 0, 0]}}\n\n{"instance": {"x": [1, 2, 3, 4]}}',
    b'{"instance": {"a": [1, 2], "b": 3}}\r\n{"id": null, "inputs": {"a": [1, 2], "b": 4}}\n',
]
TYPES_IN_BULK = [NPY, NPZ, "application/jsonl", "application/x-ndjson", "multipart/form-data; boundary=b", "image/x"]


@pytest.fixture(scope="module")
def http(fuzzed_api: Api, tally: Tally) -> Iterator[Client]:
    with closing(Forward(fuzzed_api.port, tally)) as forward:
        yield Client(forward)


def arrays_fit(payload: bytes, content_type: str, inputs: Any, rows: int) -> None:
    """What the worker makes of an accepted payload is what the API took it for."""
    signature = Signature.from_json({"inputs": inputs, "outputs": {}})
    try:
        arrays = decode_arrays(content_type, payload, signature)
    except InvalidInput:
        return
    assert check_inputs(signature, {name: TensorSpec.of(array) for name, array in arrays.items()}) == rows


@given(body=damaged(NPYS))
def test_a_damaged_npy_is_refused_or_read(http: Client, body: bytes) -> None:
    answer = checked(http.post("/v1/models/digits/jobs", data=body, content_type=NPY))
    if answer.status_code == 202:
        arrays_fit(body, NPY, ROWS, answer.json["rows"])
        cancel(http, answer)


@given(body=damaged(NPZS))
def test_a_damaged_npz_is_refused_or_read(http: Client, body: bytes) -> None:
    answer = checked(http.post("/v1/models/pairs/jobs", data=body, content_type=NPZ))
    if answer.status_code == 202:
        arrays_fit(body, NPZ, TWO_INPUTS, answer.json["rows"])
        cancel(http, answer)


@given(body=damaged(PICTURES), query=st.sampled_from(["", "?annotate=true", "?min_score=0"]))
def test_a_damaged_picture_is_refused_or_decoded(http: Client, body: bytes, query: str) -> None:
    answer = checked(http.post(f"/v1/models/boxes/jobs{query}", data=body, content_type="image/png"))
    if answer.status_code == 202:
        try:
            pixels = decode_picture(body, MAX_PIXELS)
        except PictureError:
            pass
        else:
            assert (pixels.dtype, pixels.shape[2:]) == (np.dtype("uint8"), (3,))
        cancel(http, answer)


@given(
    body=damaged(FORMS),
    boundary=st.one_of(st.just("b"), st.just('"b"'), st.text(st.characters(codec="latin-1", categories=["L", "P"]))),
)
def test_a_damaged_form_is_refused_or_taken(http: Client, body: bytes, boundary: str) -> None:
    content_type = f"multipart/form-data; boundary={boundary}"
    cancel(http, checked(http.post("/v1/models/boxes/jobs", data=body, content_type=content_type)))


@given(body=damaged(DOCUMENTS))
def test_a_damaged_json_document_is_refused_or_taken(http: Client, body: bytes) -> None:
    for path in ("/v1/models/digits/jobs", "/v1/jobs:query"):
        cancel(http, checked(http.post(path, data=body, content_type="application/json")))


@given(
    body=damaged([*NPYS, *NPZS, *PICTURES, *FORMS, *DOCUMENTS]),
    content_type=st.sampled_from([NPY, NPZ, "image/x", "application/json", "multipart/form-data; boundary=b", "", "a"]),
    model=st.sampled_from(["digits", "pairs", "boxes"]),
)
def test_a_body_of_another_kind_than_its_header_says_is_refused_or_taken(
    http: Client, body: bytes, content_type: str, model: str
) -> None:
    answer = checked(http.post(f"/v1/models/{model}/jobs", data=body, content_type=content_type))
    cancel(http, answer)


@given(
    body=damaged([*NPYS, *NPZS, *FORMS, *LINES]),
    content_type=st.sampled_from(TYPES_IN_BULK),
    model=st.sampled_from(["digits", "pairs", "boxes"]),
    rows_per_job=st.sampled_from(["", "1", "2", "100"]),
)
def test_of_a_damaged_bulk_each_row_is_refused_or_taken_once(
    http: Client, body: bytes, content_type: str, model: str, rows_per_job: str
) -> None:
    query = f"?rows_per_job={rows_per_job}" if rows_per_job else ""
    answer = checked(http.post(f"/v1/models/{model}/jobs:bulk{query}", data=body, content_type=content_type))
    if answer.status_code == 202:
        items = answer.json["jobs"]
        assert [item["index"] for item in items] == [sum(one["rows"] for one in items[:i]) for i in range(len(items))]
        for item in items:
            assert "error" in item or http.delete(f"/v1/jobs/{item['id']}").status_code == 200
