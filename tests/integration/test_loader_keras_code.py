"""Keras files that bring code, or lead out of themselves: none of it runs, and nothing outside is read."""

from __future__ import annotations

import base64
import hashlib
import marshal
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from model_store.errors import SpecError
from tests import tiny_models
from tests.keras_files import edit_description, edit_hdf5, functional, read_members, write_members
from tests.opened_models import loaded, put_keras, refusal

MARKER = "marker-of-code-that-ran"


def writes(marker: Path) -> Any:
    """A function that leaves a file behind where it runs, with no name of this module in it."""
    return eval(f"lambda x: (open({str(marker)!r}, 'w').close(), x)[1]")  # what a hostile file holds


@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_a_lambda_two_models_deep_does_not_run(tmp_path: Path, name: str) -> None:
    # Given a Lambda that leaves a file behind, within a model within a model
    marker = tmp_path / MARKER
    deepest = functional(keras.layers.Lambda(writes(marker), name="deepest", output_shape=(3,)))
    file = put_keras(tmp_path / "store", functional(keras.Sequential([keras.Input((3,)), deepest])), name)

    # Then the file is refused by the layer's name, and the code has not run
    message = refusal(tmp_path / "store")
    assert "has Lambda layers (deepest)" in message
    assert "trusted_sha256" in message
    assert not marker.exists()

    # Whereas whoever opens it without care runs it
    keras.models.load_model(file, safe_mode=False)(np.ones((1, 3), "float32"))
    assert marker.exists()


def test_a_lambda_of_keras_2_two_models_deep_does_not_run(tmp_path: Path) -> None:
    # Given the same as Keras 2 writes it: bytecode in base64
    marker = tmp_path / MARKER
    code = base64.b64encode(marshal.dumps(writes(marker).__code__)).decode()
    function = {"name": "deepest", "function": [code, None, None], "function_type": "lambda", "output_shape": [3]}
    deepest = {"class_name": "Lambda", "config": function}
    inner = {"class_name": "Sequential", "config": {"name": "inner", "layers": [deepest]}}
    file = put_keras(tmp_path / "store", tiny_models.linear_keras())

    def as_keras_2(config: Any) -> None:
        first = {"class_name": "Activation", "config": {"activation": "linear", "batch_input_shape": [None, 3]}}
        outer = {"class_name": "Sequential", "config": {"name": "outer", "layers": [inner]}}
        config.update({"class_name": "Sequential", "config": {"name": "m", "layers": [first, outer]}})

    edit_hdf5(file, as_keras_2, "2.2.4")
    with h5py.File(file, "r+") as content:
        content["model_weights"].attrs["layer_names"] = []

    # Then it is refused; and runs where this very file is trusted
    assert "has Lambda layers (deepest)" in refusal(tmp_path / "store")
    assert not marker.exists()
    (file.parent / "model.toml").write_text(f'trusted_sha256 = ["{hashlib.sha256(file.read_bytes()).hexdigest()}"]')
    loaded(tmp_path / "store")
    assert marker.exists()


@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_a_trusted_file_may_bring_its_lambda_and_no_other_file_may(tmp_path: Path, name: str) -> None:
    file = put_keras(tmp_path, functional(keras.layers.Lambda(lambda x: x + 1, name="y", output_shape=(3,))), name)
    toml = file.parent / "model.toml"
    toml.write_text(f'trusted_sha256 = ["{hashlib.sha256(file.read_bytes()).hexdigest()}"]')
    outputs = loaded(tmp_path).predict({"x": np.ones((1, 3), "float32")})
    assert outputs["y"].tolist() == [[2, 2, 2]]

    toml.write_text(f'trusted_sha256 = ["{"0" * 64}"]')
    assert "has Lambda layers (y)" in refusal(tmp_path)


def layer_of(module: str | None, class_name: str, config: Any) -> Callable[[Any], None]:
    """Puts another object into the place of a model's second layer."""

    def edit(model: Any) -> None:
        layer = model["config"]["layers"][1]
        layer.update({"module": module, "class_name": class_name, "registered_name": None})
        layer["config"] = {"name": "y", **config} if isinstance(config, dict) else config

    return edit


