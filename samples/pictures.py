"""The demo's pictures: two of scikit-image's sample images, and what is cut out of them.

Sources: astronaut.png shows Eileen Collins, by NASA, public domain; camera.png is by Lav Varshney, CC0. Both come in
the scikit-image 0.26.0 wheel (BSD-3-Clause), from which only these two files are unpacked.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from PIL import Image

from samples.wheels import Member, Wheel, read_member

SCIKIT_IMAGE = Wheel(
    "scikit-image==0.26.0",
    "scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
    target=(
        *("--platform", "manylinux_2_28_x86_64"),
        *("--python-version", "311", "--implementation", "cp", "--abi", "cp311"),
    ),
)
PICTURES = {
    "astronaut.png": Member(
        SCIKIT_IMAGE,
        "skimage/data/astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    ),
    "camera.png": Member(
        SCIKIT_IMAGE, "skimage/data/camera.png", "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a"
    ),
}

# Pixels left, top, right, bottom of the 512 x 512 originals.
FACE_BOX = (165, 60, 285, 180)
GLOVES_BOX = (197, 137, 331, 226)


def prepare_picture(name: str, cache: Path) -> bool:
    """Put a picture into `cache`/pictures; False when it is there already, byte for byte.

    Raises:
        SampleError: It cannot be downloaded or is not the pinned one.
    """
    file = _file(name, cache)
    if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == PICTURES[name].sha256:
        return False
    content = read_member(PICTURES[name], cache)
    file.parent.mkdir(parents=True, exist_ok=True)
    half_written = file.with_suffix(".part")
    half_written.write_bytes(content)
    half_written.replace(file)
    return True


def face(cache: Path) -> bytes:
    """The astronaut's face, 120 x 120, as PNG in colour."""
    with Image.open(_file("astronaut.png", cache)) as picture:
        return _png(picture.crop(FACE_BOX))


def gloves(cache: Path) -> bytes:
    """The photographer's two gloved hands, 400 x 266, as PNG in grey.

    Enlarged, because the hand detector was trained on close-ups: in the whole picture it finds neither hand. The cut
    was chosen among many for being one where it finds both, and nothing else.
    """
    with Image.open(_file("camera.png", cache)) as picture:
        return _png(picture.crop(GLOVES_BOX).resize((400, 266), Image.Resampling.LANCZOS))


def portrait(cache: Path) -> bytes:
    """The astronaut down to the waist, 512 x 512, as JPEG in colour; no hand is in the picture."""
    content = io.BytesIO()
    with Image.open(_file("astronaut.png", cache)) as picture:
        picture.save(content, "JPEG", quality=90)
    return content.getvalue()


def _file(name: str, cache: Path) -> Path:
    return cache / "pictures" / name


def _png(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "PNG", optimize=True)
    return content.getvalue()
