"""What every format comes down to once it is opened: a signature and a function from tensors to tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from model_store.errors import LoadError
from model_store.signature import Signature, TensorSpec

Run = Callable[[Mapping[str, tf.Tensor]], Mapping[str, tf.Tensor]]

# What TensorFlow and Keras call the signature of a file that has only one; so it is also for formats without names.
DEFAULT_SIGNATURE = "serving_default"

# numpy's own kinds: boolean, signed, unsigned, float, complex. Others, such as bfloat16, only TensorFlow has.
NUMPY_KINDS = "biufc"
MAX_REASON_LENGTH = 400
# Keras prints some of its messages in bold.
TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Program:
    """An opened model file by one of its signatures.

    Attributes:
        format: "frozen_graph", "saved_model" or "keras".
        signature: Names, dtypes and shapes as the file declares them.
        run: Takes a tensor for each input and gives at least the signature's outputs; callable from any thread.
        owner: What owns the variables and tables that `run` reads, held here since TensorFlow does not promise that
            a function holds them; None where there are none.
        open_rows: For a program that takes so many rows only: other ways to run it that may take any number. A trial
            must show which of them gives the same. None where there are none.
        function: TensorFlow's concrete function that `run` calls; None where it calls something else.
        signature_name: What the file calls the signature; jobs that name none get this one.
        changes_state: Whether `run` may change what later calls give, as one that trains the model does; known only
            where there are several signatures.
        trial_strings: What may be tried for inputs of strings that are no text, such as a serialised message.
        others: The same file by its other signatures, by their names.
        refused: Why further signatures of the file cannot be served, a sentence each, by their names.
    """

    format: str
    signature: Signature
    run: Run
    owner: Any = None
    function: Any = None
    open_rows: Callable[[int], Iterator[Run]] | None = None
    signature_name: str = DEFAULT_SIGNATURE
    changes_state: bool = False
    trial_strings: tuple[bytes, ...] = ()
    others: Mapping[str, Program] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def tensor_spec(name: str, tensor: tf.Tensor | tf.TensorSpec) -> TensorSpec:
    """The spec of a TensorFlow tensor; raises LoadError for a dtype that numpy does not have."""
    shape = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    if tensor.dtype == tf.string:
        return TensorSpec("string", shape)
    dtype = np.dtype(tensor.dtype.as_numpy_dtype)
    if dtype.kind not in NUMPY_KINDS:
        raise LoadError(f"its tensor {name!r} is of TensorFlow's type {tensor.dtype.name}, which cannot be sent")
    return TensorSpec(dtype.name, shape)


def one_line(error: Exception) -> str:
    """What an exception of TensorFlow or Keras says, in one line without traces, node names and code."""
    text = getattr(error, "message", None) or str(error) or type(error).__name__
    text = text.partition("\n\nCall arguments received")[0]
    lines = [line.strip() for line in TERMINAL_CODES.sub("", text).splitlines()]
    said = [line for line in lines if line and not _is_noise(line)] or [type(error).__name__]
    reason = re.sub(r"\s*(\{\{.*?\}\}|\[\[.*?\]\]|\[Op:[^]]*\](?: name: *)?)\s*", " ", said[0]).strip()
    reason = reason.rstrip(".:")
    return reason if len(reason) <= MAX_REASON_LENGTH else f"{reason[:MAX_REASON_LENGTH]}…"


def _is_noise(line: str) -> bool:
    noise = (
        "Graph execution error",
        "Exception encountered when calling",
        "Detected at node",
        "File ",
        "Traceback",
        "[[",
        "<stack traces",
        "node ",
    )
    return line.startswith(noise)
