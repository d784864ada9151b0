"""From a picture file to a model's input: judge the header, decode to RGB, crop, resize and scale."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

from model_store.errors import PictureError
from model_store.signature import TensorSpec
from model_store.spec import ImageSpec

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")

# Modes whose values have no fixed white, so no 8-bit picture follows from them.
UNSCALED_MODES = {"F": "floating-point", "I": "32-bit integer"}

# What Pillow raises at damaged files, beside OSError; the warning where warnings are errors.
BOMB_ERRORS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
DAMAGE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error)

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class View:
    """What a model saw of a picture.

    Attributes:
        size: Height and width of the whole picture in pixels, upright.
        crop: The part that it saw: top, left, bottom, right in pixels of the picture.
        seen: Height and width of what it was given, after any resizing.
    """

    size: tuple[int, int]
    crop: Box
    seen: tuple[int, int]

    @classmethod
    def whole(cls, height: int, width: int) -> View:
        """All of it, as it is."""
        return cls((height, width), (0, 0, height, width), (height, width))


def read_picture_header(data: bytes, max_pixels: int) -> tuple[str, int, int]:
    """Read format, width and height without decoding; those are before any rotation that EXIF asks for.

    Raises:
        PictureError: The bytes are no picture of a known format, or it has more than `max_pixels` pixels.
    """
    with _open(data, max_pixels) as image:
        return _format_name(image), image.width, image.height


def decode_picture(data: bytes, max_pixels: int) -> np.ndarray:
    """Decode a picture to uint8 (height, width, 3), RGB, upright.

    EXIF's rotation is applied, transparency shows white, 16-bit grey is scaled to 8 bits, and of an animation the first
    frame is taken.

    Raises:
        PictureError: As for `read_picture_header`, or the file is damaged, or its values are no 8- or 16-bit colours.
    """
    with _open(data, max_pixels) as image:
        name = _format_name(image)
        if image.mode in UNSCALED_MODES:
            kind = UNSCALED_MODES[image.mode]
            raise PictureError(f"The {name} picture has {kind} values, whose white is unknown; send 8 or 16 bits.")
        try:
            image.load()
            return np.asarray(_to_rgb(_upright(image)))
        except BOMB_ERRORS:
            raise PictureError(f"The {name} picture unfolds to more pixels than its header says.") from None
        except DAMAGE_ERRORS as error:
            raise PictureError(f"The {name} picture is damaged or cut off: {error}.") from None


def _open(data: bytes, max_pixels: int) -> Image.Image:
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except BOMB_ERRORS as error:
        raise PictureError(f"The picture is too large: {error}") from None
    except DAMAGE_ERRORS:
        raise PictureError(_not_a_picture(data)) from None
    if image.width * image.height > max_pixels:
        raise PictureError(
            f"The picture has {image.width} x {image.height} = {image.width * image.height} pixels, "
            f"and at most {max_pixels} are taken; send a smaller one."
        )
    return image


def _not_a_picture(data: bytes) -> str:
    if not data:
        return "The picture is empty: 0 bytes came."
    return f"The {len(data)} bytes are no picture of a known format; known are {', '.join(FORMATS)}."


def _format_name(image: Image.Image) -> str:
    """Phones write JPEG files that hold a second picture, which Pillow calls MPO."""
    return "JPEG" if image.format == "MPO" else str(image.format)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    # A picture with broken EXIF is still a picture.
    except DAMAGE_ERRORS:
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def crop_box(image: ImageSpec, height: int, width: int) -> Box:
    """The part of a picture that the model sees, as (top, left, bottom, right) in pixels, at least one each way."""
    if image.crop is None:
        return 0, 0, height, width
    if isinstance(image.crop, str):
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return top, left, top + side, left + side
    ymin, xmin, ymax, xmax = image.crop
    top, left = min(round(ymin * height), height - 1), min(round(xmin * width), width - 1)
    return top, left, max(round(ymax * height), top + 1), max(round(xmax * width), left + 1)


def prepare(pixels: np.ndarray, image: ImageSpec, tensor: TensorSpec) -> np.ndarray:
    """Make one row of a model's input from a picture.

    Args:
        pixels: uint8 (height, width, 3), as `decode_picture` gives them.
        image: What model.toml says about pictures.
        tensor: The input that takes it; its last size decides between grey and RGB where `image` does not, and its own
            height and width are used where they are fixed and `image` has none.

    Returns:
        (1, height, width, channels) of the input's dtype, or (1, height, width) where the input has no channels.
    """
    picture = seen_picture(pixels, image, image.resize or _fixed_size(tensor), _is_grey(image, tensor))
    row = _scaled(np.asarray(picture), image, np.dtype(tensor.dtype))
    return row[np.newaxis, :, :, np.newaxis] if row.ndim == 2 and tensor.rank != 3 else row[np.newaxis]


def seen_picture(pixels: np.ndarray, image: ImageSpec, size: tuple[int, int] | None, is_grey: bool) -> Image.Image:
    """The part of a picture that the model sees, in a size of (height, width); None keeps its own."""
    top, left, bottom, right = crop_box(image, pixels.shape[0], pixels.shape[1])
    picture = Image.fromarray(pixels[top:bottom, left:right])
    if is_grey:
        picture = picture.convert("L")
    return picture.resize((size[1], size[0]), Image.Resampling.BILINEAR) if size else picture


def _is_grey(image: ImageSpec, tensor: TensorSpec) -> bool:
    if image.mode is not None:
        return image.mode == "grey"
    return tensor.rank == 3 or (tensor.shape is not None and tensor.shape[-1] == 1)


def _fixed_size(tensor: TensorSpec) -> tuple[int, int] | None:
    height, width = tensor.shape[1:3] if tensor.shape else (None, None)
    return (height, width) if height and width else None


def _scaled(values: np.ndarray, image: ImageSpec, dtype: np.dtype) -> np.ndarray:
    if image.scale is None:
        return values.astype(dtype)
    low, high = image.scale
    scaled = values * np.float32((high - low) / 255) + np.float32(low)
    return (np.rint(scaled) if dtype.kind in "iu" else scaled).astype(dtype)
