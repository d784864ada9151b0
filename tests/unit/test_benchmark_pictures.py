"""The pictures that backfills are measured with."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from benchmarks import picture_files
from benchmarks.picture_files import link_pictures, make_pictures


def test_pictures_are_as_large_as_photographs_and_linked_over_and_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_files, "DIFFERENT", 3)
    make_pictures(tmp_path / "pictures")
    link_pictures(tmp_path / "pictures", tmp_path / "linked", 5)

    linked = sorted((tmp_path / "linked").iterdir())
    files = [file.read_bytes() for file in linked]
    assert [file.name for file in linked] == [f"{number:06}.jpg" for number in range(5)]
    assert files[:2] == files[3:] and len(set(files)) == 3
    assert all(30_000 < len(file) < 80_000 for file in files)
    with Image.open(linked[0]) as picture:
        assert (picture.format, picture.size, picture.mode) == ("JPEG", (500, 375), "RGB")
