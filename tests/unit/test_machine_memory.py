from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tasks.machine_memory import memory_bytes

MACHINE_BYTES = psutil.virtual_memory().total


def test_without_a_container_it_is_the_machine_s_memory(tmp_path: Path) -> None:
    assert memory_bytes([tmp_path / "missing"]) == MACHINE_BYTES


@pytest.mark.parametrize(
    ("text", "expected"), [("1073741824\n", 2**30), ("max\n", MACHINE_BYTES), (f"{2**63}\n", MACHINE_BYTES)]
)
def test_a_container_s_limit_counts_where_it_is_less(tmp_path: Path, text: str, expected: int) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(text)

    assert memory_bytes([limit]) == expected
