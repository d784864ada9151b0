"""What a file is by its first bytes: a model of a kind that can be opened, one of another kind, or none. No TensorFlow.

The marks are those of the formats' own descriptions; a name only decides where bytes cannot.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model_store.errors import LoadError
from model_store.store import GRAPH_SUFFIXES

# Enough for every mark below; a tar's is the farthest.
START_BYTES = 1024
# The last eight bytes of a checkpoint's index (tensorflow/tsl/lib/io/format.h).
INDEX_END = bytes.fromhex("57fb808b247547db")

KERAS_HDF5, KERAS_ZIP, SAVED_MODEL, GRAPH, GRAPH_TEXT = "keras_hdf5", "keras_zip", "saved_model", "graph", "graph_text"
OTHER = "other"

# Before the first field of the text form of a protocol buffer.
COMMENTS = re.compile(r"\A(?:#[^\n]*\n\s*)+")

# The first field is the version of the format; that of a SavedModel is 1.
ONNX_STARTS = tuple(bytes([8, version]) for version in range(3, 20))

EXPORT = 'Export it as a SavedModel with model.export("folder") where it was made.'
CONVERT = "Celeriac serves TensorFlow and Keras models: export a SavedModel or a Keras file of it where it was made."
UNPACK = "Unpack it, and keep the model in a folder."
DOWNLOAD = "Download the file itself."


@dataclass(frozen=True)
class FileFormat:
    """What a file is.

    Attributes:
        name: One of the constants above; `OTHER` for all that cannot be opened.
        what: For messages, with its article, such as "a PNG picture".
        advice: What to do with it; empty where it can be opened, or nothing can be said.
    """

    name: str
    what: str
    advice: str = ""


PICKLE = FileFormat(OTHER, "a pickle, as PyTorch writes them, which is code", CONVERT)
UNKNOWN = FileFormat(OTHER, "of a kind that Celeriac does not know")

STARTS: tuple[tuple[bytes, FileFormat], ...] = (
    (b"\x89HDF\r\n\x1a\n", FileFormat(KERAS_HDF5, "an HDF5 file")),
    (b"\x89PNG\r\n\x1a\n", FileFormat(OTHER, "a PNG picture")),
    (b"\xff\xd8\xff", FileFormat(OTHER, "a JPEG picture")),
    (b"GIF8", FileFormat(OTHER, "a GIF picture")),
    (b"PK\x03\x04", FileFormat(OTHER, "only the beginning of a zip archive", "Copy it again.")),
    (b"%PDF", FileFormat(OTHER, "a PDF document")),
    (b"\x1f\x8b", FileFormat(OTHER, "a gzip archive", UNPACK)),
    (b"BZh", FileFormat(OTHER, "a bzip2 archive", UNPACK)),
    (b"\xfd7zXZ\0", FileFormat(OTHER, "an xz archive", UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", FileFormat(OTHER, "a 7z archive", UNPACK)),
    (b"GGUF", FileFormat(OTHER, "a GGUF language model", CONVERT)),
    (b"\x93NUMPY", FileFormat(OTHER, "a numpy array")),
    *((b"\x80" + bytes([protocol]), PICKLE) for protocol in range(2, 6)),
    (b"version https://git-lfs", FileFormat(OTHER, "a pointer of Git LFS", "Fetch the file with `git lfs pull`.")),
)
WEB_PAGE = FileFormat(OTHER, "a web page", DOWNLOAD)
CHECKPOINT = FileFormat(
    OTHER,
    "a part of a checkpoint, which has weights and no model",
    "Load it in its own code, then export a SavedModel.",
)
TFLITE = FileFormat(OTHER, "a TensorFlow Lite model", f"Find the model that it was converted from. {EXPORT}")
ONNX = FileFormat(OTHER, "an ONNX model", CONVERT)
PYTORCH = FileFormat(OTHER, "a PyTorch model", CONVERT)
TENSORFLOW_JS = FileFormat(OTHER, "a model's description in JSON, without weights", EXPORT)
TEXT_GRAPH = FileFormat(GRAPH_TEXT, "a graph in text form")
TEXT = FileFormat(OTHER, "a text file")
LABEL_MAP = FileFormat(OTHER, "a list of the names of a detector's classes", "It belongs beside its graph.")
# Of a GraphDef and of the MetaGraphDef around one.
GRAPH_FIELDS = ("node {", "node{", "library {", "versions {", "meta_info_def {", "graph_def {")


def recognize(path: Path) -> FileFormat:
    """Tell what a file is.

    Raises:
        LoadError: It is empty or cannot be read, or is a pipe or a device, which could be waited for without end.
    """
    if path.exists() and not path.is_file():
        raise LoadError(f"{path} is not a file.")
    try:
        with path.open("rb") as file:
            start = file.read(START_BYTES)
            size_bytes = file.seek(0, 2)
            file.seek(max(0, size_bytes - len(INDEX_END)))
            end = file.read()
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {error.strerror}.") from None
    if not start:
        raise LoadError(f"{path} is empty.")
    if zipfile.is_zipfile(path):
        return _of_zip(path)
    return _by_start(start) or _by_place(path, start, end) or _of_text(path, start) or _by_name(path)


def _by_start(start: bytes) -> FileFormat | None:
    return next((found for mark, found in STARTS if start.startswith(mark)), None)


def _by_place(path: Path, start: bytes, end: bytes) -> FileFormat | None:
    """By marks that are not at the beginning, or that mean something together with the name."""
    marks: tuple[tuple[bool, FileFormat], ...] = (
        (start[4:8] == b"TFL3", TFLITE),
        (start[:4] == b"RIFF" and start[8:12] == b"WEBP", FileFormat(OTHER, "a WebP picture")),
        (start[:2] == b"BM" and start[6:10] == bytes(4), FileFormat(OTHER, "a BMP picture")),
        (start[257:262] == b"ustar", FileFormat(OTHER, "a tar archive", UNPACK)),
        (start[8:10] == b'{"' and start[5:8] == b"\0\0\0", FileFormat(OTHER, "a file of safetensors", CONVERT)),
        (end == INDEX_END or ".data-0" in path.name or path.suffix == ".ckpt", CHECKPOINT),
        (path.suffix.lower() == ".onnx" or (start[:2] in ONNX_STARTS and b"onnx" in start), ONNX),
        (start[:3] == b"\x08\x01\x12", FileFormat(SAVED_MODEL, "a SavedModel's file")),
    )
    return next((found for is_it, found in marks if is_it), None)


def _of_text(path: Path, start: bytes) -> FileFormat | None:
    try:
        text = start.decode("utf-8-sig").lstrip() if b"\0" not in start else ""
    except UnicodeDecodeError as error:
        # The last character may be cut in two.
        text = start[: error.start].decode().lstrip() if error.start > len(start) - 4 else ""
    if not text.isprintable() and any(not sign.isprintable() and not sign.isspace() for sign in text):
        return None
    begins: tuple[tuple[tuple[str, ...], FileFormat], ...] = (
        (GRAPH_FIELDS, TEXT_GRAPH),
        (("item {", "item{"), LABEL_MAP),
        (("saved_model_schema_version", "meta_graphs {"), FileFormat(SAVED_MODEL, "a SavedModel's file in text form")),
        (("<!doctype html", "<html"), WEB_PAGE),
        (("{",), TENSORFLOW_JS if "class_name" in text or "modelTopology" in text else TEXT),
        (("model_checkpoint_path:",), CHECKPOINT),
    )
    content = COMMENTS.sub("", text).lower()
    found = next((kind for marks, kind in begins if content.startswith(marks)), None)
    if found is None and text and path.suffix.lower() in GRAPH_SUFFIXES:
        return TEXT_GRAPH
    return found or (TEXT if text else None)


def _by_name(path: Path) -> FileFormat:
    return FileFormat(GRAPH, "a graph") if path.suffix.lower() in GRAPH_SUFFIXES else UNKNOWN


def _of_zip(path: Path) -> FileFormat:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise LoadError(f"{path} is a damaged zip archive: {error}.") from None
    tests: tuple[tuple[Callable[[str], bool], FileFormat], ...] = (
        (lambda name: name == "config.json", FileFormat(KERAS_ZIP, "a zip archive")),
        (lambda name: name.endswith(("data.pkl", "constants.pkl")), PYTORCH),
        (lambda name: name.endswith("saved_model.pb"), FileFormat(OTHER, "a zip archive of a SavedModel", UNPACK)),
        (lambda name: name.endswith(".npy"), FileFormat(OTHER, "a numpy archive of arrays")),
    )
    found = next((kind for is_it, kind in tests if any(is_it(name) for name in names)), None)
    if found is None and path.suffix == ".keras":
        return FileFormat(KERAS_ZIP, "a zip archive")
    return found or FileFormat(OTHER, "a zip archive", UNPACK)
