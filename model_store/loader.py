"""From a stored model to a loaded one: which format its bytes are, and whether its model.toml fits it."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

from model_store.classes import check_labels
from model_store.detector_outputs import check_detector_outputs
from model_store.errors import LoadError, SpecError
from model_store.frozen_graph import open_frozen_graph
from model_store.image_input import find_image_spec
from model_store.keras_file import open_keras_file
from model_store.kind import with_kind
from model_store.model import Model
from model_store.program import Program
from model_store.saved_model import open_saved_model
from model_store.signature import Signature
from model_store.spec import ModelSpec, read_spec
from model_store.store import StoredModel

HDF5_START = b"\x89HDF\r\n\x1a\n"
KERAS_SUFFIXES = {"HDF5": (".h5", ".hdf5"), "zip": (".keras",)}


def load(stored: StoredModel) -> Model:
    """Open a stored model with what its model.toml says.

    Raises:
        LoadError: The artifact cannot be used; the message names it and says why.
        SpecError: The model.toml is wrong, in itself or for this model.
    """
    spec = read_spec(stored.folder)
    program = _open(stored.path, spec)
    program = replace(program, signature=_with_wanted_outputs(program.signature, spec))
    spec = with_kind(spec, program.signature, stored.folder)
    check_spec(spec, program.signature)
    return Model(stored, program, spec, find_image_spec(program.signature, spec))


def check_spec(spec: ModelSpec, signature: Signature) -> None:
    """Raise SpecError where labels or kind do not fit the model."""
    if spec.kind == "detector":
        check_detector_outputs(signature.outputs, spec)
    if spec.kind == "classifier":
        check_labels(signature, spec)


def _open(path: Path, spec: ModelSpec) -> Program:
    if path.is_dir():
        return open_saved_model(path, spec)
    try:
        with path.open("rb") as file:
            start = file.read(len(HDF5_START))
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {error.strerror}.") from None
    if not start:
        raise LoadError(f"{path} is empty.")
    if start == HDF5_START:
        return _open_keras(path, "HDF5", spec)
    if zipfile.is_zipfile(path):
        return _open_keras(path, "zip", spec)
    if path.suffix.lower() == ".pb":
        return open_frozen_graph(path, spec)
    raise LoadError(f"{path} is not a Keras file: it begins neither like HDF5 nor like a complete zip archive.")


def _open_keras(path: Path, container: str, spec: ModelSpec) -> Program:
    suffixes = KERAS_SUFFIXES[container]
    if path.suffix not in suffixes:
        raise LoadError(f"{path} is {container} inside: name it {path.stem}{suffixes[0]}, as Keras goes by the name.")
    return open_keras_file(path, spec)


def _with_wanted_outputs(signature: Signature, spec: ModelSpec) -> Signature:
    if spec.outputs is None:
        return signature
    for name in spec.outputs:
        if name not in signature.outputs:
            raise SpecError(f"{spec.file}: outputs has {name}, but the model's are {', '.join(signature.outputs)}.")
    return replace(signature, outputs={name: signature.outputs[name] for name in spec.outputs})
