"""A script without a queue that decodes and predicts in one process. `python -m benchmarks.picture_loop` serves.

As many threads as cores decode, with the worker's own function, while the model computes the batches before.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bare_model import Array, load_compiled
from benchmarks.picture_files import make_pictures
from benchmarks.serving import serve
from model_store.pictures.decoding import decode_picture, prepare
from model_store.signature import TensorSpec
from model_store.spec import ImageSpec

BATCH = 64

#: Decoded while the model computes.
_BATCHES_AHEAD = 2
_MAX_PIXELS = 1_000_000
_TENSOR = TensorSpec("uint8", (None, 96, 96, 3))


class PictureLoop:
    """The model in `BENCH_MODEL_FILE`, and pictures."""

    def __init__(self) -> None:
        self._predict = load_compiled(Path(os.environ["BENCH_MODEL_FILE"]), None)
        self._threads = len(os.sched_getaffinity(0))

    def prepare(self, pictures: str, answers: str) -> dict[str, Any]:
        """Make the pictures and their right answers, unless they are there."""
        make_pictures(Path(pictures))
        if not Path(answers).exists():
            np.save(answers, np.concatenate(list(self._answers(_files(pictures)))))
        return {}

    def measure(self, pictures: str, into: str) -> dict[str, Any]:
        """Bring all pictures of a folder through the model, and write the answers."""
        files, cpu_s, began_s = _files(pictures), time.process_time(), time.perf_counter()
        answers = np.concatenate(list(self._answers(files)))
        seconds, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
        np.save(into, answers)
        return {"rows_per_s": len(files) / seconds, "cpu_us": cpu_s / len(files) * 1e6}

    def _answers(self, files: Sequence[Path]) -> Iterator[Array]:
        ahead: deque[list[Future[Array]]] = deque()
        with ThreadPoolExecutor(self._threads) as pool:
            for start in range(0, len(files), BATCH):
                ahead.append([pool.submit(_decode, file) for file in files[start : start + BATCH]])
                if len(ahead) > _BATCHES_AHEAD:
                    yield self._predict(_joined(ahead.popleft()))
            while ahead:
                yield self._predict(_joined(ahead.popleft()))


def _files(folder: str) -> list[Path]:
    return sorted(Path(folder).iterdir())


def _decode(file: Path) -> Array:
    return prepare(decode_picture(file.read_bytes(), _MAX_PIXELS), ImageSpec(), _TENSOR)


def _joined(batch: Sequence[Future[Array]]) -> Array:
    return np.concatenate([one.result() for one in batch])


def main() -> None:
    """Serve the loop."""
    loop = PictureLoop()
    serve({"prepare": loop.prepare, "measure": loop.measure})


if __name__ == "__main__":
    main()
