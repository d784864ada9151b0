"""The pictures of a form as the items of a bulk request. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from api.bulk_item import Item, Refused, items_of, other_number
from api.validation import Input
from model_store.errors import PictureError
from model_store.pictures.decoding import read_picture_header
from model_store.signature import Signature
from tasks.picture_list import PICTURES, pack_pictures


class _Picture(NamedTuple):
    data: bytes
    content_type: str
    pixels: int


def cut_pictures(files: Sequence[bytes], signature: Signature, rows_per_job: int, max_pixels: int) -> Iterator[Item]:
    """Pictures, some to a job; of those that have too many pixels together each job gets fewer.

    Args:
        files: encoded.
        signature: of the model.
        rows_per_job: the most.
        max_pixels: of one picture, and of all pictures of one job.
    """
    pictures = (_read(data, max_pixels) for data in files)
    return items_of(pictures, rows_per_job, lambda: _PictureRun(signature, max_pixels))


def _read(data: bytes, max_pixels: int) -> _Picture | Refused:
    try:
        picture_format, width, height = read_picture_header(data, max_pixels)
    except PictureError as error:
        return Refused(error)
    return _Picture(data, f"image/{picture_format.lower()}", width * height)


class _PictureRun:
    """The pictures of one job."""

    def __init__(self, signature: Signature, max_pixels: int) -> None:
        self._signature = signature
        self._left_pixels = max_pixels
        self._pictures: list[_Picture] = []

    @property
    def rows(self) -> int:
        return len(self._pictures)

    def takes(self, picture: _Picture) -> bool:
        return picture.pixels <= self._left_pixels

    def add(self, picture: _Picture) -> None:
        self._pictures.append(picture)
        self._left_pixels -= picture.pixels

    def item(self, first: int) -> Item:
        files = [picture.data for picture in self._pictures]
        # A model that takes one row gets each picture of a job by itself.
        if self._signature.fixed_rows != 1 and (error := other_number("image", self._signature, len(files))):
            return Item(first, len(files), error)
        if len(files) == 1 and self._signature.fixed_rows in (None, 1):
            return Item(first, 1, Input(self._pictures[0].content_type, files[0], 1))
        return Item(first, len(files), Input(PICTURES, pack_pictures(files), len(files)))
