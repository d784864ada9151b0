"""What wrote a model file, as the file says itself."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
from google.protobuf.message import DecodeError
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_store.file_format import GRAPH, KERAS_HDF5, KERAS_ZIP, recognize
from model_store.store import SAVED_MODEL_FILE


def saved_by(path: Path) -> str | None:
    """The program and its version, such as "Keras 2.3.1 on TensorFlow"; None where the file does not say.

    Raises:
        LoadError: The file is empty or cannot be read.
    """
    readers = {KERAS_HDF5: _of_hdf5, KERAS_ZIP: _of_zip, GRAPH: _of_graph}
    reader = _of_saved_model if path.is_dir() else readers.get(recognize(path).name)
    try:
        return reader(path) if reader else None
    # Whether the file is damaged is for whoever opens it to say.
    except (OSError, KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile, DecodeError):
        return None


def _of_hdf5(path: Path) -> str | None:
    with h5py.File(path) as file:
        attributes: Any = file.attrs
        if "keras_version" not in attributes:
            return None
        backend = attributes.get("backend")
        named = {"tensorflow": "TensorFlow", "theano": "Theano", "cntk": "CNTK"}
        return f"Keras {_text(attributes['keras_version'])}" + (
            f" on {named.get(_text(backend), _text(backend))}" if backend is not None else ""
        )


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _of_zip(path: Path) -> str | None:
    with zipfile.ZipFile(path) as archive:
        metadata = json.loads(archive.read("metadata.json"))
    return f"Keras {metadata['keras_version']}, on {metadata['date_saved'].replace('@', ' ')}"


def _of_graph(path: Path) -> str | None:
    """A graph only has the number of the GraphDef format, which TensorFlow raises every few weeks."""
    producer = GraphDef.FromString(path.read_bytes()).versions.producer
    return f"TensorFlow, GraphDef version {producer}" if producer else None


def _of_saved_model(folder: Path) -> str | None:
    content = SavedModel.FromString((folder / SAVED_MODEL_FILE).read_bytes())
    versions = {graph.meta_info_def.tensorflow_version for graph in content.meta_graphs} - {""}
    return f"TensorFlow {', '.join(sorted(versions))}" if versions else None
