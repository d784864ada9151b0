"""Pictures of 500 x 375 as cameras write them: JPEG, some 50 kB each, made once and the same each time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SEED = 20
DIFFERENT = 256
SIZE = (500, 375)
QUALITY = 90


def make_pictures(folder: Path) -> None:
    """Write them into `folder`; what is there is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    if len(list(folder.iterdir())) == DIFFERENT:
        return
    random = np.random.default_rng(SEED)
    for number in range(DIFFERENT):
        Image.fromarray(_pixels(random)).save(folder / f"{number:06}.jpg", "JPEG", quality=QUALITY)


def link_pictures(pictures: Path, folder: Path, count: int) -> None:
    """The same files under more names: picture `i` of `folder` is the one numbered `i` modulo how many differ."""
    folder.mkdir()
    for number in range(count):
        os.link(pictures / f"{number % DIFFERENT:06}.jpg", folder / f"{number:06}.jpg")


def _pixels(random: np.random.Generator) -> np.ndarray[Any, Any]:
    """A colour, under shapes of all sizes: what makes a JPEG as large, and as slow to decode, as a photograph is."""
    pixels = np.broadcast_to(random.uniform(60, 195, 3), (SIZE[1], SIZE[0], 3)).astype("float32")
    for cells, height in ((2, 50), (8, 25), (32, 20), (125, 15), (375, 8)):
        pixels += height * _noise(random, cells)
    return np.asarray(np.clip(pixels, 0, 255), "uint8")


def _noise(random: np.random.Generator, cells: int) -> np.ndarray[Any, Any]:
    """Values around 0, of a grid so many cells high, smoothly between them; the same for all colours, almost."""
    grid = random.uniform(-1, 1, (cells, cells, 1)) + random.uniform(-0.3, 0.3, (cells, cells, 3))
    layers = [Image.fromarray(grid[:, :, i].astype("float32")).resize(SIZE, Image.Resampling.BICUBIC) for i in range(3)]
    return np.stack([np.asarray(layer) for layer in layers], axis=-1)
