"""What the demo sends to the sample models, and the answers that a reader should expect."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from samples.digits import held_out_digits
from samples.pictures import face, gloves, portrait

NPY = "application/x-npy"
PNG = "image/png"
JPEG = "image/jpeg"

# For each model, digits of which it reads the first held-out image right and with hardly a doubt (above 0.99).
DIGITS_SENT = {"digits-h5": (7, 2, 5), "digits-pb": (4, 6)}


@dataclass(frozen=True)
class DemoInput:
    """One job of the demo.

    Attributes:
        title: What is sent, for the table's reader.
        file_name: What the payload is called as a file.
        model: The model's name.
        payload: The request's body.
        content_type: The payload's.
        expect: The right answer, for the table's reader.
        labels: The right answer to check: a classifier's best label, or the label of each detection at or above
            the model's min_score; empty where nothing is to be detected.
    """

    title: str
    file_name: str
    model: str
    payload: bytes
    content_type: str
    expect: str
    labels: tuple[str, ...]


def demo_inputs(cache: Path) -> list[DemoInput]:
    """The jobs, in the order to show them; `cache` is the folder that `samples.prepare` has filled."""
    return [*_digits(), _emotion(cache), *_hands("hands", cache), *_hands("hands-savedmodel", cache)]


def write_inputs(inputs: list[DemoInput], cache: Path) -> Path:
    """Put each payload into a file of its own, for the reader to send again; gives the folder."""
    folder = cache / "inputs"
    folder.mkdir(exist_ok=True)
    for sent in inputs:
        (folder / sent.file_name).write_bytes(sent.payload)
    return folder


def _digits() -> list[DemoInput]:
    digits = held_out_digits()
    return [
        DemoInput(
            f"digit {digit}", f"digit-{digit}.npy", model, _npy(digits.first(digit)), NPY, str(digit), (str(digit),)
        )
        for model, sent in DIGITS_SENT.items()
        for digit in sent
    ]


def _emotion(cache: Path) -> DemoInput:
    return DemoInput("astronaut's face", "face.png", "emotions", face(cache), PNG, "happy", ("happy",))


def _hands(model: str, cache: Path) -> list[DemoInput]:
    return [
        DemoInput("photographer's gloves", "gloves.png", model, gloves(cache), PNG, "two hands", ("hand", "hand")),
        DemoInput("astronaut, no hand", "no-hand.jpg", model, portrait(cache), JPEG, "no hands", ()),
    ]


def _npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()
