"""What shells are told when somebody presses the tabulator key."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.client_stand_in import Answer, Request, StandIn

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("celeriac")
NAMES = ("digits-h5", "digits-pb", "hands")


def models(request: Request) -> Answer:
    return Answer.of({"models": [{"name": name, "status": "ready"} for name in NAMES]})


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn(models) as server:
        yield server


def run(command: list[str], url: str, **environment: str) -> str:
    ours = {**os.environ, "PYTHONPATH": str(ROOT), "CELERIAC_URL": url, **environment}
    return subprocess.run(command, env=ours, capture_output=True, text=True, timeout=60, check=True).stdout


def completed(server: StandIn, *words: str) -> list[str]:
    """What bash is told to put in the place of the last word, after it has run what `celeriac completion bash` says."""
    script = run([str(COMMAND), "completion", "bash"], server.url)
    asked = (
        f'COMP_WORDS=("$@"); COMP_CWORD={len(words) - 1}; _celeriac_completion "$1"; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    return run(["bash", "-c", f"{script}\n{asked}", "bash", str(COMMAND), *words[1:]], server.url).split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["celeriac", "sta"], ["status"]),
        (["celeriac", "submit", "digits"], ["digits-h5", "digits-pb"]),
        (["celeriac", "submit", "hands", "--la"], ["--lane"]),
        (["celeriac", "jobs", "--model", "h"], ["hands"]),
        (["celeriac", "jobs", "--status", "ex"], ["expired"]),
        (["celeriac", "pause", "x"], []),
    ],
)
def test_bash_completes_commands_options_and_the_names_of_the_servers_models(
    server: StandIn, words: list[str], found: list[str]
) -> None:
    assert completed(server, *words) == found


@pytest.mark.parametrize(
    ("shell", "asked", "answer"),
    [
        ("zsh", {"COMP_WORDS": "celeriac submit h", "COMP_CWORD": "2"}, "plain\nhands\nready"),
        ("fish", {"COMP_WORDS": "celeriac submit h", "COMP_CWORD": "h"}, "plain,hands"),
    ],
)
def test_zsh_and_fish_are_given_scripts_and_their_own_form_of_answer(
    server: StandIn, shell: str, asked: dict[str, str], answer: str
) -> None:
    assert f"_CELERIAC_COMPLETE={shell}_complete" in run([str(COMMAND), "completion", shell], server.url)
    told = run([str(COMMAND)], server.url, _CELERIAC_COMPLETE=f"{shell}_complete", **asked)
    assert told.strip().startswith(answer)


def test_a_server_that_is_silent_or_away_completes_nothing_and_holds_up_nobody() -> None:
    asked = {"_CELERIAC_COMPLETE": "bash_complete", "COMP_WORDS": "celeriac submit d", "COMP_CWORD": "2"}
    is_over = threading.Event()

    def silent(request: Request) -> Answer:
        is_over.wait(30)
        return models(request)

    with StandIn(silent) as server:
        began_s = time.monotonic()
        assert run([str(COMMAND)], server.url, **asked).strip() == ""
        assert time.monotonic() - began_s < 15
        is_over.set()
    assert run([str(COMMAND)], server.url, **asked).strip() == ""
