"""What is asked of a SavedModel's graph when it is loaded and served, and the files that it names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.framework.variable_pb2 import VariableDef
from tensorflow.core.protobuf.meta_graph_pb2 import AssetFileDef

from model_store.errors import LoadError, Untrusted
from model_store.spec import ModelSpec
from model_store.store import SAVED_MODEL_FILE
from model_store.trust.graph_part import Run, indexed_name
from model_store.trust.operator_check import refuse_operators

# The names are TensorFlow's, see tensorflow/python/saved_model/constants.py and load_v1_in_v2.py.
INIT_SIGNATURE = "__saved_model_init_op"
INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op", "table_initializer")
LOCAL_VARIABLES = "local_variables"
ASSETS = "saved_model_assets"


def refuse_saved_model(folder: Path, spec: ModelSpec, content: Any) -> None:
    """Check the operators and the assets of a SavedModel.

    Args:
        folder: The artifact.
        spec: Its model.toml, which may trust it.
        content: The SavedModel message, just as TensorFlow is going to load it.

    Raises:
        Untrusted: An operator is not allowed and the artifact not trusted, or an asset is outside the folder.
        LoadError: It names parts that it does not have.
    """
    for meta_graph in content.meta_graphs:
        try:
            assets = _assets(meta_graph)
            runs = list(_runs(meta_graph, len(content.meta_graphs) == 1))
        except (DecodeError, IndexError):
            raise LoadError(
                f"{folder} is damaged: its file {SAVED_MODEL_FILE} names parts that it does not have."
            ) from None
        _refuse_assets(folder, assets)
        refuse_operators(folder, spec, meta_graph.graph_def, runs)


def _refuse_assets(folder: Path, assets: Sequence[Any]) -> None:
    for asset in assets:
        name = PurePosixPath(asset.filename)
        if name.is_absolute() or ".." in name.parts:
            raise Untrusted(f"{folder} is refused: its asset {asset.filename!r} is not in the folder assets.")


def _runs(meta_graph: Any, is_only_one: bool) -> Iterator[Run]:
    """TensorFlow loads the objects where there are any and calls their functions; else it imports the graph itself."""
    if is_only_one and meta_graph.HasField("object_graph_def"):
        yield _run_of_objects(meta_graph.object_graph_def, meta_graph.graph_def.library)
        return
    yield _initialization(meta_graph)
    yield _restoration(meta_graph.saver_def)
    for signature in meta_graph.signature_def.values():
        yield Run(_tensors(signature.outputs), fed=frozenset(_tensors(signature.inputs)))


def _run_of_objects(objects: Any, library: Any) -> Run:
    """All functions of all objects: some make resources and fill them while loading, any may be called later."""
    arguments = {function.signature.name: len(function.signature.input_arg) for function in library.function}
    own_files = {}
    for name, function in objects.concrete_functions.items():
        first = arguments.get(name, 0) - len(function.bound_inputs)
        kinds = [objects.nodes[bound].WhichOneof("kind") for bound in function.bound_inputs]
        own_files[name] = frozenset(first + place for place, kind in enumerate(kinds) if kind == "asset")
    return Run(functions=(*own_files, *_named_by_objects(objects)), own_file_arguments=own_files)


def _named_by_objects(objects: Any) -> Iterator[str]:
    """TensorFlow calls these also where the list of functions does not have them."""
    for node in objects.nodes:
        yield from node.function.concrete_functions
        yield node.bare_concrete_function.concrete_function_name


def _initialization(meta_graph: Any) -> Run:
    collections = meta_graph.collection_def
    nodes = [name for key in INIT_COLLECTIONS if key in collections for name in collections[key].node_list.value]
    if LOCAL_VARIABLES in collections:
        values = collections[LOCAL_VARIABLES].bytes_list.value
        nodes.extend(VariableDef.FromString(value).initializer_name for value in values)
    nodes.extend(_tensors(meta_graph.signature_def[INIT_SIGNATURE].outputs) if _has_init(meta_graph) else ())
    assets = frozenset(indexed_name(asset.tensor_info.name) for asset in _assets(meta_graph))
    return Run(tuple(nodes), fed=assets, own_files=assets)


def _has_init(meta_graph: Any) -> bool:
    return INIT_SIGNATURE in meta_graph.signature_def


def _restoration(saver: Any) -> Run:
    if not saver.restore_op_name:
        return Run()
    variables = frozenset([indexed_name(saver.filename_tensor_name)])
    return Run((saver.restore_op_name,), fed=variables, own_files=variables)


def _assets(meta_graph: Any) -> list[Any]:
    if meta_graph.asset_file_def or ASSETS not in meta_graph.collection_def:
        return list(meta_graph.asset_file_def)
    return [AssetFileDef.FromString(asset.value) for asset in meta_graph.collection_def[ASSETS].any_list.value]


def _tensors(infos: Any) -> tuple[str, ...]:
    return tuple(name for info in infos.values() for name in _names(info))


def _names(info: Any) -> Iterator[str]:
    """One name, or those of the parts of a sparse or composite tensor."""
    match info.WhichOneof("encoding"):
        case "coo_sparse":
            parts = info.coo_sparse
            yield from (parts.values_tensor_name, parts.indices_tensor_name, parts.dense_shape_tensor_name)
        case "composite_tensor":
            for component in info.composite_tensor.components:
                yield from _names(component)
        case _:
            yield info.name
