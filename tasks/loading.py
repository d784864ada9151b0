"""Loading a worker's model. Imports TensorFlow, so `tasks.worker` imports it only in a process that serves a model."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable
from dataclasses import replace

from model_store.device import place
from model_store.loader import load
from model_store.model import Model
from model_store.spec import DeviceSpec, read_spec
from model_store.store import StoredModel
from tasks.settings import Settings
from tasks.tuning import tuning_plan
from tasks.tuning_table import chosen_way

logger = logging.getLogger(__name__)


class Opener:
    """Loads and warms up versions of one model, all of them on the device that the first one asks for.

    TensorFlow takes no word on the device after its first operation.

    Attributes:
        device: What it computes on, in words; empty before the first.

    Args:
        settings: for the device, where model.toml is silent.
        place: binds the process to a device, and gives it in words.
    """

    def __init__(self, settings: Settings, place: Callable[[DeviceSpec], str] = place) -> None:
        self._settings = settings
        self._place = place
        self.device = ""

    def open(self, stored: StoredModel) -> Model:
        """Load a version and warm it up.

        Raises:
            ModelStoreError: any step failed; the sentence names the file.
        """
        if not self.device:
            self.device = self._place(wanted_device(stored, self._settings))
        model = load(stored)
        row_ms = model.warm_up(tuning_plan(stored, self._settings, self.device, usable_cores()))
        _keep_out_of_collections()
        logger.info(
            "Model %s version %d is ready on %s; one row takes %.1f ms, a batch has up to %d rows. It runs %s.",
            model.name,
            model.version,
            self.device,
            row_ms,
            model.batching.max_rows,
            chosen_way(model.tuning),
        )
        for variant in model.tuning.faulty:
            logger.warning("Model %s is not run as %s, which %s.", model.name, variant, model.tuning.dropped[variant])
        return model

    def collect(self) -> None:
        """Free what is left of a dropped model, whose parts refer to each other. Holds all threads up for a moment."""
        gc.unfreeze()
        _keep_out_of_collections()


def _keep_out_of_collections() -> None:
    """Have Python look no more for garbage among what there is now.

    TensorFlow's million objects live as long as the process; looking through them again with each full collection took
    about a quarter of the worker's time under load.
    """
    gc.collect()
    gc.freeze()


def wanted_device(stored: StoredModel, settings: Settings) -> DeviceSpec:
    """The device that a version asks for; raises SpecError where its model.toml is wrong."""
    return merged_device(read_spec(stored.folder).device, settings, usable_cores())


def merged_device(wanted: DeviceSpec, settings: Settings, cores: int) -> DeviceSpec:
    """The device of `model.toml`, with the settings where it is silent.

    Batches that run at once share the cores: an operation that is spread over all of them waits, spinning, for threads
    that the others, the API and the broker hold up. See docs/worker.md for what that takes.
    """
    return replace(
        wanted,
        gpu=settings.gpu if wanted.gpu is None else wanted.gpu,
        memory_limit_mb=settings.gpu_memory_limit_mb if wanted.memory_limit_mb is None else wanted.memory_limit_mb,
        cpu_threads=max(1, cores // settings.parallel_batches) if wanted.cpu_threads is None else wanted.cpu_threads,
        turn=settings.gpu_turn,
    )


def usable_cores() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
