"""Builds the models, their inputs and the right answers: `python -m benchmarks.model_files FOLDER`.

Weights are random but the same each time, so nothing needs to be downloaded or kept. The outputs are logits, scaled
until different inputs give answers that differ by about one: a wrong answer cannot pass for a right one.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from benchmarks.bare_model import Array, load_compiled

SEED = 20
VERSION = "1"


@dataclass(frozen=True)
class Recipe:
    """How a model is built, and how many different inputs it is measured with."""

    build: Callable[[], keras.Model]
    inputs: int


def tiny() -> keras.Model:
    """64 -> 128 -> 10, float32."""
    rows = keras.Input((64,), name="row")
    hidden = keras.layers.Dense(128, activation="relu")(rows)
    return keras.Model(rows, keras.layers.Dense(10, name="logits")(hidden))


def small() -> keras.Model:
    """MobileNetV2, 96 x 96 x 3 uint8, alpha 0.35, 10 classes."""
    return _mobile_net(96, 0.35, 10)


def large() -> keras.Model:
    """MobileNetV2, 224 x 224 x 3 uint8, alpha 1.0, the 1000 classes of ImageNet."""
    return _mobile_net(224, 1.0, 1000)


RECIPES = {"tiny": Recipe(tiny, 4096), "small": Recipe(small, 512), "large": Recipe(large, 64)}


def build_all(folder: Path) -> None:
    """Write model store, inputs and answers of every recipe into `folder`; what is there is kept."""
    for name, recipe in RECIPES.items():
        if not answers_file(folder, name).exists():
            _build(folder, name, recipe)


def model_file(folder: Path, name: str) -> Path:
    """The model itself, where Celeriac's model store looks for it."""
    return folder / "store" / name / VERSION / "model.keras"


def inputs_file(folder: Path, name: str) -> Path:
    """The input rows, `.npy`."""
    return folder / f"{name}-inputs.npy"


def answers_file(folder: Path, name: str) -> Path:
    """The right answer for each input row, `.npy`."""
    return folder / f"{name}-answers.npy"


def _build(folder: Path, name: str, recipe: Recipe) -> None:
    keras.utils.set_random_seed(SEED)
    model = recipe.build()
    inputs = _inputs(model, recipe.inputs)
    _spread_outputs(model, inputs[:64])
    file = model_file(folder, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # Keras 3.15 reads its variables, when it saves a model, in a way that numpy 2.4 calls outdated.
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning)
        model.save(file)
    np.save(inputs_file(folder, name), inputs)
    predict = load_compiled(file, None)
    answers = [predict(inputs[start : start + 32]) for start in range(0, len(inputs), 32)]
    np.save(answers_file(folder, name), np.concatenate(answers))


def _mobile_net(size: int, alpha: float, classes: int) -> keras.Model:
    pictures = keras.Input((size, size, 3), dtype="uint8", name="picture")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pictures)
    net = keras.applications.MobileNetV2(
        (size, size, 3), alpha=alpha, weights=None, classes=classes, classifier_activation=None
    )
    return keras.Model(pictures, net(scaled))


def _inputs(model: keras.Model, count: int) -> Array:
    random = np.random.default_rng(SEED)
    shape = model.inputs[0].shape[1:]
    if len(shape) == 1:
        return random.standard_normal((count, *shape), dtype="float32")
    # A colour and a gradient for each picture, under noise: pure noise looks the same to a network everywhere.
    colours = random.uniform(60, 195, (count, 1, 1, 3))
    slopes = random.uniform(-50, 50, (count, 1, 1, 3)) * np.linspace(-1, 1, shape[0])[None, :, None, None]
    noise = random.integers(-10, 11, (count, *shape), dtype="int16")
    return np.clip(colours + slopes + noise, 0, 255).astype("uint8")


def _spread_outputs(model: keras.Model, inputs: Array) -> None:
    """Scale the last layer until an output's standard deviation over different inputs is one."""
    dense = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Dense)][-1]
    kernel, bias = dense.get_weights()
    outputs = np.asarray(model(inputs, training=False))
    dense.set_weights([kernel / outputs.std(axis=0).mean(), bias])


if __name__ == "__main__":
    build_all(Path(sys.argv[1]))
