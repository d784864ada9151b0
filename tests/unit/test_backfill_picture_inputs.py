"""Folders, patterns and lists of pictures: their order and keys, and what is left out or refused."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.backfill.inputs.opening import open_source
from client.backfill.inputs.options import ReadOptions
from client.backfill.inputs.picture_bytes import MAX_PICTURE_BYTES
from client.backfill.inputs.picture_files import natural_order
from client.errors import InputError
from tests.backfill_inputs import PICTURE, VECTOR, keys_of, pictures_of, read_all, refusals_of

PNG = b"\x89PNG\r\n\x1a\n"


def lay(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PNG + name.encode())


def keys(*names: str | Path) -> list[str]:
    return keys_of(read_all(open_source([str(name) for name in names], PICTURE)))


def test_a_folder_is_gone_through_in_natural_order_with_the_folders_in_it(tmp_path: Path) -> None:
    lay(tmp_path, "img10.png", "img2.JPG", "b/2.png", "b/10.png", "a.gif", "b.webp", "img02.tif", "deep/er/1.bmp")
    rows = read_all(open_source(str(tmp_path), PICTURE))
    expected = ["a.gif", "b/2.png", "b/10.png", "b.webp", "deep/er/1.bmp", "img2.JPG", "img02.tif", "img10.png"]
    assert keys_of(rows) == expected
    assert pictures_of(rows) == [PNG + key.encode() for key in expected]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text("0123", min_size=1, max_size=5)), unique=True))
def test_natural_order_is_the_order_of_the_numbers_and_always_the_same(parts: Sequence[tuple[str, str]]) -> None:
    names = [letter + digits for letter, digits in parts]
    ordered = sorted(names, key=natural_order)
    assert ordered == sorted(reversed(names), key=natural_order)
    by_letter = {letter: [int(name.lstrip("abc")) for name in ordered if name[0] == letter] for letter in "abc"}
    assert all(numbers == sorted(numbers) for numbers in by_letter.values())


def test_what_is_left_out_of_a_folder_is_told(tmp_path: Path) -> None:
    lay(tmp_path, "1.png", ".hidden.png", ".cache/2.png", "notes.txt", "labels.csv")
    (tmp_path / "loop").symlink_to(tmp_path)
    source = open_source(str(tmp_path), PICTURE)
    assert keys_of(read_all(source)) == ["1.png"]
    assert set(source.notes) == {
        "Left out: 2 hidden files and folders.",
        "Left out: 2 files that are no pictures by their names.",
        "Left out: 1 links to folders.",
    }


def test_a_file_that_is_no_picture_or_cannot_be_read_is_an_unread_row(tmp_path: Path) -> None:
    lay(tmp_path, "1.png", "5.png")
    (tmp_path / "2.png").write_bytes(b"")
    (tmp_path / "3.jpg").write_bytes(b"<html>404</html>")
    (tmp_path / "4.jpg").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "6.png")
    with (tmp_path / "7.png").open("wb") as file:
        file.write(PNG)
        file.truncate(MAX_PICTURE_BYTES + 1)
    rows = read_all(open_source(str(tmp_path), PICTURE))
    assert keys_of(rows) == ["1.png", "2.png", "3.jpg", "4.jpg", "5.png", "6.png", "7.png"]
    reasons = {position: reason.removeprefix(f"{tmp_path}/") for position, reason in refusals_of(rows).items()}
    assert reasons == {
        1: "2.png is empty; expected a picture.",
        2: "3.jpg does not begin as a JPEG, PNG, WebP, GIF, BMP or TIFF does.",
        3: "4.jpg cannot be read: No such file or directory.",
        5: "6.png is no file.",
        6: "7.png has more than 67108864 bytes, the most that a picture may have.",
    }


def test_keys_of_a_pattern_are_relative_to_the_folder_before_it(tmp_path: Path) -> None:
    lay(tmp_path, "p/a/1.png", "p/b/2.png", "p/b/.3.png", "p/b/x.txt", "q/4.png")
    assert keys(tmp_path / "p/*/*.png") == ["a/1.png", "b/2.png"]
    assert keys(tmp_path / "p/**/*") == ["a/1.png", "b/2.png"]
    assert keys(tmp_path / "**/[124].png") == ["p/a/1.png", "p/b/2.png", "q/4.png"]


def test_several_names_follow_each_other_and_keys_are_relative_to_what_they_have_in_common(tmp_path: Path) -> None:
    lay(tmp_path, "p/1.png", "q/1.png", "q/2.png")
    assert keys(tmp_path / "q", tmp_path / "p") == ["q/1.png", "q/2.png", "p/1.png"]
    assert keys(tmp_path / "q/2.png", tmp_path / "q/1.png") == ["2.png", "1.png"]
    with pytest.raises(InputError, match=r"'q/1\.png' stands in row 0 and in row 2"):
        keys(tmp_path / "q", tmp_path / "q/1.png", tmp_path / "p")


def test_a_file_whose_name_has_special_characters_or_is_no_utf8_is_found(tmp_path: Path) -> None:
    lay(tmp_path, "a[1]*.png", "new\nline.png")
    (tmp_path / os.fsdecode(b"\xff.png")).write_bytes(PNG)
    assert keys(tmp_path) == ["a[1]*.png", "new\nline.png", "\\xff.png"]
    assert keys(tmp_path / "a[1]*.png") == ["a[1]*.png"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nothing.png", "nothing.png does not exist"),
        ("empty", "There is no picture in .*empty. Left out: 1 files that are no pictures"),
        ("*.jpg", r"The pattern .*\*.jpg' matches no file"),
        ("thing.xyz", r"thing.xyz says not what it is; expected .npy, .*--format"),
    ],
)
def test_a_name_that_stands_for_no_picture_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "x.txt").touch()
    with pytest.raises(InputError, match=sentence):
        open_source(str(tmp_path / name), PICTURE)


def test_a_model_that_takes_no_pictures_refuses_them_with_what_it_takes(tmp_path: Path) -> None:
    lay(tmp_path, "1.png")
    with pytest.raises(InputError, match=r"'digits' takes no pictures; a row of it is x: float32 of shape \(4,\)"):
        open_source(str(tmp_path), VECTOR)


def test_a_list_of_paths_is_relative_to_its_folder_and_its_lines_are_the_keys(tmp_path: Path) -> None:
    lay(tmp_path, "p/2.png", "p/1.png")
    (tmp_path / os.fsdecode(b"\xff.png")).write_bytes(PNG)
    (tmp_path / "list.txt").write_bytes(b"p/2.png\r\n\n" + os.fsencode(tmp_path) + b"/p/1.png\ngone.png\n\xff.png")
    source = open_source(str(tmp_path / "list.txt"), PICTURE)
    rows = read_all(source)
    assert source.total_rows == 4
    assert keys_of(rows) == ["p/2.png", f"{tmp_path}/p/1.png", "gone.png", "\\xff.png"]
    assert pictures_of(rows) == [PNG + b"p/2.png", PNG + b"p/1.png", PNG]
    assert refusals_of(rows) == {2: "gone.png cannot be read: No such file or directory."}
    assert keys_of(read_all(source, position=2)) == ["gone.png", "\\xff.png"]
    (tmp_path / "list.txt").write_text("p/1.png\np/2.png\np/1.png\n")
    with pytest.raises(InputError, match=r"'p/1\.png' stands in row 0 and in row 2"):
        open_source(str(tmp_path / "list.txt"), PICTURE)


def test_tables_of_text_may_name_pictures(tmp_path: Path) -> None:
    lay(tmp_path, "1.png", "2.png")
    (tmp_path / "x.csv").write_text("label,path,name\n3,1.png,a\n4,2.png,b\n")
    rows = read_all(open_source(str(tmp_path / "x.csv"), PICTURE, ReadOptions(id_column="name")))
    assert (keys_of(rows), len(pictures_of(rows))) == (["a", "b"], 2)
    lines = [
        '{"image": "1.png", "id": "a"}',
        '"2.png"',
        '{"instance": {"b64": "iVBORw0KGgo="}}',
        "[1]",
        "{}",
        '"\\ud800.png"',
        '"\\u0000"',
    ]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    rows = read_all(open_source(str(tmp_path / "x.jsonl"), PICTURE))
    assert keys_of(rows) == ["a", *(f"row {number}" for number in range(1, 7))]
    assert pictures_of(rows) == [PNG + b"1.png", PNG + b"2.png", PNG]
    assert list(refusals_of(rows)) == [3, 4, 5, 6]
    assert refusals_of(rows)[5].startswith("\\ud800.png cannot be read")


def test_a_portion_of_pictures_has_no_more_bytes_than_asked_for(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(PNG.ljust(100))
    with_bytes = open_source(str(tmp_path), PICTURE).read(0)
    sizes = []
    while portion := with_bytes.next(10, 250):
        sizes.append(len(pictures_of(portion)))
    assert sizes == [2, 2, 1]


def test_a_list_on_standard_input_is_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path, "p/1.png")
    monkeypatch.chdir(tmp_path)
    source = open_source("-", PICTURE, format="paths", stdin=io.BytesIO(b"p/1.png\n"))
    assert pictures_of(read_all(source)) == [PNG + b"p/1.png"]
    source.close()
