"""A crash is a copy of the folder as it was at that moment: what Python held in memory is not in it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.backfill.checkpoint import Checkpoint
from client.backfill.output_files import OutputFiles
from tests.backfill_run import FORMATS, Run, expected_outcome, outcome, settle

CHUNK_ROWS = 3
CHUNKS = 9
ROWS = CHUNK_ROWS * CHUNKS
EXPECTED = expected_outcome(ROWS, CHUNK_ROWS)


class Machine:
    """The folder of a backfill, and the crashes of it."""

    def __init__(self, root: Path, suffix: str) -> None:
        self._root = root
        self._name = f"out.{suffix}"
        self._crashes = 0
        self._folder = root / "0"
        self._folder.mkdir()

    @property
    def output(self) -> Path:
        return self._folder / self._name

    def image(self) -> Path:
        """The folder as it is now."""
        self._crashes += 1
        return Path(shutil.copytree(self._folder, self._root / str(self._crashes)))

    def go_on_in(self, image: Path) -> None:
        self._folder = image

    def lose_what_was_not_synced(self, garbage: bytes) -> None:
        """What a cut of the power may do: behind the bytes that were synced is anything, or nothing."""
        with closing(Checkpoint(OutputFiles(self.output).checkpoint)) as checkpoint:
            state = checkpoint.load()
        files = OutputFiles(self.output)
        grown = files.output if self.output.suffix == ".jsonl" else files.spool
        for path, position in ((grown, state and state.output), (files.errors, state and state.errors)):
            if position is not None:
                with path.open("r+b") as file:
                    file.truncate(position["bytes"])
                    file.seek(position["bytes"])
                    file.write(garbage)


def missing(run: Run) -> list[int]:
    """First rows of the chunks that are to be done, as a resumed backfill reads them from the checkpoint."""
    written = {island.first + offset for island in run.state.islands for offset in range(island.rows)}
    return [first for first in range(run.state.position, ROWS, CHUNK_ROWS) if first not in written]


def complete(output: Path) -> None:
    with closing(Run(output)) as run:
        if not run.state.is_finished:
            for first in missing(run):
                settle(run, first, CHUNK_ROWS)
            run.recorder.finish()


STEPS_TO_DISK = (
    *((os, "fsync"), (Path, "replace"), (Path, "unlink")),
    *((Checkpoint, name) for name in ("begin", "record_cleared", "record_written", "finish")),
)


@contextmanager
def calling_around_each_step(monkeypatch: pytest.MonkeyPatch, call: Callable[[], None]) -> Iterator[None]:
    with monkeypatch.context() as patch:
        for owner, name in STEPS_TO_DISK:
            original = getattr(owner, name)

            def noticed(*args: object, original: Callable[..., object] = original, **named: object) -> object:
                call()
                done = original(*args, **named)
                call()
                return done

            patch.setattr(owner, name, noticed)
        yield


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_crash_before_or_after_any_step_of_a_run_loses_and_doubles_nothing(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: the folder as it was before and after each sync, rename, removal and transaction of a whole run
    machine = Machine(tmp_path, suffix)
    images: list[Path] = []
    with calling_around_each_step(monkeypatch, lambda: images.append(machine.image())):
        run = Run(machine.output)
        for first in range(0, ROWS, CHUNK_ROWS):
            settle(run, first, CHUNK_ROWS)
            if first % 2:
                run.recorder.flush()
        run.recorder.finish()
        run.close()
    assert len(images) > 20
    for image in images:
        # When the command comes again after a crash there
        machine.go_on_in(image)
        complete(machine.output)
        # Then each row is there once, and nothing else is in the folder.
        assert outcome(machine.output) == EXPECTED
        files = OutputFiles(machine.output)
        assert set(image.iterdir()) == {files.output, files.errors, files.checkpoint}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("settle"), st.integers(0, CHUNKS - 1)),
        st.tuples(st.sampled_from(["flush", "crash", "power cut", "stop"]), st.just(0)),
    ),
    max_size=30,
)


@pytest.mark.parametrize("is_ordered", [True, False])
@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=40)
@given(steps=STEPS, garbage=st.binary(max_size=200))
def test_whatever_happens_the_files_are_as_if_nothing_had(
    suffix: str, is_ordered: bool, steps: list[tuple[str, int]], garbage: bytes
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder), suffix)
        run = Run(machine.output, is_ordered=is_ordered)
        todo = missing(run)
        for step, choice in steps:
            if step == "settle" and todo:
                settle(run, todo.pop(choice % len(todo)), CHUNK_ROWS)
            elif step == "flush":
                run.recorder.flush()
            elif step != "settle":
                image = machine.image()
                run.close()
                if step != "stop":
                    machine.go_on_in(image)
                if step == "power cut":
                    machine.lose_what_was_not_synced(garbage)
                run = Run(machine.output, is_ordered=is_ordered)
                todo = missing(run)
        run.close()
        complete(machine.output)
        answers, errors = outcome(machine.output)
        if not is_ordered:
            answers.sort(key=lambda answer: answer[1])
            errors.sort(key=lambda error: int(error["row"]))
        assert (answers, errors) == EXPECTED
