"""Picture files for models that decode them themselves: a string input takes the file's bytes.

The Object Detection API exports such models too, with the input types `encoded_image_string_tensor` and `tf_example`;
the latter takes the file within a `tf.train.Example` (tensorflow/core/example/example.proto), under `image/encoded`.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from model_store.pictures.decoding import crop_box, seen_picture
from model_store.signature import TensorSpec
from model_store.spec import WRAPS, ImageSpec

#: By the names of inputs; a model whose input has another is tried with each of `WRAPS`.
_BY_NAME = {"tf_example": ("example",), "encoded_image_string_tensor": ("none",)}
_EXAMPLE_KEY = b"image/encoded"

#: What TensorFlow's decode_image reads as Pillow does: no palettes of GIF, no four colours of JPEG, no EXIF to turn.
_READ_ALIKE = {("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGB"), ("PNG", "L")}
_EXIF_ORIENTATION = 0x0112


def takes_files(tensor: TensorSpec) -> bool:
    """Whether an input can take picture files: a string for each row, or one string."""
    return tensor.dtype == "string" and tensor.rank in (0, 1, None)


def possible_wraps(image: ImageSpec) -> tuple[str, ...]:
    """What a picture may have to be wrapped in, the likeliest first."""
    if image.wrap is not None:
        return (image.wrap,)
    return _BY_NAME.get((image.input or "").rpartition("/")[2], WRAPS)


def encode(data: bytes, pixels: np.ndarray, image: ImageSpec, tensor: TensorSpec) -> np.ndarray:
    """Make one row of a model's input from a picture file.

    The file is handed through as it is where the model will see in it what everybody sees; else, or where model.toml
    asks for a part of it or another size, as a PNG of what is to be seen.

    Args:
        data: The file; empty where there is none.
        pixels: uint8 (height, width, 3), decoded from it and upright.
        image: What model.toml says about pictures.
        tensor: The input that takes it.

    Returns:
        The bytes in an array of objects, (1,), or () where the input is one string.
    """
    file = data if data and _is_plain(image) and _reads_alike(data) else _png(pixels, image)
    row = np.array(_example(file) if image.wrap == "example" else file, dtype=object)
    return row if tensor.rank == 0 else row[np.newaxis]


def seen_size(pixels: np.ndarray, image: ImageSpec) -> tuple[int, int]:
    """Height and width of the picture that the model gets."""
    top, left, bottom, right = crop_box(image, pixels.shape[0], pixels.shape[1])
    return image.resize or (bottom - top, right - left)


def _is_plain(image: ImageSpec) -> bool:
    return image.crop is None and image.resize is None and image.mode is None


def _reads_alike(data: bytes) -> bool:
    with Image.open(BytesIO(data)) as picture:
        is_turned = picture.getexif().get(_EXIF_ORIENTATION, 1) != 1
        is_other = is_turned or picture.has_transparency_data
        return (str(picture.format), picture.mode) in _READ_ALIKE and not is_other


def _png(pixels: np.ndarray, image: ImageSpec) -> bytes:
    picture = seen_picture(pixels, image, image.resize, is_grey=image.mode == "grey")
    buffer = BytesIO()
    # It is unpacked at once, so a small file is not worth the time.
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _example(file: bytes) -> bytes:
    """A `tf.train.Example` with the file, as protobuf writes it."""
    feature = _field(1, _field(1, file))
    return _field(1, _field(1, _field(1, _EXAMPLE_KEY) + _field(2, feature)))


def _field(number: int, content: bytes) -> bytes:
    """A field of bytes or of a message: tag, length, content (protobuf's encoding, wire type 2)."""
    length, size = bytearray(), len(content)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + content
