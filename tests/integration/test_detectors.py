"""Detectors of every kind, from their files to the answer to a job, each compared with what its formula gives."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from model_store.loader import load
from model_store.model import Model
from model_store.pictures.encoded import encode
from model_store.signature import TensorSpec
from model_store.spec import ImageSpec
from model_store.store import find_model
from tasks.batching.compute import Computer
from tasks.batching.rows import group_of
from tasks.inference import answer, decode
from tasks.inputs import Inputs
from tasks.job import Job, new_job_id
from tasks.picture_list import PICTURES, pack_pictures
from tasks.result import drawn_pictures, result_json, result_npz
from tests import tiny_detectors, tiny_models

GREY_LEVELS = (255, 204, 153)
SIZES = ((20, 30), (40, 10), (20, 30))
ROTATE = 0x0112

PIXELS_TOML = """
labels = ["lamp", "moon"]
[image]
scale = [-1, 1]
[detections]
boxes = "corners"
scores = "confidence"
classes = "category"
count = "valid"
order = "xyxy"
unit = "pixels"
"""
ROWLESS_TOML = "[image]\nscale = [0, 1]\n"

LINES_TOML = """
[detections]
order = "xyxy"
columns = { class = 0, score = 1, box = 2 }
"""

Add = Callable[[Path, str], Path]


def plain(store: Path, name: str) -> Path:
    return tiny_models.add_detector(store, name, "keras", toml="")


def pixels(store: Path, name: str) -> Path:
    return tiny_detectors.add_pixels(store, name, PIXELS_TOML)


def lines(store: Path, name: str) -> Path:
    return tiny_detectors.add_lines(store, name, LINES_TOML)


def rowless(store: Path, name: str) -> Path:
    return tiny_detectors.add_rowless(store, name, ROWLESS_TOML)


def one_encoded(store: Path, name: str) -> Path:
    return tiny_detectors.add_encoded(store, name, rows=1)


KINDS: dict[str, Add] = {
    "tf1": tiny_detectors.add_tf1,
    "shapeless": tiny_detectors.add_shapeless,
    "tf2": tiny_detectors.add_tf2,
    "keras": plain,
    "encoded": tiny_detectors.add_encoded,
    "one-encoded": one_encoded,
    "one-file": tiny_detectors.add_one_file,
    "examples": tiny_detectors.add_examples,
    "rowless": rowless,
    "pixels": pixels,
    "lines": lines,
    "numbered": tiny_detectors.add_numbered,
}
#: What each says of its first two classes.
LABELS = {"rowless": ["class 1", "class 2"], "pixels": ["lamp", "moon"]}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Model:
    store = tmp_path_factory.mktemp("store")
    KINDS[kind](store, kind)
    model = load(find_model(store, kind))
    model.warm_up()
    return model


def picture(level: int, size: tuple[int, int] = SIZES[0], format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size[1], size[0]), (level,) * 3).save(buffer, format, **options)
    return buffer.getvalue()


def run(model: Model, payload: bytes, content_type: str, **values: Any) -> dict[str, bytes]:
    """A job's result as a worker makes it."""
    values = {"min_score": 0.4} | values
    job = Job(id=new_job_id(), model=model.name, version=1, content_type=content_type, **values)
    inputs = decode(model, job, payload, 1_000_000)
    assert isinstance(inputs, Inputs), inputs
    computer = Computer(model.predict, model.batching.max_rows, lambda signature: model.takes_many_rows)
    if inputs.parts:
        outputs = computer.run_parts(inputs.parts, "")
    else:
        (outputs,) = computer.run([inputs.arrays], [1])
    told = answer(model, job, inputs, outputs, 0.0)
    assert told.failure is None, told.failure
    return dict(told.parts)


