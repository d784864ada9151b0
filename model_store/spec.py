"""What a model.toml says about a model; every key is optional, an unknown one is refused."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from model_store.errors import SpecError

SPEC_FILE_NAME = "model.toml"
KINDS = ("tensors", "classifier", "detector")
LARGEST_SIDE = 16_384

T = TypeVar("T")


@dataclass(frozen=True)
class ImageSpec:
    """How a picture becomes the model's input.

    Attributes:
        mode: "rgb" or "grey"; None takes what the input's last size asks for.
        crop: "square" for the largest centred square, or (ymin, xmin, ymax, xmax) as fractions; None is all.
        resize: Height and width in pixels; None keeps them, unless the input's own are fixed.
        scale: What 0 and 255 become, linearly between them; None keeps 0..255.
        input: The input that takes the picture; None where the model has only one.
    """

    mode: str | None = None
    crop: str | tuple[float, float, float, float] | None = None
    resize: tuple[int, int] | None = None
    scale: tuple[float, float] | None = None
    input: str | None = None


@dataclass(frozen=True)
class DeviceSpec:
    """Where the model runs.

    Attributes:
        gpu: Index of the only GPU that the process will see; None takes the first where there is one.
        memory_limit_mb: Hard cap of GPU memory; None lets TensorFlow's share grow as needed.
        cpu_threads: Threads within one operation; None leaves TensorFlow's own number.
    """

    gpu: int | None = None
    memory_limit_mb: int | None = None
    cpu_threads: int | None = None


@dataclass(frozen=True)
class ModelSpec:
    """All that a model.toml says; the defaults are those of a model without one.

    Attributes:
        kind: One of `KINDS`.
        labels: Class number to name; None where the model has no labels.
        outputs: The outputs wanted, in order; None takes the file's own.
        min_score: What a detection must score to be told, unless the job says otherwise; 0 to 1.
        image: How pictures become inputs; None where the file does not say.
        device: Where the model runs.
        file: The model.toml itself, for messages; None where there is none.
    """

    kind: str = "tensors"
    labels: Mapping[int, str] | None = None
    outputs: tuple[str, ...] | None = None
    min_score: float = 0.5
    image: ImageSpec | None = None
    device: DeviceSpec = DeviceSpec()
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
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{file} is not valid TOML: {error}.") from None
    top = _Table(file, "", values)
    top.refuse_unknown_keys("kind", "labels", "outputs", "min_score", "image", "device")
    labels = top.read("labels", "a list of names or a table of class number = name", _labels)
    implied_kind = "tensors" if labels is None else "classifier"
    min_score = top.read("min_score", "a number from 0 to 1", _fraction)
    return ModelSpec(
        kind=top.read("kind", f"one of {', '.join(KINDS)}", _one_of(*KINDS)) or implied_kind,
        labels=labels,
        outputs=top.read("outputs", "a list of output names", _names),
        min_score=ModelSpec.min_score if min_score is None else min_score,
        image=_parse_image(top.table("image")) if "image" in values else None,
        device=_parse_device(top.table("device")),
        file=file,
    )


def _parse_image(table: _Table) -> ImageSpec:
    table.refuse_unknown_keys("mode", "crop", "resize", "scale", "input")
    return ImageSpec(
        mode=table.read("mode", '"rgb" or "grey"', _one_of("rgb", "grey")),
        crop=table.read("crop", '"square" or [ymin, xmin, ymax, xmax] with 0 <= min < max <= 1', _crop),
        resize=table.read("resize", f"[height, width] in pixels, from 1 to {LARGEST_SIDE}", _size),
        scale=table.read("scale", "two different numbers, what 0 and what 255 become", _scale),
        input=table.read("input", "the name of an input", _name),
    )


def _parse_device(table: _Table) -> DeviceSpec:
    table.refuse_unknown_keys("gpu", "memory_limit_mb", "cpu_threads")
    return DeviceSpec(
        gpu=table.read("gpu", "the index of a GPU, from 0", _whole_number(0, 1023)),
        memory_limit_mb=table.read("memory_limit_mb", "megabytes, at least 1", _whole_number(1, 2**31)),
        cpu_threads=table.read("cpu_threads", "a number of threads from 1 to 1024", _whole_number(1, 1024)),
    )


@dataclass(frozen=True)
class _Table:
    """One TOML table, with what its messages must name."""

    file: Path
    prefix: str
    values: Mapping[str, Any]

    def refuse_unknown_keys(self, *known: str) -> None:
        for key in self.values:
            if key not in known:
                message = f"{self.file} has an unknown key {self.prefix}{key}; known are {', '.join(known)}."
                raise SpecError(message)

    def read(self, key: str, expected: str, parse: Callable[[Any], T]) -> T | None:
        """The parsed value, None where the key is absent; `parse` raises ValueError for a wrong value."""
        if key not in self.values:
            return None
        try:
            return parse(self.values[key])
        except (ValueError, TypeError):
            raise self._wrong(key, expected) from None

    def table(self, key: str) -> _Table:
        """The table under a key, empty where it is absent."""
        values = self.values.get(key, {})
        if not isinstance(values, dict):
            raise self._wrong(key, f"a table, written as [{key}]")
        return _Table(self.file, f"{self.prefix}{key}.", values)

    def _wrong(self, key: str, expected: str) -> SpecError:
        value = repr(self.values[key])
        shown = value if len(value) <= 80 else f"{value[:80]}…"
        return SpecError(f"{self.file}: {self.prefix}{key} must be {expected}, but is {shown}.")


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if value not in allowed:
            raise ValueError
        return str(value)

    return parse


def _whole_number(lowest: int, highest: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        if type(value) is not int or not lowest <= value <= highest:
            raise ValueError
        return value

    return parse


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _names(value: Any) -> tuple[str, ...]:
    """TensorFlow 1 writes a node's first output as `name:0`; here it is the node's name alone."""
    names = tuple(_name(item).removesuffix(":0") for item in _list(value))
    if not names or len(set(names)) < len(names):
        raise ValueError
    return names


def _labels(value: Any) -> Mapping[int, str]:
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or not value:
        raise ValueError
    labels = {int(key): _name(label) for key, label in value.items()}
    if min(labels) < 0:
        raise ValueError
    return labels


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise ValueError
    return float(value)


def _fraction(value: Any) -> float:
    fraction = _number(value)
    if not 0 <= fraction <= 1:
        raise ValueError
    return fraction


def _crop(value: Any) -> str | tuple[float, float, float, float]:
    if value == "square":
        return "square"
    ymin, xmin, ymax, xmax = (_fraction(edge) for edge in _list(value))
    if ymin >= ymax or xmin >= xmax:
        raise ValueError
    return ymin, xmin, ymax, xmax


def _size(value: Any) -> tuple[int, int]:
    height, width = (_whole_number(1, LARGEST_SIDE)(side) for side in _list(value))
    return height, width


def _scale(value: Any) -> tuple[float, float]:
    low, high = (_number(end) for end in _list(value))
    if low == high:
        raise ValueError
    return low, high


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError
    return value
