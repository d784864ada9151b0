"""`python -m samples.prepare`: put the sample models into the store and the demo's pictures into the cache.

What is there and whole is left alone, so a second run takes well under a second and needs no network.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from samples.catalog import SAMPLES, Sample
from samples.errors import SampleError
from samples.pictures import PICTURES, prepare_picture
from samples.seal import SPEC_FILE_NAME, is_sealed, seal_fits, write_seal
from samples.silence import silenced_stderr

# Fills a folder with one model's files, given the cache; returns what to tell about it.
Build = Callable[[Path, Path], str]


def main(arguments: list[str] | None = None) -> int:
    """Prepare all; returns the exit status, 1 when something cannot be made."""
    options = _parse(arguments)
    options.store.mkdir(parents=True, exist_ok=True)
    options.cache.mkdir(parents=True, exist_ok=True)
    try:
        for name in PICTURES:
            is_new = prepare_picture(name, options.cache)
            _tell(name, "unpacked" if is_new else "is there already")
        for sample in SAMPLES:
            _tell(sample.name, prepare_model(sample, options.store, options.cache))
    except SampleError as error:
        print(f"samples: {error}", file=sys.stderr)
        return 1
    return 0


def prepare_model(sample: Sample, store: Path, cache: Path) -> str:
    """Make a sample unless it is there as it should be; returns what was done.

    Raises:
        SampleError: It cannot be made, or its place is taken by something that is no sample.
    """
    folder = store / sample.name / "1"
    if seal_fits(sample, folder):
        return "is there already"
    if folder.exists() and not is_sealed(folder):
        raise SampleError(
            f"{folder} was to hold the sample model {sample.name}, but holds something that was not made as a sample; "
            "it is left as it is. Move it to another name and run again."
        )
    started_s = time.monotonic()
    told = _make(sample, folder, cache)
    return f"{told} ({time.monotonic() - started_s:.1f} s)"


def _make(sample: Sample, folder: Path, cache: Path) -> str:
    store = folder.parent.parent
    # Made beside its place and then renamed, so that the store never shows half a model.
    with TemporaryDirectory(dir=store, prefix=".making-") as temporary:
        made = Path(temporary) / "1"
        made.mkdir()
        told = _builder(sample.name)(made, cache)
        (made / SPEC_FILE_NAME).write_text(sample.model_toml, encoding="utf-8")
        write_seal(sample, made)
        folder.parent.mkdir(exist_ok=True)
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
    return told


def _builder(name: str) -> Build:
    # Imported only here, as TensorFlow takes seconds to import and most runs have nothing to make.
    with silenced_stderr():
        from samples import digit_models, emotions, hands

    builders: dict[str, Build] = {
        "digits-h5": digit_models.build_h5,
        "digits-pb": digit_models.build_pb,
        "emotions": emotions.build_emotions,
        "hands": hands.build_frozen,
        "hands-savedmodel": hands.build_saved_model,
    }
    return builders[name]


def _tell(name: str, what: str) -> None:
    print(f"{name:<18}{what}", flush=True)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m samples.prepare", description="Prepare the sample models.")
    parser.add_argument("--store", type=Path, default=Path("models"), help="the model store (default: models)")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="downloads and pictures (default: .cache)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    # The CPU alone: the models are tiny, and one has to be equal to another bit by bit.
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")
    sys.exit(main())
