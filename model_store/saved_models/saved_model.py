"""Opens a SavedModel: a folder with `saved_model.pb` and its variables, whose signatures name what goes in and out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_store.errors import LoadError, ModelStoreError
from model_store.program import DEFAULT_SIGNATURE, Program, one_line
from model_store.saved_models.concrete_program import changes_state, concrete_program
from model_store.saved_models.file import INTERNAL_PREFIX, SavedModelFile
from model_store.saved_models.trial_examples import find_example
from model_store.spec import ModelSpec
from model_store.trust.saved_model_runs import refuse_saved_model

CALL = "__call__"
# Which signature jobs get that name none: the first of these, else the first by name.
USUAL_SIGNATURES = (DEFAULT_SIGNATURE, "default", "serve", "predict", CALL, "call")


def open_saved_model(path: Path, spec: ModelSpec) -> Program:
    """Open a SavedModel by all its signatures, or where it has none by the functions that its object has.

    Its own is the one that model.toml names; else the first of `USUAL_SIGNATURES` that it has; else the first by name
    among those that change nothing.

    Args:
        path: The folder, or a `saved_model.pb` of any name, beside which the rest of it lies.
        spec: What model.toml says.

    Raises:
        LoadError: The folder is no complete SavedModel, TensorFlow refuses it, or nothing in it can be called.
        Untrusted: Its graph has operators that can do more than compute.
    """
    file = SavedModelFile.read(path)
    file.check_variables()
    try:
        loaded, unloaded = file.load(partial(refuse_saved_model, path, spec))
        example = find_example(file.graph)
        programs, refused = _programs(_functions(loaded), loaded, (example,) if example else ())
    except ModelStoreError:
        raise
    # TensorFlow lets through whatever Python error its parts meet in a folder that is incomplete.
    except Exception as error:
        raise LoadError(f"{path} cannot be used as a SavedModel: {one_line(error)}.") from None
    refused |= unloaded
    if not programs:
        raise LoadError(f"{path} cannot be used as a SavedModel: {_why_none(refused)}.")
    default = _default(programs, spec.signature)
    others = {name: program for name, program in programs.items() if name != default}
    return replace(programs[default], others=others, refused=refused)


def _functions(loaded: Any) -> dict[str, Any]:
    """The concrete functions that can be called, by the names of their signatures."""
    named = {name: function for name, function in loaded.signatures.items() if not name.startswith(INTERNAL_PREFIX)}
    return named or _callable_attributes(loaded)


def _callable_attributes(loaded: Any) -> dict[str, Any]:
    """The traced functions of an object, named by their attributes; where one has several traces they are numbered.

    A trace that was made with a Python value True, such as `training=True`, comes behind those without.
    """
    functions = {}
    for attribute in (name for name in dir(loaded) if name == CALL or not name.startswith("_")):
        traces = getattr(getattr(loaded, attribute, None), "concrete_functions", ())
        for number, trace in enumerate(sorted(traces, key=_switched_on), start=1):
            functions[attribute if number == 1 else f"{attribute}.{number}"] = trace
    return functions


def _switched_on(function: Any) -> int:
    return sum(leaf is True for leaf in tf.nest.flatten(function.structured_input_signature))


def _programs(
    functions: Mapping[str, Any], loaded: Any, strings: tuple[bytes, ...]
) -> tuple[dict[str, Program], dict[str, str]]:
    """The programs that can be served, and why others cannot, by name; sorted, as the file keeps them in no order."""
    programs, refused = {}, {}
    for name, function in sorted(functions.items()):
        try:
            program = concrete_program(function, loaded)
            is_writer = len(functions) > 1 and changes_state(function)
            programs[name] = replace(program, signature_name=name, changes_state=is_writer, trial_strings=strings)
        except LoadError as error:
            refused[name] = str(error)
    return programs, refused


def _default(programs: Mapping[str, Program], wanted: str | None) -> str:
    """The name of the signature that jobs get which name none."""
    usual = [name for name in (wanted, *USUAL_SIGNATURES) if name and name in programs]
    harmless = (name for name, program in programs.items() if not program.changes_state)
    return usual[0] if usual else next(harmless, next(iter(programs)))


def _why_none(refused: Mapping[str, str]) -> str:
    if not refused:
        return (
            "it has no signatures and no functions; export it again with model.export(folder), or with "
            "tf.saved_model.save(..., signatures=...)"
        )
    listed = "; ".join(f"{name}: {reason}" for name, reason in sorted(refused.items()))
    return f"none of its signatures can be served ({listed})"
