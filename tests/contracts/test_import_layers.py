"""The layers of the tree: who may import whom, read from the source and tried in fresh processes."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]

TENSORFLOW = {"tensorflow", "keras", "tf_keras", "h5py"}
QUEUE = {"celery", "kombu", "redis", "flower"}
OURS = {"api", "client", "model_store", "samples", "tasks", "celeryconfig"}

#: What each package must not import, directly.
NEVER = {
    "model_store": QUEUE | {"flask", "os"} | (OURS - {"model_store"}),
    "tasks": {"flask", "api", "client", "samples"},
    "api": TENSORFLOW | QUEUE | {"client", "samples"},
    "client": TENSORFLOW | QUEUE | {"flask"} | (OURS - {"client"}),
}

#: The halves of `tasks` and `model_store` that the API process may load.
RECORD_HALF = {
    "tasks.api_keys",
    "tasks.broker",
    "tasks.broker_address",
    "tasks.broker_memory",
    "tasks.callbacks.callback",
    "tasks.callbacks.receivers",
    "tasks.callbacks.signing",
    "tasks.callbacks.store",
    "tasks.callbacks.url",
    "tasks.caps",
    "tasks.errors",
    "tasks.finish_listener",
    "tasks.iso_time",
    "tasks.job",
    "tasks.job_store",
    "tasks.keys",
    "tasks.listings",
    "tasks.message",
    "tasks.model_registry",
    "tasks.npy",
    "tasks.payload",
    "tasks.picture_list",
    "tasks.ports",
    "tasks.queues",
    "tasks.redis_url",
    "tasks.receipt",
    "tasks.record_json",
    "tasks.result",
    "tasks.setting",
    "tasks.settings",
    "tasks.submission",
    "tasks.submit_stream",
}
SIGNATURE_HALF = {
    "model_store.byte_strings",
    "model_store.coco",
    "model_store.detection_spec",
    "model_store.errors",
    "model_store.json_arrays",
    "model_store.labels",
    "model_store.pictures.decoding",
    "model_store.signature",
    "model_store.spec",
    "model_store.spec_table",
    "model_store.version_labels",
    "model_store.versions",
}


def modules(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found, f"no module in {package}"
    return found


def imported(path: Path) -> Iterator[str]:
    """Full dotted names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; name the package"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", sorted(NEVER))
def test_a_package_imports_nothing_from_above_or_beside(package: str) -> None:
    broken = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        for name in imported(path)
        if name.split(".")[0] in NEVER[package]
    }
    assert not broken


def test_the_api_imports_only_the_record_half_and_the_signature_half() -> None:
    allowed = RECORD_HALF | SIGNATURE_HALF
    broken = set()
    for path in modules("api"):
        for name in imported(path):
            if name.split(".")[0] not in ("tasks", "model_store") or name in ("tasks", "model_store"):
                continue
            if name not in allowed and name.rpartition(".")[0] not in allowed:
                broken.add(f"{path.relative_to(ROOT)} imports {name}")
    assert not broken


@pytest.mark.parametrize("module", sorted(RECORD_HALF | SIGNATURE_HALF))
def test_what_the_api_loads_loads_neither_celery_nor_tensorflow(module: str) -> None:
    assert not loaded_by(module) & (TENSORFLOW | {"celery", "kombu", "flask"})


def test_the_api_loads_neither_celery_nor_tensorflow() -> None:
    assert not loaded_by("api.app") & (TENSORFLOW | {"celery", "kombu"})


@pytest.mark.parametrize(
    "module",
    [
        *("tasks.app", "tasks.keeper", "tasks.predict", "tasks.supervisor.command", "tasks.callbacks.attempt_task"),
        *("tasks.inspect_command", "tasks.tune_command"),
    ],
)
def test_processes_without_a_model_load_no_tensorflow(module: str) -> None:
    assert not loaded_by(module) & TENSORFLOW


def test_the_client_loads_nothing_that_its_extra_does_not_install() -> None:
    extras = configparser.ConfigParser()
    extras.read(ROOT / "setup.cfg")
    installed = distributions({Requirement(line).name for line in extras["options.extras_require"]["client"].split()})
    owners = importlib.metadata.packages_distributions()
    # Without what Python itself begins with, such as setuptools' hook.
    names = loaded_by("client.cli") - loaded_by("sys")
    assert {"client", "httpx", "numpy"} <= names
    loaded = {name: {canonicalize_name(owner) for owner in owners.get(name, ())} for name in names}
    foreign = {name for name, by in loaded.items() if by and not by & (installed | {"celeriac"})}
    assert not foreign


def test_no_package_does_anything_in_its_init() -> None:
    for package in ("api", "tasks", "model_store"):
        for init in (ROOT / package).rglob("__init__.py"):
            statements = [node for node in ast.parse(init.read_text()).body if not isinstance(node, ast.Expr)]
            assert not statements, f"{init.relative_to(ROOT)} holds more than a docstring"


def loaded_by(module: str) -> set[str]:
    """Top-level names of the modules that a fresh process has loaded after importing one."""
    code = f"import {module}, sys; print(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def distributions(names: set[str]) -> set[str]:
    """These distributions and all that they bring, by their canonical names."""
    found: set[str] = set()
    while names:
        name = canonicalize_name(names.pop())
        if name in found:
            continue
        found.add(name)
        brought = map(Requirement, importlib.metadata.requires(name) or [])
        names |= {one.name for one in brought if one.marker is None or one.marker.evaluate({"extra": ""})}
    return found
