"""What can go wrong with a model, as sentences a person can act on.

A model is found (`ModelNotFound`), its model.toml read (`SpecError`), its device chosen (`DeviceError`), its
file opened (`LoadError`, `Untrusted`), tried (`WarmUpError`) and used (`InvalidInput`, `PictureError`, `PredictError`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class ModelStoreError(Exception):
    """Base of everything this package raises on purpose; its text is one sentence or a few, on one line."""

    def __str__(self) -> str:
        """The text; a name that a file brings may hold anything, such as a line that looks like another of a log."""
        return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in super().__str__())


class ModelNotFound(ModelStoreError):
    """The store has no such model; the message lists the models it has."""


class SpecError(ModelStoreError):
    """A model.toml is wrong; the message names the file and the key."""


class DeviceError(ModelStoreError):
    """The device that model.toml asks for cannot be had."""


class LoadError(ModelStoreError):
    """A model's files cannot be used; the message names the file or the folder."""


class Untrusted(LoadError):
    """A model's files ask for code that nobody has allowed, or lead out of the store; nothing of them has run.

    Attributes:
        operators: The operators refused, as `{"operator", "where", "reason"}`; empty where it is something else.
    """

    def __init__(self, message: str, operators: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(message)
        self.operators = tuple(operators)


class WarmUpError(ModelStoreError):
    """The model was loaded but cannot run; the worker must not start."""


class VariantUnfit(ModelStoreError):
    """A way of running a model does not apply to it; the message goes on from the model's name."""


class PredictError(ModelStoreError):
    """The model failed on inputs that its signature allows."""


class OutOfMemory(PredictError):
    """The memory of the device or the process did not suffice for this many rows."""


class PictureError(ModelStoreError):
    """A picture cannot be decoded, or may not be."""


class InvalidInput(ModelStoreError):
    """An input does not fit the model's signature.

    Attributes:
        field: Where, such as `inputs.image`.
        expected: What would have been right, such as `dtype float32`.
        got: What came instead: its kind, never the data itself.
    """

    def __init__(self, field: str, expected: str, got: str) -> None:
        super().__init__(f"{field}: expected {expected}, got {got}.")
        self.field = field
        self.expected = expected
        self.got = got