@pytest.mark.parametrize(
    ("module", "class_name", "config", "named"),
    [
        ("builtins", "function", "eval", "eval"),
        ("os", "function", "system", "system"),
        ("subprocess", "Popen", {"args": ["true"]}, "Popen"),
        ("keras.utils", "function", "get_file", "get_file"),
        ("keras.saving", "function", "load_model", "load_model"),
        ("keras.layers", "function", "deserialize", "deserialize"),
        ("keras.layers", "TFSMLayer", {"filepath": "/tmp"}, "TFSMLayer"),
        ("keras.layers", "TorchModuleWrapper", {"module": "AAAA"}, "TorchModuleWrapper"),
        ("keras.src.saving.saving_lib", "H5IOStore", {"root_path": "/etc/passwd"}, "H5IOStore"),
        ("keras.callbacks", "CSVLogger", {"filename": "/tmp/log"}, "CSVLogger"),
        (None, "__builtins__", {}, "__builtins__"),
        (None, "deserialize", {"config": {}}, "deserialize"),
    ],
)
@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_what_is_no_layer_of_keras_is_refused_by_name(
    tmp_path: Path, name: str, module: str | None, class_name: str, config: Any, named: str
) -> None:
    file = put_keras(tmp_path, tiny_models.linear_keras(), name)
    edit_description(file, layer_of(module, class_name, config))
    assert f"({named})" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_a_function_in_an_activations_place_must_be_an_activation(tmp_path: Path, name: str) -> None:
    file = put_keras(tmp_path, tiny_models.linear_keras(), name)
    function = {"module": "keras.utils", "class_name": "function", "config": "get_file", "registered_name": "get_file"}

    def edit(model: Any) -> None:
        model["config"]["layers"][1]["config"]["activation"] = function

    edit_description(file, edit)
    assert "(get_file)" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_a_vocabulary_is_not_read_from_a_file_that_the_model_names(tmp_path: Path, name: str) -> None:
    text = keras.Input((), dtype="string", name="text")
    file = put_keras(tmp_path, keras.Model(text, keras.layers.StringLookup(vocabulary=["a"])(text)), name)

    def edit(model: Any) -> None:
        model["config"]["layers"][1]["config"]["vocabulary"] = "/etc/passwd"

    edit_description(file, edit)
    assert "whose vocabulary is in the file '/etc/passwd'" in refusal(tmp_path)


def external_link(file: h5py.File, place: str, other: Path) -> None:
    with h5py.File(other, "w") as target:
        file.copy(place, target, "kernel")
    del file[place]
    file[place] = h5py.ExternalLink(str(other), "kernel")


def external_data(file: h5py.File, place: str, other: Path) -> None:
    other.write_bytes(file[place][()].tobytes())
    shape, dtype = file[place].shape, file[place].dtype
    del file[place]
    file.create_dataset(place, shape, dtype, external=[(str(other), 0, h5py.h5f.UNLIMITED)])


def virtual_data(file: h5py.File, place: str, other: Path) -> None:
    with h5py.File(other, "w") as target:
        file.copy(place, target, "kernel")
    shape, dtype = file[place].shape, file[place].dtype
    layout = h5py.VirtualLayout(shape, dtype)
    layout[...] = h5py.VirtualSource(str(other), "kernel", shape, dtype)
    del file[place]
    file.create_virtual_dataset(place, layout)


