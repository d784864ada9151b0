from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from client.backfill.output_files import OutputFiles
from client.backfill.run_state import Span, SubmittedChunk
from client.errors import CheckpointError, OutputError
from tests.backfill_run import IDENTITY, Run, failed

Start = Callable[..., Run]


def ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def keys(*positions: int) -> list[str]:
    return [f"key {position}" for position in positions]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


@pytest.fixture
def start(output: Path) -> Iterator[Start]:
    """Begins or resumes the run that writes to `output`; what is open in the end is closed."""
    with ExitStack() as stack:

        def start(identity: Mapping[str, Any] = IDENTITY, *, restart: bool = False, is_ordered: bool = True) -> Run:
            return stack.enter_context(closing(Run(output, identity, restart=restart, is_ordered=is_ordered)))

        yield start


def test_rows_are_written_in_the_order_of_the_input_however_they_settle(output: Path, start: Start) -> None:
    run = start()
    for first in (4, 2, 6, 0):
        run.answer(first, 2)
    run.recorder.finish()
    assert ids(output) == keys(*range(8))


def test_rows_are_written_as_they_come_when_no_order_is_wanted(output: Path, start: Start) -> None:
    run = start(is_ordered=False)
    for first in (4, 2, 0):
        run.answer(first, 2)
    run.recorder.finish()
    assert ids(output) == keys(4, 5, 2, 3, 0, 1)


def test_a_row_that_failed_is_in_the_error_file_only_and_leaves_no_gap(output: Path, start: Start) -> None:
    run = start()
    run.answer(0, 2)
    run.recorder.settle(failed(2, 1))
    run.answer(3, 1)
    run.recorder.finish()
    assert ids(output) == keys(0, 1, 3)
    assert json.loads(OutputFiles(output).errors.read_text()) == {
        "id": "key 2",
        "row": 2,
        "error": {"type": "model_error", "message": "The model could not compute this input."},
    }


def test_there_is_no_error_file_when_no_row_failed(output: Path, start: Start) -> None:
    run = start()
    run.answer(0, 1)
    run.recorder.finish()
    run.close()
    assert {path.name for path in output.parent.iterdir()} == {"out.jsonl", "out.jsonl.checkpoint"}


@pytest.mark.parametrize("is_ordered", [True, False])
def test_what_was_not_flushed_is_done_again_by_the_next_run(output: Path, start: Start, is_ordered: bool) -> None:
    run = start(is_ordered=is_ordered)
    run.answer(0, 2)
    run.recorder.settle(failed(2, 2))
    run.recorder.flush()
    run.answer(4, 2)
    run.recorder.settle(failed(6, 2))
    run.close()
    assert len(ids(output)) == 4, "the buffer was not even written"

    resumed = start(is_ordered=is_ordered)
    assert (resumed.state.position, resumed.state.rows_done, resumed.state.rows_failed) == (4, 2, 2)
    resumed.answer(4, 4)
    resumed.recorder.finish()
    assert ids(output) == keys(0, 1, 4, 5, 6, 7)
    assert ids(OutputFiles(output).errors) == keys(2, 3)


def test_the_next_run_knows_what_was_sent_and_what_is_written(output: Path, start: Start) -> None:
    run = start(is_ordered=False)
    sent = [SubmittedChunk(first, 2, f"key-{first}") for first in range(0, 8, 2)]
    run.checkpoint.record_submitted(sent)
    run.checkpoint.record_submitted([SubmittedChunk(4, 2, "key-4", "job-4"), SubmittedChunk(6, 2, "key-6", "job-6")])
    run.answer(0, 2)
    run.answer(4, 2)
    run.recorder.flush()
    run.close()

    state = start().state
    assert state.position == 2
    assert state.islands == (Span(4, 2),)
    assert state.pending == (SubmittedChunk(2, 2, "key-2"), SubmittedChunk(6, 2, "key-6", "job-6"))
    assert state.unfreed == ("job-4",)


def test_results_that_were_deleted_from_the_server_are_not_named_again(output: Path, start: Start) -> None:
    run = start()
    run.checkpoint.record_submitted([SubmittedChunk(0, 1, "a", "job-a"), SubmittedChunk(1, 1, "b", "job-b")])
    run.answer(0, 2)
    run.recorder.flush()
    run.checkpoint.record_freed(["job-a"])
    run.close()
    assert start().state.unfreed == ("job-b",)


def test_rows_written_beyond_a_gap_are_passed_over_when_the_gap_is_filled(output: Path, start: Start) -> None:
    run = start(is_ordered=False)
    run.answer(2, 2)
    run.answer(6, 2)
    run.recorder.flush()
    run.close()
    resumed = start()
    for first in (4, 0, 8):
        resumed.answer(first, 2)
    assert resumed.recorder.next_position == 10
    resumed.recorder.finish()
    assert ids(output) == keys(2, 3, 6, 7, 0, 1, 4, 5, 8, 9)


