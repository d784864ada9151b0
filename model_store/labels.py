"""Names of classes: as model.toml gives them, from COCO, or from a file beside it.

A file is one of three kinds: `*.pbtxt`, a label map of TensorFlow's Object Detection API
(object_detection/protos/string_int_label_map.proto); `*.json`, a list of names or an object; `*.txt`, a name a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from model_store.coco import COCO_LABELS
from model_store.errors import SpecError

Labels = Mapping[int, str]

COCO = "coco"
SUFFIXES = (".pbtxt", ".json", ".txt")
#: No list of names is larger; what is was named by mistake.
MAX_FILE_BYTES = 4_194_304

# One `item { … }` of a label map, whose strings may hold braces, and a field of it. Strings are quoted either way.
_STRING = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_ITEM = re.compile(rf"item\s*:?\s*\{{((?:{_STRING}|\{{[^{{}}]*\}}|[^{{}}\"'])*)\}}")
_FIELD = re.compile(rf"\b(id|name|display_name)\s*:\s*({_STRING}|\d+)")
_COMMENT = re.compile(rf"({_STRING})|#[^\n]*")
# What an item has within, such as the keypoints of a class, which have ids of their own.
_INNER = re.compile(rf"({_STRING})|\{{[^{{}}]*\}}")
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)")
# A line of a text file may say its class itself: `17 cat`, `17: cat`.
_NUMBERED_LINE = re.compile(r"(\d+)\s*[:,\t ]\s*(\S.*)")


def labels_of(value: Any, first_class: int) -> Labels:
    """The labels that a value of model.toml means, files left out; raises ValueError for one that means none.

    Args:
        value: A list of names, a table of class number = name, or "coco".
        first_class: The class of a list's first name.
    """
    if value == COCO:
        return COCO_LABELS
    if isinstance(value, list):
        value = dict(enumerate(value, first_class))
    if not isinstance(value, dict) or not value:
        raise ValueError
    labels = {int(key): label for key, label in value.items()}
    if min(labels) < 0 or not all(isinstance(label, str) and label for label in labels.values()):
        raise ValueError
    return labels


def is_file_name(value: Any) -> bool:
    """Whether a value names a file of labels; it is a plain name, never a path."""
    return isinstance(value, str) and value.lower().endswith(SUFFIXES) and Path(value).name == value


def read_label_file(file: Path, first_class: int) -> Labels:
    """The labels in a file.

    Args:
        file: Its suffix says its kind.
        first_class: The class of the first name, where the file has no numbers.

    Raises:
        SpecError: It cannot be read, or holds no labels.
    """
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise SpecError(f"{file} is larger than {MAX_FILE_BYTES} bytes, so it cannot be a list of labels.")
        labels = _PARSERS[file.suffix.lower()](file.read_text(encoding="utf-8-sig"), first_class)
    except OSError as error:
        raise SpecError(f"{file}, which should have the labels, cannot be read: {error.strerror}.") from None
    except (ValueError, TypeError, KeyError, RecursionError):
        labels = {}
    if not labels:
        raise SpecError(f"{file} has no labels: expected {_EXPECTED[file.suffix.lower()]}.")
    return labels


def find_label_map(folder: Path) -> Path | None:
    """The folder's only label map, such as `label_map.pbtxt` or `mscoco_label_map.pbtxt`; None without one.

    Only these are taken unasked: they say the number of each class, and other files need not.
    """
    found = [entry for entry in folder.glob("*.pbtxt") if "label" in entry.name.lower() and entry.is_file()]
    return found[0] if len(found) == 1 else None


def _from_label_map(text: str, first_class: int) -> Labels:
    """`item { id: 1 name: "cat" }`, as protobuf writes it; a `display_name` is what people are to read."""
    labels = {}
    for item in _ITEM.finditer(_without(_COMMENT, text)):
        fields = dict(_FIELD.findall(_without(_INNER, item[1])))
        label = fields.get("display_name") or fields["name"]
        labels[int(fields["id"])] = _unquoted(label)
    return labels_of(labels, first_class)


def _without(pattern: re.Pattern[str], text: str) -> str:
    """The text without what the pattern finds, but for strings, which it finds as its first group."""
    return pattern.sub(lambda match: match[1] or "", text)


def _unquoted(text: str) -> str:
    """A string without its quotes; protobuf writes letters that are not ASCII as octal numbers of their bytes."""
    content = text[1:-1].encode()
    unescaped = _ESCAPE.sub(lambda match: bytes([int(match[1], 8)]) if match[1].isdigit() else match[1], content)
    return unescaped.decode("utf-8", "replace")


def _from_json(text: str, first_class: int) -> Labels:
    """A list of names or of `{"id", "name"}`, or an object of class to name or of name to class."""
    value = json.loads(text)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = {entry["id"]: entry.get("display_name") or entry["name"] for entry in value}
    elif isinstance(value, dict) and all(type(number) is int for number in value.values()):
        value = {number: label for label, number in value.items()}
    return labels_of(value, first_class)


def _from_lines(text: str, first_class: int) -> Labels:
    lines = [line.strip() for line in text.strip().splitlines()]
    numbered = [_NUMBERED_LINE.fullmatch(line) for line in lines if line]
    if all(numbered):
        return labels_of({int(match[1]): match[2] for match in numbered if match}, first_class)
    # An empty line is a class without a name, not one that is missing.
    return labels_of({number: line for number, line in enumerate(lines, first_class) if line}, first_class)


_PARSERS: Mapping[str, Callable[[str, int], Labels]] = {
    ".pbtxt": _from_label_map,
    ".json": _from_json,
    ".txt": _from_lines,
}
_EXPECTED = {
    ".pbtxt": 'items such as item { id: 1 name: "cat" }',
    ".json": 'a list of names, or an object such as {"1": "cat"}',
    ".txt": "a name a line",
}
