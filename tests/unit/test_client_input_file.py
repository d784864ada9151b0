from __future__ import annotations

import io
from pathlib import Path

import pytest

from client.errors import InputFileError
from client.input_file import CONTENT_TYPES, read_input, read_together

NOTHING = io.BytesIO()


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("seven.npy", "application/x-npy"),
        ("many.npz", "application/x-npz"),
        ("rows.json", "application/json"),
        ("STREET.JPG", "image/jpeg"),
        ("street.jpeg", "image/jpeg"),
        ("street.Png", "image/png"),
        ("street.webp", "image/webp"),
        ("street.gif", "image/gif"),
        ("street.bmp", "image/bmp"),
        ("scan.tif", "image/tiff"),
        ("scan.TIFF", "image/tiff"),
    ],
)
def test_a_file_is_sent_unchanged_with_the_content_type_of_its_suffix_in_any_case(
    tmp_path: Path, name: str, content_type: str
) -> None:
    (tmp_path / name).write_bytes(b"\x00\xff as it is\r\n")
    read = read_input(str(tmp_path / name), NOTHING)
    assert (read.content, read.content_type) == (b"\x00\xff as it is\r\n", content_type)


@pytest.mark.parametrize(("name", "found"), [("notes.txt", "'.txt' is not known"), ("notes", "no suffix")])
def test_an_unknown_suffix_is_refused_with_a_sentence_that_lists_the_known_ones(name: str, found: str) -> None:
    with pytest.raises(InputFileError) as caught:
        read_input(name, NOTHING)
    assert found in str(caught.value)
    assert all(suffix in str(caught.value) for suffix in CONTENT_TYPES)


def test_a_content_type_that_is_said_goes_before_the_suffix(tmp_path: Path) -> None:
    (tmp_path / "seven.dat").write_bytes(b"x")
    assert read_input(str(tmp_path / "seven.dat"), NOTHING, "application/x-npy").content_type == "application/x-npy"


def test_standard_input_is_read_when_its_content_type_is_said() -> None:
    read = read_input("-", io.BytesIO(b"[1]"), "application/json")
    assert (read.content, read.content_type) == (b"[1]", "application/json")


def test_standard_input_without_a_content_type_is_refused_before_it_is_read() -> None:
    stdin = io.BytesIO(b"left alone")
    with pytest.raises(InputFileError, match="--content-type"):
        read_input("-", stdin)
    assert stdin.tell() == 0


def test_a_file_that_is_missing_a_folder_or_empty_is_refused_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "empty.npy").touch()
    reasons = {"missing.npy": "No such file", "folder.npy": "directory", "empty.npy": "empty"}
    for name, reason in reasons.items():
        with pytest.raises(InputFileError, match=reason):
            read_input(str(tmp_path / name), NOTHING)


def test_pictures_that_are_sent_together_are_a_form_with_a_field_for_each(tmp_path: Path) -> None:
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8 two")
    names = [str(tmp_path / "b.jpg"), "-"]
    form = read_together(names, io.BytesIO(b"one"), "image/png")
    name, _, boundary = form.content_type.partition("; boundary=")
    assert name == "multipart/form-data"
    first, second, end = form.content.split(f"--{boundary}".encode())[1:]
    assert first.startswith(b'\r\nContent-Disposition: form-data; name="image"; filename=')
    assert first.endswith(b"Content-Type: image/png\r\n\r\n\xff\xd8 two\r\n")
    assert second.endswith(b"\r\n\r\none\r\n")
    assert end == b"--\r\n"


def test_of_files_that_are_sent_together_the_one_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(InputFileError, match=r"missing\.png: It cannot be read"):
        read_together([str(tmp_path / "a.png"), str(tmp_path / "missing.png")], NOTHING)
