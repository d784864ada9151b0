"""What is sent for a job: bytes and what they are."""

from __future__ import annotations

from dataclasses import dataclass

from client.errors import InputError

NPY = "application/x-npy"
NPZ = "application/x-npz"
JSON = "application/json"

#: How files of each kind begin (numpy.lib.format; PKWARE's APPNOTE 4.3.7; the formats' own specifications).
_BEGINNINGS = (
    (b"\x93NUMPY", NPY),
    (b"PK\x03\x04", NPZ),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
)


@dataclass(frozen=True)
class Payload:
    """A request's body and its content type."""

    content: bytes
    content_type: str


def sniff(content: bytes) -> str | None:
    """The content type by the first bytes; None for what is no array file, no picture and no JSON object."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    for beginning, content_type in _BEGINNINGS:
        if content.startswith(beginning):
            return content_type
    return JSON if content[:64].lstrip().startswith(b"{") else None


def is_picture_type(content_type: str | None) -> bool:
    """Whether it is that of a picture."""
    return content_type is not None and content_type.startswith("image/")


def of_bytes(content: bytes, content_type: str | None = None) -> Payload:
    """Bytes as they are, of the given content type, or of the one by which they begin.

    Raises:
        InputError: They are empty, or of no kind that is known here.
    """
    if not content:
        raise InputError("It is empty; a job needs inputs.")
    resolved = content_type or sniff(content)
    if resolved is None:
        raise InputError(
            "Expected the bytes of a .npy or .npz file, a picture or a JSON object; they begin otherwise. "
            "Say content_type, or send texts as a list or an array of them."
        )
    return Payload(content, resolved)
