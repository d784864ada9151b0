"""What one writes without a queue: pictures decoded in as many threads as there are cores, predicted in batches of 64.

`python -m benchmarks.picture_loop` serves. The next batch is decoded while the model computes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.bare_model import Array, load_compiled
from benchmarks.serving import serve

BATCH_ROWS = 64


def read(path: Path, size: tuple[int, int]) -> Array:
    """A picture as the model takes it: (height, width, 3) uint8."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BILINEAR))


def batches(paths: list[Path], size: tuple[int, int], threads: ThreadPoolExecutor) -> Iterator[Array]:
    """Batches in order, of which the next one is being decoded."""
    remaining = iter(paths)

    def begin() -> list[Any]:
        return [threads.submit(read, path, size) for path in islice(remaining, BATCH_ROWS)]

    under_way = begin()
    while under_way:
        following = begin()
        yield np.stack([one.result() for one in under_way])
        under_way = following


def main() -> None:
    """Serve loops over the model in `BENCH_MODEL_FILE`."""
    predict = load_compiled(Path(os.environ["BENCH_MODEL_FILE"]), None)
    cores = len(os.sched_getaffinity(0))

    def loop(folder: str, width: int, height: int, into: str) -> dict[str, Any]:
        began_s = time.perf_counter()
        paths = sorted(Path(folder).iterdir())
        with ThreadPoolExecutor(cores) as threads:
            answers = np.concatenate([predict(batch) for batch in batches(paths, (width, height), threads)])
        np.save(into, answers)
        return {"rows_per_s": len(paths) / (time.perf_counter() - began_s)}

    serve({"loop": loop})


if __name__ == "__main__":
    main()
