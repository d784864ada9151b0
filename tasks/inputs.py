"""A job's input bytes as the arrays that its model takes. No network, no Redis."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from model_store.errors import InvalidInput
from model_store.pictures.decoding import View, crop_box, decode_picture, prepare
from model_store.pictures.encoded import encode, seen_size, takes_files
from model_store.rows.uneven import Part, stack
from model_store.spec import ImageSpec
from tasks.job import Job
from tasks.payload import ARRAY_TYPES, Arrays, decode_arrays
from tasks.picture_list import PICTURES, unpack_pictures

if TYPE_CHECKING:
    # Brings TensorFlow, and this module is loaded by Flower and the keeper too.
    from model_store.model import Model

Pixels = np.ndarray[Any, Any]
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


class ForEach(Protocol):
    """As `map`, the results in the order of what they are made of; perhaps by several threads."""

    def __call__(self, make: Callable[[_Given], _Made], given: Sequence[_Given], /) -> Iterable[_Made]:
        """What is made of each."""


@dataclass(frozen=True)
class Picture:
    """A picture that a row was made of.

    Attributes:
        view: What the model saw of it.
        pixels: uint8 (height, width, 3), RGB, upright; None where nothing is to be drawn on it.
    """

    view: View
    pixels: Pixels | None = None


@dataclass(frozen=True)
class Inputs:
    """A job's inputs as the model takes them.

    Attributes:
        arrays: All rows, or where they have different sizes those of the first part.
        pictures: The picture that each row was made of; none where the job brought arrays.
        parts: Where the rows do not make one array; empty else.
        kind: What must be equal, beside the shapes of arrays, for jobs to share a call; None for nothing.
    """

    arrays: Arrays
    pictures: Sequence[Picture] = ()
    parts: Sequence[Part] = ()
    kind: Hashable = None


def decode_inputs(model: Model, job: Job, payload: bytes, max_image_pixels: int, for_each: ForEach = map) -> Inputs:
    """A job's input as arrays; `for_each` may decode several pictures at once.

    Raises:
        InvalidInput, PictureError: it is none that the model can take.
    """
    if job.content_type in ARRAY_TYPES:
        return Inputs(decode_arrays(job.content_type, payload, model.signature))
    if model.image is None or model.image.input is None:
        raise InvalidInput("inputs", "arrays", "a picture, which this version of the model does not take")
    files = unpack_pictures(payload) if job.content_type == PICTURES else [payload]
    image, keeps_pixels = model.image, job.annotate
    made = list(for_each(lambda file: _decode_picture(model, image, file, max_image_pixels, keeps_pixels), files))
    pictures = [picture for _, picture in made]
    # A model that takes one row, and no others in calls of their own, gets each picture by itself all the same.
    takes_one = model.signature.fixed_rows == 1 or model.image.input not in model.signature.row_inputs
    kinds = range(len(made)) if takes_one else [picture.view.seen for picture in pictures]
    parts = stack([{model.image.input: row} for row, _ in made], kinds)
    # Whoever decodes files can stack pictures of one size only.
    is_decoded = not takes_files(model.signature.inputs[model.image.input])
    kind = None if is_decoded else pictures[0].view.seen
    return Inputs(parts[0].arrays, pictures, parts if len(parts) > 1 else (), kind)


def _decode_picture(
    model: Model, image: ImageSpec, data: bytes, max_pixels: int, keeps_pixels: bool
) -> tuple[Pixels, Picture]:
    """One row, and the picture that it was made of."""
    pixels = decode_picture(data, max_pixels)
    tensor = model.signature.inputs[image.input or ""]
    if takes_files(tensor):
        row, seen = encode(data, pixels, image, tensor), seen_size(pixels, image)
    else:
        row = prepare(pixels, image, tensor)
        seen = row.shape[1], row.shape[2]
    height, width = pixels.shape[:2]
    view = View((height, width), crop_box(image, height, width), seen)
    return row, Picture(view, pixels if keeps_pixels else None)
