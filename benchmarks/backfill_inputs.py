"""What backfills are measured with: rows in a `.npy`, and a folder of JPEGs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

#: As ImageNet's pictures mostly are.
PICTURE_SIZE = (500, 375)
_QUALITY = 90
_BLOCK_ROWS = 65_536


def write_rows(inputs: Path, rows: int, path: Path) -> None:
    """The model's inputs over and over."""
    given = np.load(inputs)
    written = np.lib.format.open_memmap(path, mode="w+", dtype=given.dtype, shape=(rows, *given.shape[1:]))
    for first in range(0, rows, _BLOCK_ROWS):
        block = np.arange(first, min(first + _BLOCK_ROWS, rows))
        written[block[0] : block[-1] + 1] = given[block % len(given)]
    written.flush()


def write_pictures(inputs: Path, count: int, folder: Path) -> None:
    """The model's inputs as JPEGs of `PICTURE_SIZE`, with a noise that makes them as large as photos: about 45 KB."""
    folder.mkdir(parents=True)
    random, given = np.random.default_rng(20), np.load(inputs)
    width, height = PICTURE_SIZE
    for number in range(count):
        picture = Image.fromarray(given[number % len(given)]).resize(PICTURE_SIZE, Image.Resampling.BICUBIC)
        noise = random.integers(-6, 7, (height, width, 1), dtype="int16")
        noisy = np.clip(np.asarray(picture, "int16") + noise, 0, 255).astype("uint8")
        Image.fromarray(noisy).save(folder / f"{number:06}.jpg", quality=_QUALITY)
