from __future__ import annotations

import pytest

from model_store.device import Placement, decide
from model_store.errors import DeviceError
from model_store.spec import DeviceSpec


def test_the_first_gpu_is_taken_where_there_is_one() -> None:
    assert decide(DeviceSpec(), gpu_count=2) == Placement(gpu=0, memory_limit_mb=None, cpu_threads=None)


def test_workers_in_turn_take_one_gpu_after_the_other() -> None:
    placed = [decide(DeviceSpec(turn=turn), gpu_count=3).gpu for turn in range(7)]
    assert placed == [0, 1, 2, 0, 1, 2, 0]


def test_a_turn_means_nothing_where_a_gpu_is_named_or_none_is_there() -> None:
    assert decide(DeviceSpec(gpu=1, turn=5), gpu_count=8).gpu == 1
    assert decide(DeviceSpec(turn=5), gpu_count=0).gpu is None


def test_the_cpu_is_taken_where_there_is_no_gpu() -> None:
    assert decide(DeviceSpec(cpu_threads=1), gpu_count=0) == Placement(None, None, cpu_threads=1)


def test_the_gpu_asked_for_is_taken_with_its_limit() -> None:
    device = DeviceSpec(gpu=1, memory_limit_mb=2048)
    assert decide(device, gpu_count=2) == Placement(gpu=1, memory_limit_mb=2048, cpu_threads=None)


def test_a_limit_of_gpu_memory_means_nothing_to_a_cpu() -> None:
    assert decide(DeviceSpec(memory_limit_mb=2048), gpu_count=0) == Placement(None, None, None)


@pytest.mark.parametrize(
    ("gpu", "count", "seen"), [(0, 0, "no GPU"), (1, 1, "one GPU, number 0"), (5, 4, "4 GPUs, numbers 0 to 3")]
)
def test_a_gpu_that_does_not_exist_is_refused_with_those_that_do(gpu: int, count: int, seen: str) -> None:
    with pytest.raises(DeviceError, match=f"is to run on GPU {gpu}, but TensorFlow sees {seen}"):
        decide(DeviceSpec(gpu=gpu), count)
