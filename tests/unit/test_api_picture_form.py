"""Forms of files, read without werkzeug where they are as clients write them, and as werkzeug reads them."""

from __future__ import annotations

from io import BytesIO

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from api.picture_form import PictureFormParser, read_files

PART = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n%s\r\n'
PIECES = [b"--b", b"--", b"\r\n", b"\n", b"\r", b" ", b"x", PART % b"y", PART[5:-4]]
TWO = PART % b"one" + PART % b"two" + b"--b--\r\n"


def told(files: MultiDict[str, FileStorage]) -> list[tuple[str, str | None, str, bytes]]:
    return [(name, file.filename, str(file.headers), file.stream.read()) for name, file in files.items(multi=True)]


def parsed(parser: type[FormDataParser], body: bytes, boundary: str = "b") -> object:
    try:
        one = parser(lambda *_, **__: BytesIO(), max_form_memory_size=131_072, max_form_parts=3)
        _, form, files = one.parse(BytesIO(body), "multipart/form-data", len(body), {"boundary": boundary})
    except RequestEntityTooLarge:
        return "too large"
    return list(form.items(multi=True)), told(files)


def test_a_form_as_httpx_writes_it_is_read_without_werkzeug() -> None:
    request = httpx.Request("POST", "http://x", files=[("image", ("picture", b"\r\n-- \xff\xd8", "image/jpeg"))] * 2)
    boundary = request.headers["Content-Type"].partition("boundary=")[2].encode()
    files = read_files(request.read(), boundary, max_parts=2)
    assert files is not None
    assert [(name, file.stream.read()) for name, file in files] == [("image", b"\r\n-- \xff\xd8")] * 2


@pytest.mark.parametrize(
    "body",
    [
        TWO,
        TWO.replace(b"--b--\r\n", b"--b--"),
        PART % b"" + b"--b--\r\n",
        PART % b"\r\n\r\n" + b"--b--\r\n",
        # What is not for us, each for another reason.
        b"",
        b"--b--\r\n",
        TWO[:-8],
        TWO.replace(b"\r\n", b"\n"),
        b"preamble\r\n" + TWO,
        TWO + b"epilogue",
        PART % b"x\n--b\r\ny" + b"--b--\r\n",
        PART % b"x--b" + b"--b--\r\n",
        TWO.replace(b"--b\r\n", b"--b \r\n"),
        PART % b"x" * 4 + b"--b--\r\n",
        TWO.replace(b'; filename="a.png"', b""),
        TWO.replace(b'name="image"; ', b""),
        TWO.replace(b"Content-Disposition", b"X"),
        TWO.replace(b"Content-Type: image/png", b"Content-Type: image/png;\r\n charset=x"),
        TWO.replace(b'"a.png"', '"ä.png"'.encode()),
        TWO.replace(b'"a.png"', b'"\xff.png"'),
    ],
)
def test_a_form_is_read_as_werkzeug_reads_it(body: bytes) -> None:
    try:
        wanted = parsed(FormDataParser, body)
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            parsed(PictureFormParser, body)
        return
    assert parsed(PictureFormParser, body) == wanted


@given(
    st.lists(st.sampled_from([b"--b", b"--", b"\r\n", b"\n", b"\r", b" ", b"x", PART % b"y", PART[5:-4]]), max_size=9)
)
def test_any_pieces_of_a_form_are_read_as_werkzeug_reads_them(pieces: list[bytes]) -> None:
    test_a_form_is_read_as_werkzeug_reads_it(b"".join(pieces))
    test_a_form_is_read_as_werkzeug_reads_it(b"".join([PART % b"z", *pieces, b"--b--\r\n"]))


@pytest.mark.parametrize("boundary", ["", "é"])
def test_a_boundary_that_is_none_is_left_to_werkzeug(boundary: str) -> None:
    assert parsed(PictureFormParser, TWO, boundary) == parsed(FormDataParser, TWO, boundary)
