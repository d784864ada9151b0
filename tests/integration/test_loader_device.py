"""Devices are chosen once in a process, so each test has one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
    assert told == "model_store.errors.DeviceError: The model is to run on GPU 0, but TensorFlow sees no GPU."


def test_after_the_first_operation_it_is_too_late() -> None:
    told = told_by("tf.constant(1) + 1\nplace(DeviceSpec(cpu_threads=1))")
    assert "DeviceError: The device must be chosen before TensorFlow's first operation" in told
