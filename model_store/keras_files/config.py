"""What a Keras file says about itself: the description of its model, and which Keras wrote it.

Both containers are read here, HDF5 and zip; the rest of this module is a pure walk over the description, which is
JSON: objects `{"class_name": …, "config": …}` within each other.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from model_store.errors import LoadError
from model_store.keras_files.links import refuse_hdf5_links, refuse_zip_links
from model_store.program import one_line

CONFIG_MEMBER = "config.json"
METADATA_MEMBER = "metadata.json"
# Far above what the largest of models needs to describe itself, and nothing that a worker's memory would feel.
MAX_CONFIG_BYTES = 268_435_456

MODEL_CLASSES = frozenset({"Functional", "Model", "Sequential"})
# Where the description of a layer has those of other layers.
INNER_LAYER_KEYS = ("layers", "layer", "forward_layer", "backward_layer", "cell", "cells")

Object = dict[str, Any]


@dataclass(frozen=True)
class KerasConfig:
    """A model's description.

    Attributes:
        model: `{"class_name", "config", …}` of the whole model.
        major: Which generation of Keras wrote it: 1, 2 or 3.
        is_zip: Whether the container is a zip archive (`.keras`), else HDF5.
    """

    model: Object
    major: int
    is_zip: bool


def read_config(path: Path) -> KerasConfig:
    """Read a file's description of its model.

    Raises:
        LoadError: The file is damaged, describes no model, or has links that leave it; the text follows its name.
    """
    is_zip = zipfile.is_zipfile(path)
    try:
        text, version = _read_zip(path) if is_zip else _read_hdf5(path)
        model = json.loads(text)
    except LoadError:
        raise
    # Both libraries let through whatever their parts meet in a damaged file.
    except Exception as error:
        raise LoadError(f"is damaged or only a part of a Keras file: {one_line(error)}.") from None
    if not isinstance(model, dict):
        raise LoadError(f"describes no model: expected a JSON object, got {type(model).__name__}.")
    # How it was trained, of which nothing is made here.
    model.pop("compile_config", None)
    return KerasConfig(model, _major(version, model), is_zip)


def _read_zip(path: Path) -> tuple[bytes | str, str]:
    with zipfile.ZipFile(path) as archive:
        refuse_zip_links(archive)
        if archive.getinfo(CONFIG_MEMBER).file_size > MAX_CONFIG_BYTES:
            raise LoadError(f"has a {CONFIG_MEMBER} of more than {MAX_CONFIG_BYTES} bytes, which is no description.")
        metadata = json.loads(archive.read(METADATA_MEMBER)) if METADATA_MEMBER in archive.namelist() else {}
        version = metadata.get("keras_version") if isinstance(metadata, dict) else None
        return archive.read(CONFIG_MEMBER), str(version or "")


def _read_hdf5(path: Path) -> tuple[bytes | str, str]:
    with h5py.File(path) as file:
        refuse_hdf5_links(file)
        if "model_config" not in file.attrs:
            raise LoadError(
                "holds no model but at most weights, as model.save_weights() leaves them. Build the model, "
                "load the weights into it, and save it whole with model.save() or model.export()."
            )
        return file.attrs["model_config"], _text(file.attrs.get("keras_version", ""))


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _major(version: str, model: Object) -> int:
    """The first number of the version; a file without one is told by Keras 3's way of naming modules."""
    number = version.partition(".")[0]
    if number.isascii() and number.isdigit():
        return min(int(number), 3)
    return 3 if any("module" in layer for layer in objects(model)) else 1


def objects(value: Any) -> Iterator[Object]:
    """Every object described anywhere within, as nested models and wrappers hide layers."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if isinstance(value.get("class_name"), str):
                yield value
            value = list(value.values())
        if isinstance(value, list):
            pending.extend(reversed(value))


def layers(description: Object) -> Iterator[Object]:
    """The model or layer described, and all the layers within it, to any depth; not what else a layer refers to."""
    pending = [description]
    while pending:
        layer = pending.pop()
        yield layer
        pending.extend(reversed(inner_layers(layer)))


def inner_layers(layer: Object) -> list[Object]:
    """The layers that a model, a wrapper or a recurrent layer consists of, in order."""
    config = layer.get("config")
    # Keras before 2.2.3 wrote a Sequential as the bare list of its layers.
    members = [config] if isinstance(config, list) else [fields(layer).get(key) for key in INNER_LAYER_KEYS]
    flat = [item for member in members for item in (member if isinstance(member, list) else [member])]
    return [item for item in flat if isinstance(item, dict) and isinstance(item.get("class_name"), str)]


def fields(description: Object) -> Object:
    """The arguments of the object described; none where they are no JSON object."""
    config = description.get("config")
    return config if isinstance(config, dict) else {}


def layer_name(layer: Object) -> str:
    """A layer's own name, or else its class."""
    return str(fields(layer).get("name") or layer.get("name") or layer["class_name"])


def keras_3_name(name: str) -> str:
    """What an older file's layer is named in Keras 3: nothing with a slash, and no name that Keras gives by itself."""
    return f"{name.replace('/', '__')}_"
