"""How long a worker's start may look for the fastest way to run its model, and where what it finds is kept."""

from __future__ import annotations

import platform
from pathlib import Path

from model_store.store import StoredModel
from model_store.tuning.file import TuningFiles
from model_store.tuning.plan import TuningPlan
from tasks.settings import Settings

PROCESSOR_FILE = Path("/proc/cpuinfo")


def tuning_plan(stored: StoredModel, settings: Settings, device: str, cores: int) -> TuningPlan:
    """The plan for a model.

    What is found is kept beside the model: in the folder that holds its versions, or that its file or folder lies in.
    So a version's own folder stays as it was put there. Where that cannot be written to, it is kept with the server's
    own data.

    Args:
        stored: The version to serve.
        settings: For the limit and the folder of the server's data.
        device: What TensorFlow computes on, with its threads, in words.
        cores: Those that this process may use.
    """
    beside = stored.folder.parent if stored.folder.name.isdigit() else stored.path.parent
    folders = (beside, settings.var / "tuning" / stored.name)
    return TuningPlan(stored.path, TuningFiles(folders, machine(device, cores)), settings.tuning_limit_s)


def machine(device: str, cores: int) -> str:
    """What the speed of a model depends on, in words."""
    return f"{_processor()}, {cores} cores, {device}"


def _processor() -> str:
    """The processor's model; Python's own word for it is empty on Linux."""
    try:
        lines = PROCESSOR_FILE.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
