"""Gives a model the values that a `.keras` file of Keras 2 has for it.

The file counts layers by their class in the order of its description, which is not always the order in which Keras 3
has them: two dense layers of the same shape would change places without anybody noticing.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from model_store.errors import LoadError
from model_store.keras_files.config import MODEL_CLASSES, Object, fields, inner_layers, keras_3_name, layer_name

WEIGHTS_MEMBER = "model.weights.h5"
VALUES = "vars"
# What only training goes on from.
TRAINING_GROUPS = ("optimizer", "metrics", "loss_tracker")


def assign_archived_weights(path: Path, description: Object, model: Any) -> None:
    """Assign all values of the archive to the layers of the model that was built from its description.

    Raises:
        LoadError: A value has no variable, or a variable no value.
    """
    with zipfile.ZipFile(path) as archive:
        if any(member.startswith("assets/") for member in archive.namelist()):
            raise LoadError(
                "has its words in a part of the file that only Keras 2 reads. Load it with the Keras that made it, and "
                "save it with model.export(folder)."
            )
        content = BytesIO(archive.read(WEIGHTS_MEMBER))
    with h5py.File(content) as file:
        taken = _assign(file, description, model)
        saved = sum(_count(file[name]) for name in file if name not in TRAINING_GROUPS)
    if not taken == saved == len(model.weights):
        raise LoadError(
            f"does not fit its own description: it holds {saved} weights, its layers took {taken} and have "
            f"{len(model.weights)}."
        )


def _assign(group: h5py.Group, description: Object, layer: Any) -> int:
    """Assign the values of a group to a layer and all layers within it; gives how many there were."""
    if description["class_name"] in MODEL_CLASSES:
        named = {member.name: member for member in layer.layers}
        return sum(
            _assign_member(group, f"layers/{key}", member, named.get(keras_3_name(layer_name(member))))
            for key, member in _keyed(description)
        )
    values = group.get(VALUES, {})
    if values:
        layer.load_own_variables({key: np.asarray(values[key]) for key in values})
    taken = len(values)
    for key in group.keys() - {VALUES}:
        if not _count(group[key]):
            continue
        inner = getattr(layer, key)
        members = [item for item in inner_layers({"config": {"layers": fields(description).get(key)}})]
        if isinstance(inner, list):
            pairs = zip(_keys([type(item).__name__ for item in inner]), inner, strict=True)
            taken += sum(_assign_member(group, f"{key}/{name}", _undescribed(item), item) for name, item in pairs)
        else:
            taken += _assign(group[key], members[0] if members else _undescribed(inner), inner)
    return taken


def _assign_member(group: h5py.Group, place: str, description: Object, layer: Any) -> int:
    return _assign(group[place], description, layer) if layer is not None and place in group else 0


def _undescribed(layer: Any) -> Object:
    return {"class_name": type(layer).__name__, "config": {}}


def _keyed(description: Object) -> Iterator[tuple[str, Object]]:
    members = inner_layers(description)
    # A Sequential keeps its input apart from its layers.
    if description["class_name"] == "Sequential":
        members = [member for member in members if member["class_name"] != "InputLayer"]
    return zip(_keys([_class_name(member) for member in members]), members, strict=True)


def _class_name(member: Object) -> str:
    return "Functional" if member["class_name"] == "Model" else str(member["class_name"])


def _keys(class_names: Sequence[str]) -> Iterator[str]:
    """Each class in lower case with underscores, counted where it stands again: `dense`, `conv2d`, `dense_1`."""
    counts: Counter[str] = Counter()
    for class_name in class_names:
        key = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)).lower()
        yield f"{key}_{counts[key]}" if counts[key] else key
        counts[key] += 1


def _count(group: Any) -> int:
    """The values anywhere within a group."""
    if isinstance(group, h5py.Dataset):
        return 1
    return sum(_count(group[name]) for name in group)
