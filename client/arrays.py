"""A model's outputs as numpy arrays by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from client.errors import ClientError
from client.npy import Array

#: What a detector's or a classifier's answer is: `{"detections": …}`, or `{"outputs": …, "labels": …}`.
Document: TypeAlias = dict[str, Any]


class Arrays(Mapping[str, Array]):
    """The outputs of a model, in its order. Where it has one, `array` is it, whatever its name."""

    def __init__(self, outputs: Mapping[str, Array]) -> None:
        self._outputs = dict(outputs)

    def __getitem__(self, name: str) -> Array:
        return self._outputs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._outputs)

    def __len__(self) -> int:
        return len(self._outputs)

    def __repr__(self) -> str:
        described = ", ".join(f"{name}: {array.dtype} {array.shape}" for name, array in self.items())
        return f"Arrays({described})"

    @property
    def array(self) -> Array:
        """The only output.

        Raises:
            ClientError: There are several; the sentence names them.
        """
        if len(self._outputs) != 1:
            names = ", ".join(self._outputs) or "none"
            raise ClientError(f"Expected one output; the model has {names}. Name the one you want.")
        return next(iter(self._outputs.values()))


#: What a job's result is.
Answer: TypeAlias = Arrays | Document
