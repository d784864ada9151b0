"""Keras's files for tests: built in code, and changed in what they say of themselves."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import keras

#: Changes a model's description of itself in its place.
Edit = Callable[[dict[str, Any]], None]


def functional(layer: Callable[[Any], Any]) -> keras.Model:
    """A model of one layer, on rows `x` of three numbers."""
    x = keras.Input((3,), name="x")
    return keras.Model(x, layer(x))


def edit_hdf5(file: Path, edit: Edit, keras_version: str = "") -> None:
    """Change the description within an HDF5 file, and the version that it says wrote it."""
    with h5py.File(file, "r+") as content:
        config = json.loads(content.attrs["model_config"])
        edit(config)
        content.attrs["model_config"] = json.dumps(config)
        if keras_version:
            content.attrs["keras_version"] = keras_version


def edit_zip(file: Path, edit: Edit) -> None:
    """Change the description within a .keras file."""
    members = read_members(file)
    config = json.loads(members["config.json"])
    edit(config)
    write_members(file, members | {"config.json": json.dumps(config).encode()})


def edit_description(file: Path, edit: Edit) -> None:
    """Change the description within a file of either format."""
    (edit_zip if file.suffix == ".keras" else edit_hdf5)(file, edit)


def read_members(file: Path) -> dict[str, bytes]:
    """What a .keras file consists of, by name."""
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(file: Path, members: Mapping[str, bytes]) -> None:
    """Write a .keras file anew."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
