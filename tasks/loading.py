"""Loading a worker's model. Imports TensorFlow, so `tasks.worker` imports it only in a process that serves a model."""

from __future__ import annotations

import gc
import logging
import os
from dataclasses import replace

from model_store.device import place
from model_store.loader import load
from model_store.model import Model
from model_store.spec import DeviceSpec, read_spec
from model_store.store import StoredModel, find_model
from tasks.settings import Settings
from tasks.tuning import tuning_plan
from tasks.tuning_table import chosen_way

logger = logging.getLogger(__name__)


def load_model(name: str, settings: Settings) -> tuple[Model, str]:
    """Find, load and warm up a model; the device first, since TensorFlow takes no word on it after its first operation.

    Returns:
        The model, and what it computes on, in words.

    Raises:
        ModelStoreError: any step failed; the sentence names the file.
    """
    stored = find_model(settings.model_store, name)
    device, cores = place_model(stored, settings)
    model = load(stored)
    row_ms = model.warm_up(tuning_plan(stored, settings, device, cores))
    # TensorFlow's million objects live as long as the process; looking through them again with each full collection
    # took about a quarter of the worker's time under load.
    gc.collect()
    gc.freeze()
    logger.info(
        "Model %s version %d is ready on %s; one row takes %.1f ms, a batch has up to %d rows. It runs %s.",
        name,
        model.version,
        device,
        row_ms,
        model.batching.max_rows,
        chosen_way(model.tuning),
    )
    for variant in model.tuning.faulty:
        logger.warning("Model %s is not run as %s, which %s.", name, variant, model.tuning.dropped[variant])
    return model, device


def place_model(stored: StoredModel, settings: Settings) -> tuple[str, int]:
    """Bind this process to a model's device; gives it in words, and the cores that this process may use.

    Raises:
        ModelStoreError: As for `place`, or the model.toml is wrong.
    """
    cores = _cores()
    return place(merged_device(read_spec(stored.folder).device, settings, cores)), cores


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
    )


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
