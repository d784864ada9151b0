"""`python -m tasks.versions.trial_load MODEL VERSION` loads a version and warms it up, and says how that went.

Its worker goes on meanwhile, so it takes what the worker leaves of the processor, and none of a GPU's memory.
"""

from __future__ import annotations

import os
import signal
import sys

from model_store.device import place_on_cpu
from model_store.errors import ModelStoreError
from model_store.store import find_version, find_versions
from tasks.loading import Opener
from tasks.settings import read_settings
from tasks.supervisor.leash import end_with_parent
from tasks.versions.trial import REFUSED, TIMEOUT_S

#: How much more willingly than the worker it leaves the processor to others; 19 is the most.
NICENESS = 10


def main(name: str, number: int) -> int:
    """Try it; gives the process's exit code."""
    end_with_parent(signal.SIGKILL)
    # Its default action ends the process whatever it hangs in.
    signal.alarm(TIMEOUT_S)
    os.nice(NICENESS)
    settings = read_settings()
    try:
        folder = find_versions(settings.model_store, name)[number]
        Opener(settings, place_on_cpu).open(find_version(name, folder))
    except KeyError:
        return _refuse(f"Version {number} is not in the store any more.")
    except ModelStoreError as error:
        return _refuse(str(error))
    return 0


def _refuse(sentence: str) -> int:
    # One line, as the last one is what counts.
    print(" ".join(sentence.split()))  # noqa: T201 - its worker reads it
    return REFUSED


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], int(sys.argv[2])))
