"""Devices are chosen once in a process, so each test has one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
import tensorflow as tf

from model_store import device
from model_store.spec import DeviceSpec
from tasks.loading import merged_device
from tasks.settings import Settings

ROOT = Path(__file__).parents[2]


def told_by(code: str) -> str:
    """The last line that a fresh process prints; it sees no GPU, whatever the machine has."""
    header = "import tensorflow as tf\nfrom model_store.device import place\nfrom model_store.spec import DeviceSpec\n"
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", header + code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]


def test_a_process_without_a_gpu_runs_on_the_cpu() -> None:
    assert told_by("print(place(DeviceSpec()))") == "CPU"


def test_the_number_of_threads_is_set_and_told() -> None:
    code = "print(place(DeviceSpec(cpu_threads=1)), tf.config.threading.get_intra_op_parallelism_threads())"
    assert told_by(code) == "CPU (threads: 1) 1"


def test_a_missing_gpu_is_told() -> None:
    told = told_by("place(DeviceSpec(gpu=0))")
    assert told.startswith("model_store.errors.DeviceError: The model is to run on GPU 0, but TensorFlow sees no GPU. ")


def test_after_the_first_operation_it_is_too_late() -> None:
    told = told_by("tf.constant(1) + 1\nplace(DeviceSpec(cpu_threads=1))")
    assert "DeviceError: The device must be chosen before TensorFlow's first operation" in told


GPU = types.SimpleNamespace(name="/physical_device:GPU:1", device_type="GPU")


class RecordedConfig:
    """Stands for tf.config on a machine with two GPUs, which the machines that run the tests do not have."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.threading = self
        self.experimental = self

    def list_physical_devices(self, kind: str) -> list[object]:
        return ["first", GPU]

    def set_visible_devices(self, devices: list[object], kind: str) -> None:
        self.asked.append(("visible", *devices))

    def get_device_details(self, gpu: object) -> dict[str, str]:
        return {"device_name": "NVIDIA Test"}

    def set_memory_growth(self, gpu: object, enable: bool) -> None:
        self.asked.append(("growth", gpu, enable))

    def set_logical_device_configuration(
        self, gpu: object, configurations: list[tf.config.LogicalDeviceConfiguration]
    ) -> None:
        self.asked.append(("limit", gpu, configurations[0].memory_limit))

    LogicalDeviceConfiguration = tf.config.LogicalDeviceConfiguration


@pytest.mark.parametrize(
    ("wanted", "asked", "told"),
    [
        (DeviceSpec(gpu=1), ("growth", GPU, True), "GPU:1 NVIDIA Test (memory growth)"),
        (DeviceSpec(turn=3), ("growth", GPU, True), "GPU:1 NVIDIA Test (memory growth)"),
        (DeviceSpec(gpu=1, memory_limit_mb=512), ("limit", GPU, 512), "GPU:1 NVIDIA Test (at most 512 MB)"),
    ],
)
def test_a_gpu_is_the_only_one_seen_and_its_memory_grows_or_is_capped(
    monkeypatch: pytest.MonkeyPatch, wanted: DeviceSpec, asked: tuple[object, ...], told: str
) -> None:
    recorded = RecordedConfig()
    monkeypatch.setattr(device.tf, "config", recorded)
    assert device.place(wanted) == told
    assert recorded.asked == [("visible", GPU), asked]


def test_a_models_own_device_wins_over_the_settings() -> None:
    settings = Settings(gpu=0, gpu_memory_limit_mb=1024)
    assert merged_device(DeviceSpec(), settings, cores=9) == DeviceSpec(gpu=0, memory_limit_mb=1024, cpu_threads=4)
    own = DeviceSpec(gpu=1, memory_limit_mb=64, cpu_threads=7)
    assert merged_device(own, settings, cores=9) == own
    assert merged_device(DeviceSpec(), Settings(gpu_turn=5), cores=9).turn == 5


@pytest.mark.parametrize(("parallel_batches", "threads"), [(1, 6), (2, 3), (4, 1), (8, 1)])
def test_batches_that_run_at_once_share_the_cores(parallel_batches: int, threads: int) -> None:
    settings = Settings(parallel_batches=parallel_batches)
    assert merged_device(DeviceSpec(), settings, cores=6).cpu_threads == threads
