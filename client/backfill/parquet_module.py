"""What reads and writes Parquet, loaded for who asks for it: pyarrow is large, and most have no need of it."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from client.errors import ClientError


def parquet_module(name: str, kind: type[ClientError]) -> ModuleType:
    """A module that imports pyarrow; from here on, this process's Arrow takes its memory from the system.

    Args:
        name: The module's.
        kind: The error to raise.

    Raises:
        ClientError: pyarrow cannot be loaded; of this kind.
    """
    try:
        module = import_module(name)
        arrow = import_module("pyarrow")
    except ImportError as error:
        raise kind(
            f"Parquet needs pyarrow, which cannot be loaded ({error}): pip install 'celeriac[parquet]'."
        ) from None
    # Arrow's own allocators keep what was freed, so that a run of a million rows took 1.3 times what 10,000 take.
    arrow.set_memory_pool(arrow.system_memory_pool())
    return module