@pytest.mark.parametrize(("name", "place"), [("m.h5", "model_weights/y/y/kernel"), ("m.keras", "layers/dense/vars/0")])
@pytest.mark.parametrize("lead_out", [external_link, external_data, virtual_data])
def test_weights_that_lie_in_another_file_are_refused(
    tmp_path: Path, name: str, place: str, lead_out: Callable[[h5py.File, str, Path], None]
) -> None:
    file = put_keras(tmp_path, tiny_models.linear_keras(), name)
    if name == "m.h5":
        with h5py.File(file, "r+") as content:
            lead_out(content, place, tmp_path / "other")
    else:
        weights = tmp_path / "weights.h5"
        members = read_members(file)
        weights.write_bytes(members["model.weights.h5"])
        with h5py.File(weights, "r+") as content:
            lead_out(content, place, tmp_path / "other")
        write_members(file, members | {"model.weights.h5": weights.read_bytes()})
    assert "does not hold the whole model: " in refusal(tmp_path)


def test_a_whole_group_behind_a_link_is_refused(tmp_path: Path) -> None:
    file = put_keras(tmp_path, tiny_models.linear_keras())
    with h5py.File(file, "r+") as content:
        content["more"] = h5py.ExternalLink("/etc/passwd", "/")
    assert "its /more is a link into the file '/etc/passwd'" in refusal(tmp_path)


@pytest.mark.parametrize("member", ["../escaped", "/absolute", "a/../../escaped", "..\\escaped", "C:\\escaped"])
def test_a_member_that_would_lie_outside_is_refused(tmp_path: Path, member: str) -> None:
    file = put_keras(tmp_path, tiny_models.linear_keras(), "m.keras")
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(member, b"x")
    assert "would lie outside of it" in refusal(tmp_path)


def test_a_member_that_is_a_link_is_refused(tmp_path: Path) -> None:
    file = put_keras(tmp_path, tiny_models.linear_keras(), "m.keras")
    link = zipfile.ZipInfo("assets/words.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "is a symbolic link" in refusal(tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_descriptions_in_one_archive_are_refused(tmp_path: Path) -> None:
    file = put_keras(tmp_path, tiny_models.linear_keras(), "m.keras")
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("config.json", "{}")
    assert "has two members named 'config.json'" in refusal(tmp_path)


CODE = """
import keras

class Tripled(keras.layers.Layer):
    def call(self, x):
        return 3 * x

not_callable = 3
"""


@keras.saving.register_keras_serializable("celeriac-tests")
class Tripled(keras.layers.Layer):
    """A layer of the operator's; the one that serves it is another class of the same name."""

    def call(self, x: Any) -> Any:
        return x


@pytest.mark.parametrize(("name", "in_file"), [("m.h5", "celeriac-tests>Tripled"), ("m.keras", "Tripled")])
def test_a_layer_of_the_operators_own_code_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, in_file: str
) -> None:
    # Given a file with a layer that Keras does not have, and a module with its code where Python finds it
    file = put_keras(tmp_path / "store", functional(Tripled(name="y")), name)
    monkeypatch.delitem(keras.saving.get_custom_objects(), "celeriac-tests>Tripled")
    (tmp_path / "operators_layers.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)

    # Then it is refused, and served as soon as model.toml names it
    assert f'"{in_file}" = "module:name"' in refusal(tmp_path / "store")
    toml = file.parent / "model.toml"
    toml.write_text(f'[custom_objects]\n"{in_file}" = "operators_layers:Tripled"')
    outputs = loaded(tmp_path / "store").predict({"x": np.ones((1, 3), "float32")})
    assert outputs["y"].tolist() == [[3, 3, 3]]

    # And what it names must be there
    toml.write_text(f'[custom_objects]\n"{in_file}" = "operators_layers:Absent"')
    assert "cannot be imported: AttributeError" in refusal(tmp_path / "store", SpecError)
    toml.write_text(f'[custom_objects]\n"{in_file}" = "operators_layers:not_callable"')
    assert "is no class and no function" in refusal(tmp_path / "store", SpecError)


def test_the_models_folder_is_not_where_code_is_looked_for(tmp_path: Path) -> None:
    file = put_keras(tmp_path, tiny_models.linear_keras(), toml='[custom_objects]\nX = "beside_the_model:Tripled"')
    (file.parent / "beside_the_model.py").write_text(CODE)
    assert "cannot be imported: ModuleNotFoundError" in refusal(tmp_path, SpecError)
