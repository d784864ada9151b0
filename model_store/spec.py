"""What a model.toml says about a model; every key is optional, an unknown one is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from model_store.detection_spec import DetectionSpec, parse_detections
from model_store.errors import SpecError
from model_store.labels import is_file_name, labels_of, read_label_file
from model_store.spec_table import Table, fraction, items, name, number, one_of, read_toml, whole_number
from model_store.tuning_spec import TuningSpec, parse_tuning

SPEC_FILE_NAME = "model.toml"
WRAPS = ("none", "example")
KINDS = ("tensors", "classifier", "detector")
TOP_KEYS = (
    *("kind", "labels", "first_class", "signature", "inputs", "outputs", "min_score", "max_detections"),
    *("run_timeout_s", "trusted_sha256", "image", "detections", "device", "batching", "tuning", "custom_objects"),
)
# A module and a name in it.
PLACE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
SHA256 = re.compile(r"[0-9a-f]{64}")
LARGEST_SIDE = 16_384
LARGEST_BATCH = 65_536
LONGEST_WAIT_MS = 60_000
LONGEST_RUN_S = 604_800
MOST_DETECTIONS = 100_000


@dataclass(frozen=True)
class ImageSpec:
    """How a picture becomes the model's input.

    Attributes:
        mode: "rgb" or "grey"; None takes what the input's last size asks for.
        crop: "square" for the largest centred square, or (ymin, xmin, ymax, xmax) as fractions; None is all.
        resize: Height and width in pixels; None keeps them, unless the input's own are fixed.
        scale: What 0 and 255 become, linearly between them; None keeps 0..255.
        input: The input that takes the picture; None where the model has only one.
        wrap: For an input that takes picture files: "example" where it takes them in a `tf.train.Example`, "none" where
            not; None leaves it to the input's name, or else to trying.
    """

    mode: str | None = None
    crop: str | tuple[float, float, float, float] | None = None
    resize: tuple[int, int] | None = None
    scale: tuple[float, float] | None = None
    input: str | None = None
    wrap: str | None = None


@dataclass(frozen=True)
class DeviceSpec:
    """Where the model runs.

    Attributes:
        gpu: Index of the only GPU that the process will see; None takes one in turn, where there is one.
        memory_limit_mb: Hard cap of GPU memory; None lets TensorFlow's share grow as needed.
        cpu_threads: Threads within one operation; None leaves TensorFlow's own number.
        turn: Which GPU is taken where none is named: processes that count up take one after the other, and begin anew
            after the last. No key of model.toml.
    """

    gpu: int | None = None
    memory_limit_mb: int | None = None
    cpu_threads: int | None = None
    turn: int = 0


@dataclass(frozen=True)
class BatchingSpec:
    """How many rows share a call, where that is not to be found out by measuring.

    Attributes:
        max_batch_size: Most rows of several jobs in one call; None leaves it to measuring.
        max_batch_wait_ms: How long a batch that is not full waits for more rows.
        sizes: Row counts, ascending, that calls are padded to, none for no padding; None leaves it to measuring.
    """

    max_batch_size: int | None = None
    max_batch_wait_ms: float = 0.0
    sizes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class ModelSpec:
    """All that a model.toml says; the defaults are those of a model without one.

    Attributes:
        kind: One of `KINDS`; None where the file does not say, and the model's outputs decide.
        labels: Class number to name; None where the model has no labels.
        signature: The signature that jobs get which name none; None leaves the choice to the file.
        inputs: The tensors that are a frozen graph's inputs, in order; None finds them.
        outputs: The outputs wanted of the signature, in order; None takes the file's own.
        min_score: What a detection must score to be told, unless the job says otherwise; 0 to 1.
        max_detections: Most detections that are told of a picture, unless the job says otherwise; None for all.
        run_timeout_s: How long one call may take before its worker ends; None leaves it to the operator's setting.
        image: How pictures become inputs; None where the file does not say.
        detections: What a detector's outputs mean.
        device: Where the model runs.
        batching: How many rows share a call.
        trusted_sha256: Digests of the artifacts that may bring code of their own, see `model_store.trust.digest`.
        custom_objects: Name in a Keras file to `module:name` of the operator's own class or function.
        tuning: Which way of running the model is used.
        file: The model.toml itself, for messages; None where there is none.
    """

    kind: str | None = None
    labels: Mapping[int, str] | None = None
    inputs: tuple[str, ...] | None = None
    signature: str | None = None
    outputs: tuple[str, ...] | None = None
    min_score: float = 0.5
    max_detections: int | None = None
    run_timeout_s: int | None = None
    image: ImageSpec | None = None
    detections: DetectionSpec = DetectionSpec()
    device: DeviceSpec = DeviceSpec()
    batching: BatchingSpec = BatchingSpec()
    trusted_sha256: tuple[str, ...] = ()
    custom_objects: Mapping[str, str] = field(default_factory=dict)
    tuning: TuningSpec = TuningSpec()
    file: Path | None = None


def read_spec(folder: Path) -> ModelSpec:
    """Read the model.toml of a version folder, or else the one of the model's folder above it.

    Raises:
        SpecError: It is not readable TOML, a key is unknown, or a value is not what the key takes.
    """
    for file in (folder / SPEC_FILE_NAME, folder.parent / SPEC_FILE_NAME):
        if file.is_file():
            return parse_spec(_read_text(file), file)
    return ModelSpec()


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{file} cannot be read: {error}.") from None


def parse_spec(text: str, file: Path) -> ModelSpec:
    """Parse the text of a model.toml; `file` is for messages. Raises SpecError like `read_spec`."""
    top = read_toml(text, file)
    top.refuse_unknown_keys(*TOP_KEYS)
    min_score = top.read("min_score", "a number from 0 to 1", fraction)
    detections = f"a number of detections from 1 to {MOST_DETECTIONS}"
    return ModelSpec(
        kind=top.read("kind", f"one of {', '.join(KINDS)}", one_of(*KINDS)),
        labels=_parse_labels(top),
        inputs=top.read("inputs", "a list of input names", _names),
        signature=top.read("signature", "the name of a signature", name),
        outputs=top.read("outputs", "a list of output names", _names),
        min_score=ModelSpec.min_score if min_score is None else min_score,
        max_detections=top.read("max_detections", detections, whole_number(1, MOST_DETECTIONS)),
        run_timeout_s=top.read("run_timeout_s", f"seconds, from 1 to {LONGEST_RUN_S}", whole_number(1, LONGEST_RUN_S)),
        image=_parse_image(top.table("image")) if "image" in top.values else None,
        detections=parse_detections(top.table("detections")),
        device=_parse_device(top.table("device")),
        batching=_parse_batching(top.table("batching")),
        trusted_sha256=top.read("trusted_sha256", "a list of SHA-256 digests, of 64 hex digits each", _digests) or (),
        custom_objects=top.read("custom_objects", 'a table of "name in the file" = "module:name"', _places) or {},
        tuning=parse_tuning(top.table("tuning")),
        file=file,
    )


def _parse_labels(top: Table) -> Mapping[int, str] | None:
    first_class = top.read("first_class", "the class of the first label, from 0 to 1000000", whole_number(0, 1_000_000))
    if is_file_name(top.values.get("labels")):
        return read_label_file(top.file.parent / top.values["labels"], first_class or 0)
    expected = 'a list of names, a table of class number = name, "coco", or the name of a .pbtxt, .json or .txt file'
    return top.read("labels", expected, lambda value: labels_of(value, first_class or 0))


def _parse_image(table: Table) -> ImageSpec:
    table.refuse_unknown_keys("mode", "crop", "resize", "scale", "input", "wrap")
    return ImageSpec(
        mode=table.read("mode", '"rgb" or "grey"', one_of("rgb", "grey")),
        crop=table.read("crop", '"square" or [ymin, xmin, ymax, xmax] with 0 <= min < max <= 1', _crop),
        resize=table.read("resize", f"[height, width] in pixels, from 1 to {LARGEST_SIDE}", _size),
        scale=table.read("scale", "two different numbers, what 0 and what 255 become", _scale),
        input=table.read("input", "the name of an input", name),
        wrap=table.read("wrap", f"one of {', '.join(WRAPS)}", one_of(*WRAPS)),
    )


def _parse_device(table: Table) -> DeviceSpec:
    table.refuse_unknown_keys("gpu", "memory_limit_mb", "cpu_threads")
    return DeviceSpec(
        gpu=table.read("gpu", "the index of a GPU, from 0", whole_number(0, 1023)),
        memory_limit_mb=table.read("memory_limit_mb", "megabytes, at least 1", whole_number(1, 2**31)),
        cpu_threads=table.read("cpu_threads", "a number of threads from 1 to 1024", whole_number(1, 1024)),
    )


def _parse_batching(table: Table) -> BatchingSpec:
    table.refuse_unknown_keys("max_batch_size", "max_batch_wait_ms", "sizes")
    rows = f"rows, from 1 to {LARGEST_BATCH}"
    wait_ms = table.read("max_batch_wait_ms", f"milliseconds, from 0 to {LONGEST_WAIT_MS}", _wait_ms)
    spec = BatchingSpec(
        max_batch_size=table.read("max_batch_size", f"a number of {rows}", whole_number(1, LARGEST_BATCH)),
        max_batch_wait_ms=BatchingSpec.max_batch_wait_ms if wait_ms is None else wait_ms,
        sizes=table.read("sizes", f"an ascending list of numbers of {rows}", _sizes),
    )
    _check_batching(table.file, spec)
    return spec


def _check_batching(file: Path, spec: BatchingSpec) -> None:
    if spec.sizes and spec.max_batch_size is not None and spec.sizes[-1] > spec.max_batch_size:
        raise SpecError(
            f"{file}: batching.sizes goes up to {spec.sizes[-1]} rows, but batching.max_batch_size allows "
            f"{spec.max_batch_size}; raise the one or shorten the other."
        )
    if spec.max_batch_size == 1 and spec.max_batch_wait_ms:
        raise SpecError(
            f"{file}: batching.max_batch_wait_ms is {spec.max_batch_wait_ms:g}, but with batching.max_batch_size = 1 "
            "there is nothing to wait for; leave one of them out."
        )


def _names(value: Any) -> tuple[str, ...]:
    """TensorFlow 1 writes a node's first output as `name:0`; here it is the node's name alone."""
    names = tuple(name(item).removesuffix(":0") for item in items(value))
    if not names or len(set(names)) < len(names):
        raise ValueError
    return names


def _digests(value: Any) -> tuple[str, ...]:
    digests = tuple(name(item).lower() for item in items(value))
    if not all(SHA256.fullmatch(digest) for digest in digests):
        raise ValueError
    return digests


def _places(value: Any) -> Mapping[str, str]:
    places = {key: name(place) for key, place in value.items()} if isinstance(value, dict) else None
    if places is None or not all(PLACE.fullmatch(place) for place in places.values()):
        raise ValueError
    return places


def _crop(value: Any) -> str | tuple[float, float, float, float]:
    if value == "square":
        return "square"
    ymin, xmin, ymax, xmax = (fraction(edge) for edge in items(value))
    if ymin >= ymax or xmin >= xmax:
        raise ValueError
    return ymin, xmin, ymax, xmax


def _size(value: Any) -> tuple[int, int]:
    height, width = (whole_number(1, LARGEST_SIDE)(side) for side in items(value))
    return height, width


def _scale(value: Any) -> tuple[float, float]:
    low, high = (number(end) for end in items(value))
    if low == high:
        raise ValueError
    return low, high


def _wait_ms(value: Any) -> float:
    wait_ms = number(value)
    if not 0 <= wait_ms <= LONGEST_WAIT_MS:
        raise ValueError
    return wait_ms


def _sizes(value: Any) -> tuple[int, ...]:
    sizes = tuple(whole_number(1, LARGEST_BATCH)(size) for size in items(value))
    if any(size >= larger for size, larger in pairwise(sizes)):
        raise ValueError
    return sizes
