from __future__ import annotations

from pathlib import Path

import pytest

from model_store.detection_spec import DetectionSpec
from model_store.errors import SpecError
from model_store.spec import TOP_KEYS, BatchingSpec, DeviceSpec, ImageSpec, ModelSpec, parse_spec, read_spec
from model_store.tuning_spec import TuningSpec

FILE = Path("models/fer/model.toml")


def refusal(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        parse_spec(text, FILE)
    return str(caught.value)


def test_a_model_without_model_toml_leaves_all_to_its_file(tmp_path: Path) -> None:
    assert read_spec(tmp_path) == ModelSpec(kind=None, labels=None, min_score=0.5, image=None)


def test_every_key_is_read() -> None:
    spec = parse_spec(
        """
        kind = "detector"
        labels = {1 = "hand", 3 = "foot"}
        signature = "detect"
        outputs = ["detection_boxes:0", "detection_scores"]
        min_score = 0.25
        run_timeout_s = 60
        trusted_sha256 = ["%s"]
        [image]
        mode = "grey"
        crop = [0.1, 0, 0.9, 1]
        resize = [64, 48]
        scale = [-1, 1]
        input = "image_tensor"
        [device]
        gpu = 1
        memory_limit_mb = 2048
        cpu_threads = 2
        [batching]
        max_batch_size = 64
        max_batch_wait_ms = 2.5
        sizes = [1, 8, 64]
        [tuning]
        variant = "folded"
        time_limit_s = 20
        """
        % ("0123ABCD" * 8),
        FILE,
    )
    assert spec == ModelSpec(
        kind="detector",
        labels={1: "hand", 3: "foot"},
        signature="detect",
        outputs=("detection_boxes", "detection_scores"),
        min_score=0.25,
        run_timeout_s=60,
        image=ImageSpec("grey", (0.1, 0.0, 0.9, 1.0), (64, 48), (-1.0, 1.0), "image_tensor"),
        device=DeviceSpec(gpu=1, memory_limit_mb=2048, cpu_threads=2),
        batching=BatchingSpec(max_batch_size=64, max_batch_wait_ms=2.5, sizes=(1, 8, 64)),
        trusted_sha256=("0123abcd" * 8,),
        tuning=TuningSpec("folded", 20),
        file=FILE,
    )


def test_labels_alone_leave_the_kind_to_the_models_outputs() -> None:
    spec = parse_spec('labels = ["angry", "happy"]', FILE)
    assert (spec.kind, spec.labels) == (None, {0: "angry", 1: "happy"})


def test_a_kind_that_is_given_wins_over_labels() -> None:
    assert parse_spec('kind = "tensors"\nlabels = ["a"]', FILE).kind == "tensors"


def test_the_version_folders_file_wins_over_the_models(tmp_path: Path) -> None:
    # Given a model.toml in the model's folder
    folder = tmp_path / "1"
    folder.mkdir()
    (tmp_path / "model.toml").write_text("min_score = 0.1")
    assert read_spec(folder).min_score == 0.1

    # When the version has one of its own
    (folder / "model.toml").write_text('kind = "detector"')

    # Then it is the only one that counts
    spec = read_spec(folder)
    assert (spec.kind, spec.min_score, spec.file) == ("detector", 0.5, folder / "model.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "label = 1",
            f"has an unknown key label; known are {', '.join(TOP_KEYS)}.",
        ),
        ("[image]\nsize = 1", "has an unknown key image.size; known are mode, crop, resize, scale, input, wrap."),
        ("[device]\ngpus = 1", "has an unknown key device.gpus; known are gpu, memory_limit_mb, cpu_threads."),
        (
            "[batching]\nsize = [1]",
            "has an unknown key batching.size; known are max_batch_size, max_batch_wait_ms, sizes.",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_known_ones(text: str, message: str) -> None:
    assert refusal(text) == f"{FILE} {message}"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('kind = "clasifier"', "kind"),
        ('kind = ["detector"]', "kind"),
        ("labels = []", "labels"),
        ("labels = [1, 2]", "labels"),
        ('labels = {hand = "hand"}', "labels"),
        ('labels = {-1 = "hand"}', "labels"),
        ("signature = 1", "signature"),
        ('signature = ""', "signature"),
        ('outputs = "scores"', "outputs"),
        ('outputs = ["scores", "scores:0"]', "outputs"),
        ("min_score = 1.5", "min_score"),
        ("min_score = true", "min_score"),
        ("min_score = nan", "min_score"),
        ("run_timeout_s = 0", "run_timeout_s"),
        ("run_timeout_s = 2.5", "run_timeout_s"),
        ("image = 1", "image"),
        ('[image]\nmode = "bgr"', "image.mode"),
        ('[image]\ncrop = "round"', "image.crop"),
        ("[image]\ncrop = [0, 0, 1]", "image.crop"),
        ("[image]\ncrop = [0.5, 0, 0.5, 1]", "image.crop"),
        ("[image]\ncrop = [0, 0, 1, 1.1]", "image.crop"),
        ("[image]\nresize = [64, 0]", "image.resize"),
        ("[image]\nresize = [64.0, 64.0]", "image.resize"),
        ("[image]\nresize = 64", "image.resize"),
        ("[image]\nscale = [1, 1]", "image.scale"),
        ("[image]\nscale = [0, inf]", "image.scale"),
        ('[image]\ninput = ""', "image.input"),
        ("[device]\ngpu = -1", "device.gpu"),
        ("[device]\ngpu = true", "device.gpu"),
        ("[device]\nmemory_limit_mb = 0", "device.memory_limit_mb"),
        ("[device]\ncpu_threads = 0", "device.cpu_threads"),
        ("batching = true", "batching"),
        ("[batching]\nmax_batch_size = 0", "batching.max_batch_size"),
        ("[batching]\nmax_batch_size = 65537", "batching.max_batch_size"),
        ("[batching]\nmax_batch_size = 8.0", "batching.max_batch_size"),
        ("[batching]\nmax_batch_wait_ms = -1", "batching.max_batch_wait_ms"),
        ("[batching]\nmax_batch_wait_ms = 60001", "batching.max_batch_wait_ms"),
        ("[batching]\nsizes = 8", "batching.sizes"),
        ("[batching]\nsizes = [8, 4]", "batching.sizes"),
        ("[batching]\nsizes = [4, 4]", "batching.sizes"),
        ("[batching]\nsizes = [0, 4]", "batching.sizes"),
        ("tuning = true", "tuning"),
        ('[tuning]\nvariant = "fast"', "tuning.variant"),
        ("[tuning]\ntime_limit_s = -1", "tuning.time_limit_s"),
        ("[tuning]\ntime_limit_s = 0.5", "tuning.time_limit_s"),
    ],
)
def test_a_wrong_value_is_refused_naming_file_and_key(text: str, key: str) -> None:
    assert refusal(text).startswith(f"{FILE}: {key} must be ")


