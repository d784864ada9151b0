"""What tasks/internals.py says was read in kombu and Celery, beside what is installed."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from tasks import internals

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sorted(internals.READ))
def test_what_celeriac_leans_on_is_what_was_read(name: str) -> None:
    package = name.split(".")[0]
    now = internals.digest(name)
    assert now == internals.READ[name], (
        f"{name} is not what was read in {package} {internals.VERSIONS[package]}; {version(package)} is installed. "
        f"Read it again, see tasks/internals.py for who leans on it and why, then put {now!r} there."
    )


@pytest.mark.parametrize("package", sorted(internals.VERSIONS))
def test_the_versions_that_were_read_are_installed_and_locked(package: str) -> None:
    locked = re.findall(rf"^{package}==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert locked == [internals.VERSIONS[package]]
    assert version(package) == internals.VERSIONS[package]


def test_each_private_name_of_kombu_that_is_used_is_told_of() -> None:
    """The table names every private attribute that the transport and the batching take from a class of theirs."""
    told = internals.__doc__ or ""
    used = {
        name
        for folder in ("transport", "batching")
        for path in (ROOT / "tasks" / folder).glob("*.py")
        for name in re.findall(r"(?:hub|qos|super\(\)|connection|cycle|client)\.(_[a-z]\w+)", path.read_text())
    }
    assert used
    assert {name for name in used if name not in told} == set()


@pytest.mark.parametrize("name", ["kombu.transport.redis.Channel.nothing", "no_such_package.at_all"])
def test_a_name_that_is_gone_is_said_to_be(name: str) -> None:
    with pytest.raises(AttributeError, match=name.split(".")[-1]):
        internals.find(name)
