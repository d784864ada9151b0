"""Nothing that comes from outside can become code: no module of ours unpickles, evaluates or loads YAML's objects."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

#: Code that a model file brings runs where model.toml has the digest of this very file, and nowhere else.
TRUSTED = {"model_store/keras_files/keras2/lambda_layer.py: safe_mode=False"}

ROOT = Path(__file__).parents[2]

#: Modules that run what they read, or use pickle for it.
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "shelve"}
#: Functions that do, by the last part of their name; `compile` and `literal_eval` do not run anything.
FUNCTIONS = {"eval", "exec", "unsafe_load", "full_load", "read_pickle", "to_pickle", "load_pickle"}
#: Arguments that would let others do it.
ARGUMENTS = {("allow_pickle", True), ("safe_mode", False), ("serializer", "pickle"), ("task_serializer", "pickle")}


def dangers(code: str) -> Iterator[str]:
    """What in a module's code can turn data into code."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name.split(".")[0] in MODULES)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in MODULES:
                yield module
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in FUNCTIONS:
                yield f"{name}()"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="yaml"), attr="load")):
                yield "yaml.load()"
            case ast.keyword(arg=str(name), value=ast.Constant(value=value)) if (name, value) in ARGUMENTS:
                yield f"{name}={value!r}"


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "def f():\n    from joblib import load",
        "import os, marshal as m",
        "numpy.load(file, allow_pickle=True)",
        "yaml.load(text, Loader=Loader)",
        "yaml.unsafe_load(text)",
        "eval(text)",
        "builtins.exec(text)",
        "keras.models.load_model(path, safe_mode=False)",
        "import_module(name).dumps(job, serializer='pickle')",
    ],
)
def test_the_search_finds_each_of_them(code: str) -> None:
    assert list(dangers(code))


def test_the_search_lets_others_be() -> None:
    assert not list(
        dangers("np.load(file, allow_pickle=False)\njson.loads(text)\nos.execv(path, argv)\nyaml.safe_load(text)")
    )


def test_no_module_turns_data_into_code() -> None:
    folders = ("api", "benchmarks", "client", "model_store", "samples", "tasks")
    files = [ROOT / "celeryconfig.py", *(file for folder in folders for file in (ROOT / folder).rglob("*.py"))]
    assert len(files) > 150
    assert {f"{file.relative_to(ROOT)}: {found}" for file in files for found in dangers(file.read_text())} == TRUSTED


def test_celery_takes_and_sends_json_alone() -> None:
    code = (
        "import json; from tasks.app import app; c = app.conf; from kombu.serialization import registry; "
        "print(json.dumps([list(c.accept_content), c.result_accept_content, c.task_serializer, c.result_serializer, "
        "registry._encoders[c.event_serializer].content_type]))"
    )
    command = [sys.executable, "-c", code]
    environment = {"REDIS_URL": "redis://localhost", "PYTHONPATH": str(ROOT)}
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert json.loads(said) == [["json"], None, "json", "json", "application/json"]
