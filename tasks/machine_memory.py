"""How much memory there is for a process of this machine or container."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

#: Where Linux shows a container its limit: cgroup v2, then v1. Without a limit v2 has the word "max" there, v1 a number
#: beyond any machine's (kernel documentation, admin-guide/cgroup-v2 and cgroup-v1/memory).
CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_bytes(container_limits: Sequence[Path] = CONTAINER_LIMITS) -> int:
    """The machine's memory in bytes, or the container's limit where that is less."""
    texts = [file.read_text().strip() for file in container_limits if file.exists()]
    machine_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine_bytes, *(int(text) for text in texts if text.isdigit())])