def test_sizes_beyond_the_largest_batch_are_refused_with_both() -> None:
    text = "[batching]\nmax_batch_size = 16\nsizes = [8, 32]"
    assert refusal(text) == (
        f"{FILE}: batching.sizes goes up to 32 rows, but batching.max_batch_size allows 16; raise the one or shorten "
        "the other."
    )


def test_waiting_for_a_batch_of_one_row_is_refused() -> None:
    text = "[batching]\nmax_batch_size = 1\nmax_batch_wait_ms = 5"
    assert refusal(text).startswith(f"{FILE}: batching.max_batch_wait_ms is 5, but with batching.max_batch_size = 1 ")


def test_no_sizes_are_not_the_same_as_nothing_said_of_sizes() -> None:
    assert parse_spec("[batching]\nsizes = []", FILE).batching == BatchingSpec(sizes=())
    assert parse_spec("", FILE).batching == BatchingSpec(max_batch_size=None, max_batch_wait_ms=0.0, sizes=None)


def test_a_wrong_value_is_shown_but_not_at_length() -> None:
    assert refusal("min_score = 2") == f"{FILE}: min_score must be a number from 0 to 1, but is 2."
    assert len(refusal(f"min_score = '{'x' * 5000}'")) < 250


def test_broken_toml_is_told_with_its_line() -> None:
    assert "line 2" in refusal('kind = "detector"\nlabels = [1 2]')


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match=r"model\.toml cannot be read"):
        read_spec(tmp_path)


def test_detections_are_read() -> None:
    text = """
    max_detections = 5
    [detections]
    boxes = "b:0"
    scores = "s"
    classes = "c"
    count = "n"
    order = "cxcywh"
    unit = "pixels"
    columns = { box = 2, score = 1 }
    """
    spec = parse_spec(text, FILE)
    assert spec.max_detections == 5
    assert spec.detections == DetectionSpec("b", "s", "c", "n", "cxcywh", "pixels", {"box": 2, "score": 1})


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("max_detections = 0", "max_detections must be a number of detections from 1 to 100000"),
        ("max_detections = 2.0", "max_detections must be"),
        ("[detections]\nbox = 'b'", "has an unknown key detections.box"),
        ("[detections]\nboxes = ''", "detections.boxes must be the name of an output"),
        ("[detections]\norder = 'yx'", "detections.order must be one of yxyx, xyxy, xywh, cxcywh"),
        ("[detections]\nunit = 'pixel'", "detections.unit must be one of fractions, pixels"),
        ("[detections]\ncolumns = 2", "detections.columns must be a table"),
        ("[detections]\ncolumns = {box = 2}", "detections.columns needs box and score"),
        ("[detections]\ncolumns = {box = -1, score = 0}", "detections.columns.box must be a place from 0"),
        ("[image]\nwrap = 'zip'", "image.wrap must be one of none, example"),
    ],
)
def test_what_is_wrong_with_detections_is_named(text: str, key: str) -> None:
    assert key in refusal(text)
