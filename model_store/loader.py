"""From a stored model to a loaded one: which format its bytes are, and whether its model.toml fits it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from model_store.classes import check_labels
from model_store.detectors.outputs import check_detector_outputs
from model_store.errors import LoadError, SpecError
from model_store.file_format import GRAPH, GRAPH_TEXT, KERAS_HDF5, KERAS_ZIP, SAVED_MODEL, FileFormat, recognize
from model_store.graphs.file import holds_graph
from model_store.graphs.frozen_graph import open_frozen_graph
from model_store.keras_files.file import open_keras_file
from model_store.kind import with_kind
from model_store.model import Model
from model_store.other_signatures import SEARCH_S
from model_store.pictures.image_input import find_image_spec
from model_store.program import Program
from model_store.saved_models.saved_model import open_saved_model
from model_store.signature import Signature
from model_store.spec import BatchingSpec, ModelSpec, read_spec
from model_store.store import SAVED_MODEL_FILE, StoredModel
from model_store.trust.store_links import refuse_links_outside

KERAS_SUFFIXES = {KERAS_HDF5: (".h5", ".hdf5"), KERAS_ZIP: (".keras",)}


def load(stored: StoredModel) -> Model:
    """Open a stored model with what its model.toml says.

    Raises:
        LoadError: The artifact cannot be used; the message names it and says why.
        Untrusted: It could do more than compute, or leads out of the store.
        SpecError: The model.toml is wrong, in itself or for this model.
    """
    refuse_links_outside(stored.folder, stored.folder.parents[1])
    return open_model(stored, read_spec(stored.folder))


def open_model(stored: StoredModel, spec: ModelSpec) -> Model:
    """Open an artifact wherever it lies, with what a model.toml says. Raises like `load`."""
    program = _open(stored.path, spec)
    _check_inputs(program, spec)
    _check_signature(program, spec)
    program = replace(program, signature=_with_wanted_outputs(program.signature, spec))
    spec = with_kind(spec, program.signature, stored.folder)
    check_spec(spec, program.signature)
    others = {name: _load_other(stored, other, spec) for name, other in program.others.items()}
    return Model(stored, program, spec, find_image_spec(program.signature, spec), others)


def _check_inputs(program: Program, spec: ModelSpec) -> None:
    if spec.inputs and program.format != "frozen_graph":
        raise SpecError(
            f"{spec.file}: inputs is for frozen graphs; this model's are {', '.join(program.signature.inputs)}."
        )


def _check_signature(program: Program, spec: ModelSpec) -> None:
    if spec.signature in (None, program.signature_name):
        return
    if spec.signature in program.refused:
        reason = program.refused[spec.signature]
        raise SpecError(f"{spec.file}: signature is {spec.signature}, which cannot be served: {reason}.")
    names = ", ".join([program.signature_name, *program.others])
    raise SpecError(f"{spec.file}: signature is {spec.signature}, but the model's are {names}.")


def _load_other(stored: StoredModel, program: Program, spec: ModelSpec) -> Model:
    """The model by a further signature, with what of model.toml fits it: it is written for the default one."""
    spec = replace(spec, outputs=None, batching=BatchingSpec(max_batch_wait_ms=spec.batching.max_batch_wait_ms))
    try:
        check_spec(spec, program.signature)
    except SpecError:
        spec = replace(spec, kind="tensors")
    try:
        image = find_image_spec(program.signature, spec)
    except SpecError:
        image = None
    return Model(stored, program, spec, image, search_s=SEARCH_S)


def check_spec(spec: ModelSpec, signature: Signature) -> None:
    """Raise SpecError where labels or kind do not fit the model."""
    if spec.kind == "detector":
        check_detector_outputs(signature.outputs, spec)
    if spec.kind == "classifier":
        check_labels(signature, spec)


def _open(path: Path, spec: ModelSpec) -> Program:
    if path.is_dir():
        return _open_folder(path, spec)
    found = recognize(path)
    if found.name in KERAS_SUFFIXES:
        return _open_keras(path, found, spec)
    if found.name == SAVED_MODEL:
        return open_saved_model(path, spec)
    if found.name in (GRAPH, GRAPH_TEXT):
        return open_frozen_graph(path, spec)
    expected = "a frozen graph" if path.suffix.lower() == ".pb" else "a Keras file or any other model"
    raise LoadError(f"{path} is not {expected} but {found.what}. {found.advice}".rstrip())


def _open_folder(folder: Path, spec: ModelSpec) -> Program:
    """A frozen graph may go by the name of a SavedModel's file."""
    file = folder / SAVED_MODEL_FILE
    is_graph = file.is_file() and holds_graph(file)
    return open_frozen_graph(file, spec) if is_graph else open_saved_model(folder, spec)


def _open_keras(path: Path, found: FileFormat, spec: ModelSpec) -> Program:
    suffixes = KERAS_SUFFIXES[found.name]
    if path.suffix not in suffixes:
        raise LoadError(f"{path} is {found.what}: name it {path.stem}{suffixes[0]}, as Keras goes by the name.")
    return open_keras_file(path, spec)


def _with_wanted_outputs(signature: Signature, spec: ModelSpec) -> Signature:
    if spec.outputs is None:
        return signature
    for name in spec.outputs:
        if name not in signature.outputs:
            raise SpecError(f"{spec.file}: outputs has {name}, but the model's are {', '.join(signature.outputs)}.")
    return replace(signature, outputs={name: signature.outputs[name] for name in spec.outputs})