def detections(parts: dict[str, bytes]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = result_json(parts)["detections"]
    return found


def test_it_is_a_detector_that_takes_pictures_though_no_kind_is_given(model: Model) -> None:
    card = model.describe()
    assert (card["kind"], card["takes_pictures"]) == ("detector", True)


def test_the_detections_of_a_picture_are_what_its_formula_gives(kind: str, model: Model) -> None:
    first, second = detections(run(model, picture(255), "image/png"))
    assert first["box"] == pytest.approx([0.25, 0.25, 0.75, 0.75], abs=1e-5)
    assert first["box_pixels"] == [5, 8, 15, 22]
    assert (first["score"], second["score"]) == pytest.approx((1.0, 0.5), abs=0.01)
    assert [first["label"], second["label"]] == LABELS.get(kind, ["1", "2"])
    assert second["box_pixels"] == [0, 0, 10, 15]


def test_pictures_of_different_sizes_in_one_job_are_answered_as_each_alone(model: Model) -> None:
    # Given three pictures, of which the first and the last have one size
    files = [picture(level, size) for level, size in zip(GREY_LEVELS, SIZES, strict=True)]
    alone = [detections(run(model, file, "image/png")) for file in files]
    assert all(alone)
    # When they are one job
    parts = run(model, pack_pictures(files), PICTURES, rows=3, annotate=True)
    # Then each of them has its detections, in the order sent
    found = detections(parts)
    assert [one["row"] for one in found] == [row for row, some in enumerate(alone) for _ in some]
    for one, expected in zip(found, [one for some in alone for one in some], strict=True):
        assert one["score"] == pytest.approx(expected["score"], abs=1e-5)
        assert {**one, "score": 0} == {**expected, "row": one["row"], "score": 0}
    # And its drawing, in its own size
    assert [Image.open(io.BytesIO(png)).size[::-1] for png in drawn_pictures(parts)] == list(SIZES)
    # And the arrays have a row for each
    with np.load(io.BytesIO(result_npz(parts))) as arrays:
        assert {len(arrays[name]) for name in arrays.files} == {3}


def test_no_more_are_told_than_are_wanted(model: Model) -> None:
    assert len(detections(run(model, picture(255), "image/png", max_detections=1))) == 1
    files = pack_pictures([picture(255), picture(255, SIZES[1])])
    assert [one["row"] for one in detections(run(model, files, PICTURES, max_detections=1))] == [0, 1]


def test_boxes_are_those_of_the_upright_picture(model: Model) -> None:
    exif = Image.new("RGB", (1, 1)).getexif()
    exif[ROTATE] = 6
    data = picture(255, (40, 60), "JPEG", exif=exif)
    # 60 x 40 lies on its side: upright it is 40 wide and 60 high.
    assert detections(run(model, data, "image/jpeg"))[0]["box_pixels"] == [15, 10, 45, 30]


@pytest.mark.parametrize(("mode", "format"), [("CMYK", "JPEG"), ("P", "GIF"), ("RGBA", "PNG"), ("L", "TIFF")])
def test_a_model_of_files_sees_what_everybody_sees_whatever_the_format(tmp_path: Path, mode: str, format: str) -> None:
    tiny_detectors.add_encoded(tmp_path, "encoded")
    model = load(find_model(tmp_path, "encoded"))
    model.warm_up()
    buffer = io.BytesIO()
    image = Image.new("RGBA", (30, 20), (0, 0, 0, 0)) if mode == "RGBA" else Image.new("RGB", (30, 20), "white")
    image.convert(mode).save(buffer, format)
    (first, *_) = detections(run(model, buffer.getvalue(), f"image/{format.lower()}"))
    assert first["score"] == pytest.approx(1.0, abs=0.01)


def test_files_share_a_call_with_others_of_their_pictures_size_only(tmp_path: Path) -> None:
    tiny_detectors.add_encoded(tmp_path, "encoded")
    model = load(find_model(tmp_path, "encoded"))

    def group(size: tuple[int, int]) -> Any:
        job = Job(id=new_job_id(), model="encoded", version=1, content_type="image/png")
        inputs = decode(model, job, picture(9, size), 1_000_000)
        assert isinstance(inputs, Inputs)
        return group_of(inputs.arrays, inputs.kind)

    assert group((20, 30)) == group((20, 30)) != group((30, 20))


FILES = TensorSpec("string", (None,))
FILE = picture(9)
DECODED = np.full((20, 30, 3), 9, np.uint8)


def test_a_file_is_handed_through_as_it_is_unless_a_part_of_it_is_wanted() -> None:
    assert encode(FILE, DECODED, ImageSpec(), FILES).tolist() == [FILE]
    assert encode(FILE, DECODED, ImageSpec(), TensorSpec("string", ())).item() == FILE
    cropped = encode(FILE, DECODED, ImageSpec(crop="square", resize=(8, 8), mode="grey"), FILES)[0]
    with Image.open(io.BytesIO(cropped)) as image:
        assert (image.size, image.mode, image.getpixel((0, 0))) == ((8, 8), "L", 9)


@pytest.mark.parametrize("size", [1, 120, 128, 20_000, 3_000_000])
def test_an_example_with_a_file_is_what_protobuf_reads(size: int) -> None:
    file = FILE.ljust(size, b"\0")
    row = encode(file, DECODED, ImageSpec(wrap="example"), FILES)
    example = tf.train.Example.FromString(row[0])
    assert set(example.features.feature) == {"image/encoded"}
    assert example.features.feature["image/encoded"].bytes_list.value == [file]


def test_a_detector_without_a_kind_may_be_said_to_give_tensors(tmp_path: Path) -> None:
    tiny_detectors.add_tf2(tmp_path, "plain", toml='kind = "tensors"')
    model = load(find_model(tmp_path, "plain"))
    assert model.describe()["kind"] == "tensors"


def test_a_model_of_files_gets_few_in_a_call_unless_model_toml_says_otherwise(tmp_path: Path) -> None:
    for name, toml in (("few", ""), ("many", "[batching]\nmax_batch_size = 32")):
        tiny_detectors.add_encoded(tmp_path, name, toml=toml)
    rows = []
    for name in ("few", "many"):
        model = load(find_model(tmp_path, name))
        model.warm_up()
        rows.append(model.batching.max_rows)
    assert rows == [4, 32]


def test_lists_of_different_lengths_from_calls_of_one_row_are_one_answer(tmp_path: Path) -> None:
    # Given a detector of one row whose lists are as long as what it found
    def call(image: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tiny_models.detector(image)
        most = tf.cast(tf.math.count_nonzero(found["detection_scores"] > 0.2), tf.int32)
        names = ("detection_boxes", "detection_scores", "detection_classes")
        return {name: found[name][:, :most] for name in names}

    spec = {"image": tiny_detectors.ONE_PICTURE}
    tiny_models.save_saved_model(tiny_models.version_folder(tmp_path, "dynamic"), call, spec)
    model = load(find_model(tmp_path, "dynamic"))
    model.warm_up()
    # When pictures of one size, but of different brightness, are one job
    files = [picture(level) for level in (255, 60, 153)]
    found = detections(run(model, pack_pictures(files), PICTURES, rows=3, min_score=0.0))
    # Then what was filled up is not told
    assert [one["row"] for one in found] == [0, 0, 0, 1, 2, 2]
