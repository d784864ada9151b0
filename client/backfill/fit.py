"""What a row must be for a model to take it: the part of the model's signature that a backfill fills in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from client.errors import InputError
from client.tensor_fit import STRING


@dataclass(frozen=True)
class RowSpec:
    """One row of one input.

    Attributes:
        dtype: numpy's name of it, or "string".
        shape: A row's sizes, without the axis of rows; None where any size fits; None as a whole: any shape.
    """

    dtype: str
    shape: tuple[int | None, ...] | None

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether a row of this shape fits as it is."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            wanted in (None, size) for wanted, size in zip(self.shape, shape, strict=True)
        )

    @property
    def size(self) -> int | None:
        """How many values a row has; None when it may have any number."""
        if self.shape is None or None in self.shape:
            return None
        return prod(size for size in self.shape if size is not None)

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype} of any shape"
        return f"{self.dtype} of shape {shape_text(self.shape)}" if self.shape else f"one {self.dtype}"


@dataclass(frozen=True)
class Fit:
    """What a model's rows are.

    Attributes:
        model: The model's name, for messages.
        inputs: What a row has for each input, by name.
        takes_pictures: Whether a row may be an encoded picture.
        fixed_rows: The only number of rows that the model takes; None: any.
    """

    model: str
    inputs: Mapping[str, RowSpec]
    takes_pictures: bool = False
    fixed_rows: int | None = None

    def rows_of_a_job(self, has_pictures: bool) -> int | None:
        """The only number of rows that a job may have, of pictures or of arrays; None: any."""
        # Pictures of a job are given one by one to a model that takes one row.
        return None if has_pictures and self.fixed_rows == 1 else self.fixed_rows

    @classmethod
    def of_model(cls, document: Mapping[str, Any], signature: str | None = None) -> Fit:
        """The fit of a model as `GET /v1/models/{model}` tells it.

        Args:
            document: The answer's JSON.
            signature: The name of one of its signatures; None: the default one.

        Raises:
            InputError: There is no such signature, or the model was never ready, or an input cannot be given row by
                row or has a dtype that numpy lacks.
        """
        model = str(document.get("name"))
        card = _signature_card(document, model, signature)
        inputs = _inputs(card)
        takes_pictures = bool(card.get("takes_pictures", document.get("takes_pictures")))
        fixed_rows = _fixed_rows(model, inputs, takes_pictures)
        specs = {name: RowSpec(spec["dtype"], _row_shape(spec["shape"])) for name, spec in inputs.items()}
        fit = cls(model, specs, takes_pictures, fixed_rows)
        if not takes_pictures:
            for name, spec in specs.items():
                _require_dtype(model, name, spec.dtype)
        return fit


def shape_text(shape: tuple[int | None, ...]) -> str:
    """A shape for people: `(64, any, 3)`."""
    sizes = ["any" if size is None else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _signature_card(document: Mapping[str, Any], model: str, signature: str | None) -> Mapping[str, Any]:
    if document.get("signature") is None:
        raise InputError(f"Model {model!r} was never ready, so nothing is known of its inputs; wait until it is.")
    if not signature:
        return document
    cards: Mapping[str, Mapping[str, Any]] = document.get("signatures") or {}
    if signature not in cards:
        known = ", ".join(sorted(cards)) or "the default one only"
        raise InputError(f"Model {model!r} has no signature {signature!r}; it has {known}.")
    return cards[signature]


def _inputs(card: Mapping[str, Any]) -> Mapping[str, Any]:
    """The inputs of a model's document, which has its signature in a field, or of one of its signatures."""
    inputs: Mapping[str, Any] = (card.get("signature") or card).get("inputs") or {}
    return inputs


def _fixed_rows(model: str, inputs: Mapping[str, Any], takes_pictures: bool) -> int | None:
    first_sizes = {name: (spec["shape"] or [None])[0] for name, spec in inputs.items() if spec["shape"] != []}
    open_inputs = {name for name, size in first_sizes.items() if size is None}
    with_rows = open_inputs or (set(first_sizes) if len(set(first_sizes.values())) == 1 else set())
    rowless = [name for name in inputs if name not in with_rows]
    if (rowless or not inputs) and not takes_pictures:
        what = f"its input {rowless[0]!r} has no rows" if rowless else "it has no inputs"
        raise InputError(f"Model {model!r} cannot be given rows one by one: {what}.")
    return next((first_sizes[name] for name in inputs if name in with_rows), None)


def _row_shape(shape: list[int | None] | None) -> tuple[int | None, ...] | None:
    return None if shape is None else tuple(shape[1:])


def _require_dtype(model: str, name: str, dtype: str) -> None:
    try:
        known = dtype == STRING or np.dtype(dtype).kind in "biufc"
    except TypeError:
        known = False
    if not known:
        raise InputError(f"Input {name!r} of model {model!r} is {dtype}, which no file can hold; it takes no backfill.")
