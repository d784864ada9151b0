"""Chooses the processor that a model runs on; must come before TensorFlow's first operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from model_store.errors import DeviceError
from model_store.spec import DeviceSpec


@dataclass(frozen=True)
class Placement:
    """What is to be asked of TensorFlow.

    Attributes:
        gpu: Index of the only GPU to be seen; None for the CPU.
        memory_limit_mb: Hard cap of its memory; None lets TensorFlow's share grow as needed.
        cpu_threads: Threads within one operation; None leaves TensorFlow's own number.
    """

    gpu: int | None
    memory_limit_mb: int | None
    cpu_threads: int | None


def decide(device: DeviceSpec, gpu_count: int) -> Placement:
    """Decide from what is asked for and how many GPUs there are; where none is named, by `turn`.

    Raises:
        DeviceError: The GPU asked for does not exist.
    """
    if device.gpu is not None and device.gpu >= gpu_count:
        raise DeviceError(
            f"The model is to run on GPU {device.gpu}, but TensorFlow sees {_count(gpu_count)}. "
            "Name another, or none: gpu in the table [device] of its model.toml, or CELERIAC_GPU."
        )
    if not gpu_count:
        return Placement(None, None, device.cpu_threads)
    gpu = device.turn % gpu_count if device.gpu is None else device.gpu
    return Placement(gpu, device.memory_limit_mb, device.cpu_threads)


def _count(gpus: int) -> str:
    if not gpus:
        return "no GPU"
    return "one GPU, number 0" if gpus == 1 else f"{gpus} GPUs, numbers 0 to {gpus - 1}"


def place(device: DeviceSpec) -> str:
    """Bind this process to one processor.

    Returns:
        What was chosen, such as `CPU` or `GPU:0 NVIDIA H100 (memory growth)`.

    Raises:
        DeviceError: As for `decide`, or TensorFlow has computed already, after which nothing can be changed.
    """
    gpus = tf.config.list_physical_devices("GPU")
    placement = decide(device, len(gpus))
    try:
        return _apply(placement, gpus)
    except RuntimeError as error:
        raise DeviceError(f"The device must be chosen before TensorFlow's first operation: {error}.") from None


def place_on_cpu(device: DeviceSpec) -> str:
    """Bind this process to the CPU, whatever GPU is asked for; otherwise as `place`."""
    return _apply(Placement(None, None, device.cpu_threads), [])


def _apply(placement: Placement, gpus: list[Any]) -> str:
    if placement.cpu_threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(placement.cpu_threads)
    threads = "" if placement.cpu_threads is None else f" (threads: {placement.cpu_threads})"
    if placement.gpu is None:
        tf.config.set_visible_devices([], "GPU")
        return f"CPU{threads}"
    gpu = gpus[placement.gpu]
    tf.config.set_visible_devices([gpu], "GPU")
    name = tf.config.experimental.get_device_details(gpu).get("device_name", "of unknown make")
    return f"GPU:{placement.gpu} {name} ({_share_memory(gpu, placement.memory_limit_mb)})"


def _share_memory(gpu: Any, limit_mb: int | None) -> str:
    if limit_mb is None:
        tf.config.experimental.set_memory_growth(gpu, True)
        return "memory growth"
    tf.config.set_logical_device_configuration(gpu, [tf.config.LogicalDeviceConfiguration(memory_limit=limit_mb)])
    return f"at most {limit_mb} MB"
