from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from model_store.errors import LoadError
from model_store.file_format import GRAPH, GRAPH_TEXT, KERAS_HDF5, KERAS_ZIP, OTHER, SAVED_MODEL, recognize
from tests.damage import damaged


def put(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def zipped(*names: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return archive.getvalue()


def picture(format: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file, format)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "format"),
    [
        ("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), KERAS_HDF5),
        ("m.keras", zipped("metadata.json", "config.json", "model.weights.h5"), KERAS_ZIP),
        ("m.zip", zipped("config.json"), KERAS_ZIP),
        ("m.pb", b"\n\x10\n\x01x\x12\x0bPlaceholder", GRAPH),
        ("m.pb", bytes(1000), GRAPH),
        ("saved_model.pb", b"\x08\x01\x12\xff\xff\x01" + bytes(100), SAVED_MODEL),
        ("m.pbtxt", b'node {\n  name: "x"\n}\n', GRAPH_TEXT),
        ("m.pbtxt", b'# Made by hand.\nnode {\n  name: "x"\n}\n', GRAPH_TEXT),
        ("m.meta", b"\n\x05*\x03\n\x01\x00", GRAPH),
        ("saved_model.pbtxt", b"saved_model_schema_version: 1\n", SAVED_MODEL),
    ],
)
def test_a_model_that_can_be_opened_is_told_by_its_bytes(
    tmp_path: Path, name: str, content: bytes, format: str
) -> None:
    assert recognize(put(tmp_path, name, content)).name == format


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("m.pb", picture("PNG"), "a PNG picture"),
        ("m.h5", picture("JPEG"), "a JPEG picture"),
        ("m.h5", picture("WEBP"), "a WebP picture"),
        ("m.h5", picture("BMP"), "a BMP picture"),
        ("m.tflite", b"\x1c\0\0\0TFL3" + bytes(100), "a TensorFlow Lite model"),
        ("m.onnx", b"\x08\x07\x12\x07pytorch" + bytes(100), "an ONNX model"),
        ("m.pt", zipped("archive/data.pkl", "archive/version"), "a PyTorch model"),
        ("m.pkl", b"\x80\x04\x95" + bytes(100), "a pickle, as PyTorch writes them, which is code"),
        ("m.index", bytes(100) + bytes.fromhex("57fb808b247547db"), "a part of a checkpoint, which has"),
        ("m.ckpt", bytes(100), "a part of a checkpoint, which has"),
        ("m.ckpt.data-00000-of-00001", bytes(100), "a part of a checkpoint, which has"),
        ("checkpoint", b'model_checkpoint_path: "m"\n', "a part of a checkpoint, which has"),
        ("m.safetensors", (300).to_bytes(8, "little") + b'{"a":{}}' + b" " * 300, "a file of safetensors"),
        ("m.gguf", b"GGUF\3\0\0\0", "a GGUF language model"),
        ("m.zip", zipped("export/saved_model.pb"), "a zip archive of a SavedModel"),
        ("m.zip", zipped("a.txt"), "a zip archive"),
        ("m.npz", zipped("a.npy"), "a numpy archive of arrays"),
        ("m.h5", zipped("config.json")[:60], "only the beginning of a zip archive"),
        ("m.tar.gz", b"\x1f\x8b\x08" + bytes(20), "a gzip archive"),
        ("m.tar", bytes(257) + b"ustar" + bytes(500), "a tar archive"),
        ("m.h5", b"<!DOCTYPE html>\n<html>", "a web page"),
        ("m.h5", b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        ("m.json", b'{"class_name": "Sequential"}', "a model's description in JSON, without weights"),
        ("m.txt", "Wörter".encode() * 400, "a text file"),
        ("m.txt", b"a" + "ö".encode() * 600, "a text file"),
        ("m.bin", bytes(range(256)), "of a kind that Celeriac does not know"),
    ],
)
def test_a_file_of_another_kind_is_told_for_what_it_is(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    found = recognize(put(tmp_path, name, content))
    assert (found.name, found.what[: len(what)]) == (OTHER, what)


def test_an_empty_file_and_one_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"m\.pb is empty"):
        recognize(put(tmp_path, "m.pb", b""))
    with pytest.raises(LoadError, match=r"missing\.pb cannot be read: No such file"):
        recognize(tmp_path / "missing.pb")


@given(
    content=damaged(
        [zipped("config.json", "model.weights.h5"), zipped("a/data.pkl"), b'node {\n name: "x"\n}', b"\x08"]
    )
)
def test_no_bytes_make_it_fail(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = put(tmp_path_factory.getbasetemp(), "fuzzed.keras", content)
    try:
        assert recognize(path).what
    except LoadError as error:
        assert "fuzzed.keras" in str(error)
