"""The command `celeriac` as people use it: a process of its own against a running system."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tasks.model_registry import ModelRegistry
from tests.stores import BROKEN, SERVED
from tests.system import Running

ROWS = np.arange(6, dtype="float32").reshape(2, 3)


def celeriac(system: Running, *args: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("celeriac")), *args]
    environment = {**os.environ, "CELERIAC_URL": system.url}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)


def submit(system: Running, *args: str) -> list[str]:
    done = celeriac(system, "submit", *args)
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout.split()


def test_files_that_are_submitted_are_answered_in_json_and_saved_as_arrays(system: Running, tmp_path: Path) -> None:
    # Given two files of rows
    np.save(tmp_path / "rows.npy", ROWS)
    (tmp_path / "rows.json").write_text(json.dumps({"instances": ROWS.tolist()}))
    # When they are submitted and waited for
    ids = submit(system, "linear-pb", str(tmp_path / "rows.npy"), str(tmp_path / "rows.json"))
    assert len(ids) == 2
    for job_id in ids:
        printed = json.loads(celeriac(system, "result", job_id, "--wait").stdout)
        saved = celeriac(system, "result", job_id, "--output", str(tmp_path / f"{job_id}.npy"))
        # Then what is printed and what is saved are the model's answer
        (answer,) = printed["outputs"].values()
        np.testing.assert_allclose(answer, 2 * ROWS + 1, atol=1e-5)
        assert (saved.stdout, saved.stderr, saved.returncode) == ("", "", 0)
        np.testing.assert_allclose(np.load(tmp_path / f"{job_id}.npy"), 2 * ROWS + 1, atol=1e-5)


def test_a_picture_is_answered_with_detections_and_a_drawing(system: Running, tmp_path: Path) -> None:
    Image.new("RGB", (60, 40), (255, 255, 255)).save(tmp_path / "WHITE.JPG", "JPEG")
    (job_id,) = submit(system, "detector-pb", str(tmp_path / "WHITE.JPG"), "--annotate", "--min-score", "0.6")
    answer = json.loads(celeriac(system, "result", job_id, "--wait").stdout)
    assert [found["label"] for found in answer["detections"]] == ["lamp"]
    assert celeriac(system, "result", job_id, "--output", str(tmp_path / "boxes.png")).returncode == 0
    with Image.open(tmp_path / "boxes.png") as drawing:
        assert (drawing.format, drawing.size) == ("PNG", (60, 40))


def test_a_job_that_has_not_ended_is_exit_code_3_until_it_is_waited_for(system: Running, tmp_path: Path) -> None:
    (tmp_path / "slow.json").write_text('{"instances": [[0.0]]}')
    # Given a model whose only worker stands still
    [worker] = ModelRegistry(system.redis()).get("slow-h5").workers
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        (job_id,) = submit(system, "slow-h5", str(tmp_path / "slow.json"), "--lane", "bulk")
        early = celeriac(system, "result", job_id)
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    assert (early.stdout, early.returncode) == ("", 3)
    assert job_id in early.stderr
    assert celeriac(system, "result", job_id, "--wait").returncode == 0


def test_models_are_listed_and_an_unknown_one_is_refused_with_the_servers_sentence(
    system: Running, tmp_path: Path
) -> None:
    listed = celeriac(system, "models").stdout
    assert [name for name in (*SERVED, *BROKEN) if name not in listed] == []
    assert all(f"{name}: " in listed for name in BROKEN)
    np.save(tmp_path / "rows.npy", ROWS)
    refused = celeriac(system, "submit", "no-such-model", str(tmp_path / "rows.npy"))
    assert (refused.stdout, refused.returncode) == ("", 1)
    assert "no-such-model" in refused.stderr
    assert "linear-pb" in refused.stderr


def test_a_job_is_followed_through_a_pause_its_queue_and_the_model_and_found_again_by_its_tag(
    system: Running, tmp_path: Path
) -> None:
    (tmp_path / "slow.json").write_text('{"instances": [[0.0]]}')
    # Given two jobs of a model that is paused
    assert "is paused" in celeriac(system, "pause", "slow-h5").stdout
    try:
        first, second = submit(system, "slow-h5", *[str(tmp_path / "slow.json")] * 2, "--tag", "followed")
        command = [str(Path(sys.executable).with_name("celeriac")), "status", "--follow", first, second]
        environment = {**os.environ, "CELERIAC_URL": system.url}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as following:
            assert following.stdout
            told = [following.stdout.readline() for _ in range(2)]
            assert sorted(told) == sorted(
                f"{job_id}  queued, its model is paused, {in_front} in front\n"
                for in_front, job_id in enumerate((first, second))
            )
            # When it goes on
            assert "goes on" in celeriac(system, "resume", "slow-h5").stdout
            told += following.stdout.readlines()
            # Then both are told to run, and to their end
            assert following.wait(60) == 0
    finally:
        celeriac(system, "resume", "slow-h5")
    for job_id in (first, second):
        own = [line.split()[1] for line in told if line.startswith(job_id)]
        assert [word.strip(",") for word in own][-2:] == ["running", "succeeded"]
    # And they are found by their tag, the newest first
    listed = celeriac(system, "jobs", "--tag", "followed", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in listed] == [second, first]
    # And cannot be cancelled any more
    refused = celeriac(system, "cancel", first)
    assert (refused.stdout, refused.returncode) == ("", 1)
    assert "has succeeded already" in refused.stderr
