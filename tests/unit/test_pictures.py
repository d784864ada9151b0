from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from model_store.errors import PictureError
from model_store.pictures.decoding import crop_box, decode_picture, prepare, read_picture_header
from model_store.signature import TensorSpec
from model_store.spec import ImageSpec

LIMIT = 1_000_000
ORIENTATION = 0x0112
RED = (255, 0, 0)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def picture(width: int = 6, height: int = 4, colour: tuple[int, ...] = RED, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (width, height), colour)


def png_header(width: int, height: int) -> bytes:
    """A PNG that ends where its pixels should begin."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 1000) + b"IDAT"


def refusal(data: bytes, max_pixels: int = LIMIT) -> str:
    with pytest.raises(PictureError) as caught:
        decode_picture(data, max_pixels)
    return str(caught.value)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_each_format_is_read_and_decoded_to_rgb(format: str) -> None:
    data = encoded(picture(), format)
    assert read_picture_header(data, LIMIT) == (format, 6, 4)
    pixels = decode_picture(data, LIMIT)
    assert (pixels.shape, pixels.dtype) == ((4, 6, 3), np.uint8)
    np.testing.assert_allclose(pixels[0, 0].astype(int), RED, atol=4)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation: int) -> None:
    # Given a picture whose left half is red, stored as a camera held this way would
    upright = np.zeros((32, 64, 3), np.uint8)
    upright[:, :32] = RED
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    stored = Image.fromarray(upright)
    if undo is not None:
        stored = stored.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation

    # When it is decoded
    pixels = decode_picture(encoded(stored, "JPEG", exif=exif, quality=100, subsampling=0), LIMIT)

    # Then it is upright
    np.testing.assert_allclose(pixels.astype(int), upright.astype(int), atol=8)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_leaves_the_picture_as_it_is() -> None:
    data = encoded(picture(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert decode_picture(data, LIMIT).shape == (4, 6, 3)


def test_a_phones_jpeg_with_a_second_picture_is_a_jpeg() -> None:
    data = encoded(picture(), "MPO", save_all=True, append_images=[picture(colour=(0, 0, 255))])
    assert read_picture_header(data, LIMIT) == ("JPEG", 6, 4)
    np.testing.assert_allclose(decode_picture(data, LIMIT)[0, 0].astype(int), RED, atol=4)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(format: str) -> None:
    data = encoded(picture(colour=(0, 255, 255, 0), mode="CMYK"), format)
    np.testing.assert_allclose(decode_picture(data, LIMIT)[0, 0].astype(int), RED, atol=4)


def test_a_palette_becomes_its_colours() -> None:
    data = encoded(picture().quantize(4), "PNG")
    assert decode_picture(data, LIMIT)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("mode", "colour", "seen"),
    [
        ("RGBA", (255, 0, 0, 0), [255, 255, 255]),
        ("RGBA", (255, 0, 0, 255), [255, 0, 0]),
        ("RGBA", (255, 0, 0, 128), [255, 127, 127]),
        ("LA", (0, 0), [255, 255, 255]),
        ("LA", (0, 255), [0, 0, 0]),
    ],
)
def test_transparency_shows_white(mode: str, colour: tuple[int, ...], seen: list[int]) -> None:
    assert decode_picture(encoded(picture(colour=colour, mode=mode), "PNG"), LIMIT)[0, 0].tolist() == seen


def test_a_transparent_colour_of_a_palette_shows_white() -> None:
    data = encoded(picture().quantize(4), "PNG", transparency=0)
    assert decode_picture(data, LIMIT)[0, 0].tolist() == [255, 255, 255]


def test_one_bit_becomes_black_and_white() -> None:
    image = picture(mode="1", colour=(0,))
    image.putpixel((0, 0), 1)
    assert decode_picture(encoded(image, "PNG"), LIMIT)[0, :2].tolist() == [[255] * 3, [0] * 3]


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(format: str) -> None:
    values = np.array([[0, 256, 32_768, 65_535]], np.uint16)
    pixels = decode_picture(encoded(Image.fromarray(values), format), LIMIT)
    assert pixels[0].tolist() == [[0] * 3, [1] * 3, [128] * 3, [255] * 3]


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(format: str) -> None:
    frames = [picture(colour=(0, 0, 255)), picture(colour=(0, 255, 0))]
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(picture(), format, save_all=True, append_images=frames, **options)
    assert decode_picture(data, LIMIT)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(("dtype", "kind"), [("float32", "floating-point"), ("int32", "32-bit integer")])
def test_a_tiff_without_a_white_is_refused(dtype: str, kind: str) -> None:
    data = encoded(Image.fromarray(np.zeros((4, 6), dtype)), "TIFF")
    assert f"has {kind} values" in refusal(data)


def test_nothing_at_all_is_no_picture() -> None:
    assert refusal(b"") == "The picture is empty: 0 bytes came."


@pytest.mark.parametrize("data", [b"GIF", b"%PDF-1.7 ...", b"<svg/>", bytes(1000), encoded(picture(), "ICO")])
def test_another_kind_of_file_is_refused_with_the_known_formats(data: bytes) -> None:
    message = refusal(data)
    assert message.startswith(f"The {len(data)} bytes are no picture")
    assert "JPEG, PNG, WEBP, GIF, BMP, TIFF" in message


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_picture_that_is_cut_off_is_refused(format: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), format)
    assert "picture" in refusal(data[: len(data) // 2])


def test_too_many_pixels_are_refused_from_the_header_alone() -> None:
    # Given a file of a few bytes that announces a huge picture
    data = png_header(30_000, 2_000)

    # When only its header is read, or it is to be decoded
    # Then it is refused before any pixel is unfolded
    with pytest.raises(PictureError, match="has 30000 x 2000 = 60000000 pixels, and at most 1000000 are taken"):
        read_picture_header(data, LIMIT)
    assert "at most 1000000" in refusal(data)


def test_more_pixels_than_pillow_allows_are_refused_too() -> None:
    assert "too large" in refusal(png_header(60_000, 60_000))


def test_exactly_as_many_pixels_as_allowed_are_taken() -> None:
    assert read_picture_header(encoded(picture(), "PNG"), 24) == ("PNG", 6, 4)
    with pytest.raises(PictureError):
        read_picture_header(encoded(picture(), "PNG"), 23)


@pytest.mark.parametrize(
    ("crop", "box"),
    [
        (None, (0, 0, 40, 60)),
        ("square", (0, 10, 40, 50)),
        ((0.25, 0.5, 0.75, 1.0), (10, 30, 30, 60)),
        ((0.0, 0.0, 0.001, 0.001), (0, 0, 1, 1)),
        ((0.999, 0.999, 1.0, 1.0), (39, 59, 40, 60)),
    ],
)
def test_the_crop_is_told_in_pixels(crop: str | tuple[float, float, float, float], box: tuple[int, ...]) -> None:
    assert crop_box(ImageSpec(crop=crop), 40, 60) == box


def left_red() -> np.ndarray:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30] = RED
    return pixels


def test_a_picture_goes_in_as_it_is_without_instructions() -> None:
    row = prepare(left_red(), ImageSpec(), TensorSpec("uint8", (None, None, None, 3)))
    assert row.dtype == np.uint8
    np.testing.assert_array_equal(row[0], left_red())


def test_crop_resize_grey_and_scale_are_applied_in_this_order() -> None:
    image = ImageSpec(mode="grey", crop=(0.0, 0.5, 1.0, 1.0), resize=(8, 4), scale=(-1.0, 1.0))
    row = prepare(left_red(), image, TensorSpec("float32", (None, 8, 4, 1)))
    assert (row.shape, row.dtype) == ((1, 8, 4, 1), np.float32)
    np.testing.assert_array_equal(row, -1.0)


def test_the_ends_of_the_scale_are_met() -> None:
    pixels = np.array([[[0] * 3, [255] * 3]], np.uint8)
    row = prepare(pixels, ImageSpec(scale=(-1.0, 1.0)), TensorSpec("float32", (None, None, None, 3)))
    np.testing.assert_allclose(row[0, 0, :, 0], [-1, 1], atol=1e-6)


def test_a_fixed_input_size_resizes_without_being_told() -> None:
    assert prepare(left_red(), ImageSpec(), TensorSpec("float32", (None, 10, 20, 3))).shape == (1, 10, 20, 3)


def test_an_input_with_one_channel_gets_grey_without_being_told() -> None:
    row = prepare(left_red(), ImageSpec(), TensorSpec("uint8", (None, None, None, 1)))
    assert row.shape == (1, 40, 60, 1)
    assert row[0, 0, 0, 0] == 76  # red's share of brightness, ITU-R 601


def test_an_input_without_channels_gets_grey_rows() -> None:
    assert prepare(left_red(), ImageSpec(), TensorSpec("float32", (None, 28, 28))).shape == (1, 28, 28)


def test_whole_numbers_are_rounded_when_scaled() -> None:
    pixels = np.full((1, 1, 3), 129, np.uint8)
    row = prepare(pixels, ImageSpec(scale=(0.0, 100.0)), TensorSpec("int8", (None, None, None, 3)))
    assert (row.dtype, row[0, 0, 0, 0]) == (np.int8, 51)  # 129 / 255 of 100 is 50.6