@pytest.mark.parametrize("is_ordered", [True, False])
def test_the_same_rows_cannot_settle_twice(output: Path, start: Start, is_ordered: bool) -> None:
    run = start(is_ordered=is_ordered)
    for first in (0, 4):
        run.answer(first, 2)
        with pytest.raises(ValueError, match="settled before"):
            run.answer(first, 2)


def test_a_backfill_does_not_end_while_a_row_is_missing(output: Path, start: Start) -> None:
    run = start()
    run.answer(1, 3)
    with pytest.raises(ValueError, match="Row 0 has not settled, and 3 rows wait for it"):
        run.recorder.finish()


def test_two_backfills_cannot_write_to_the_same_output(output: Path, start: Start) -> None:
    run = start()
    for restart in (False, True):
        with pytest.raises(CheckpointError, match="Another backfill writes to this output"):
            start(restart=restart)
    run.close()
    start().close()


def test_a_file_that_no_backfill_wrote_is_kept(output: Path, start: Start) -> None:
    output.write_text("mine\n")
    with pytest.raises(OutputError, match="exists already and has no checkpoint"):
        start()
    assert output.read_text() == "mine\n"
    with pytest.raises(OutputError, match="exists already"):
        start()


def test_a_restart_begins_anew_with_whatever_input(output: Path, start: Start) -> None:
    run = start()
    run.answer(0, 2)
    run.recorder.settle(failed(2, 1))
    run.recorder.finish()
    run.close()
    again = start({"input": "another"}, restart=True)
    assert (again.state.position, again.state.is_finished) == (0, False)
    again.answer(0, 1)
    again.recorder.finish()
    assert ids(output) == keys(0)
    assert not OutputFiles(output).errors.exists()


def test_a_restart_that_was_killed_is_gone_on_with(output: Path, start: Start) -> None:
    # Given: an output with rows, and a restart that came no further than saying so.
    run = start()
    run.answer(0, 2)
    run.recorder.flush()
    run.recorder.close()
    run.checkpoint.begin(IDENTITY, is_cleared=False)
    run.checkpoint.close()
    # When the command comes again, without --restart
    resumed = start()
    # Then nothing is left of those rows.
    assert output.read_text() == ""
    assert resumed.state.is_cleared
    assert resumed.state.output is None


def test_another_input_model_or_option_is_told_field_by_field(output: Path, start: Start) -> None:
    start().close()
    other = {"input": {"files": ["rows.npy"], "size_bytes": 20}, "model": "digits", "version": 4, "min_score": 0.5}
    with pytest.raises(CheckpointError) as caught:
        start(other)
    assert str(caught.value).splitlines()[1:-1] == [
        "input.size_bytes was 10 and is 20 now.",
        "version was 3 and is 4 now.",
        "min_score was not there and is 0.5 now.",
    ]
    start().close()


def test_an_output_that_was_cut_or_removed_since_is_noticed(output: Path, start: Start) -> None:
    run = start()
    run.answer(0, 2)
    run.recorder.flush()
    run.close()
    whole = output.read_bytes()
    output.write_bytes(whole[:-1])
    with pytest.raises(OutputError, match=rf"should have {len(whole)} bytes .* has {len(whole) - 1}"):
        start()
    output.unlink()
    with pytest.raises(OutputError, match="is missing"):
        start()
    output.write_bytes(whole)
    start().close()


@pytest.mark.parametrize("is_cut", [True, False])
@pytest.mark.parametrize("name", ["out.jsonl", "out.npz.spool", "out.parquet.spool", "out.jsonl.errors.jsonl"])
def test_a_file_that_is_removed_or_cut_while_it_is_written_ends_the_run(
    tmp_path: Path, name: str, is_cut: bool
) -> None:
    path = tmp_path / name
    with closing(Run(tmp_path / name.removesuffix(".spool").removesuffix(".errors.jsonl"))) as run:
        run.answer(0, 2)
        run.recorder.settle(failed(2, 2))
        run.recorder.flush()
        # Given a file of the run that somebody removes, or empties
        if is_cut:
            path.write_bytes(b"")
        else:
            path.unlink()
        # Then no row is told to be written that nobody can read
        with pytest.raises(OutputError, match=f"{name} was removed, replaced or cut"):
            run.recorder.finish()
        state = run.checkpoint.load()
    assert state is not None
    assert not state.is_finished


def test_a_finished_backfill_is_known_to_be(output: Path, start: Start) -> None:
    run = start()
    run.answer(0, 2)
    run.recorder.finish()
    run.close()
    state = start().state
    assert state.is_finished
    assert state.rows_done == 2
