from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from model_store.errors import OutOfMemory
from model_store.rows.batch_trial import find_batching, time_doubled_rows, time_rows
from model_store.rows.batching import Batching
from model_store.spec import BatchingSpec


class Computer:
    """Computes for as long as a model of this cost would, and remembers the sizes of its calls."""

    def __init__(self, call_ms: float, row_ms: float, memory_rows: int = 10_000, compile_ms: float = 0) -> None:
        self.call_ms, self.row_ms, self.memory_rows, self.compile_ms = call_ms, row_ms, memory_rows, compile_ms
        self.calls: list[int] = []

    def prepare(self, rows: int) -> Callable[[], object]:
        return lambda: self._compute(rows)

    def _compute(self, rows: int) -> None:
        if rows > self.memory_rows:
            raise OutOfMemory("too many rows")
        compile_ms = 0 if rows in self.calls else self.compile_ms
        self.calls.append(rows)
        until_s = perf_counter() + (self.call_ms + self.row_ms * rows + compile_ms) / 1000
        while perf_counter() < until_s:
            pass


def test_sizes_are_doubled_while_rows_become_cheaper_and_each_is_timed_well() -> None:
    computer = Computer(call_ms=0.5, row_ms=0.002)
    timings = time_doubled_rows(computer.prepare)
    assert [timing.rows for timing in timings] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert all(timing.best_ms < 2 * (0.5 + 0.002 * timing.rows) for timing in timings)


def test_calls_that_take_long_end_the_search() -> None:
    computer = Computer(call_ms=300, row_ms=0)
    assert [timing.rows for timing in time_doubled_rows(computer.prepare)] == [1]


def test_memory_that_does_not_suffice_ends_the_search_with_what_fitted() -> None:
    computer = Computer(call_ms=1, row_ms=0.01, memory_rows=8)
    assert [timing.rows for timing in time_doubled_rows(computer.prepare)] == [1, 2, 4, 8]
    assert find_batching(BatchingSpec(), computer.prepare) == Batching(max_rows=8)


def test_the_first_call_is_timed_apart() -> None:
    timing = time_rows(Computer(call_ms=1, row_ms=0, compile_ms=30).prepare, 4)
    assert timing is not None
    assert timing.first_ms >= 31
    assert timing.best_ms < 30


def test_a_model_that_compiles_for_each_size_is_padded_to_sizes_that_have_all_been_run() -> None:
    computer = Computer(call_ms=1, row_ms=0.01, memory_rows=16, compile_ms=40)
    batching = find_batching(BatchingSpec(), computer.prepare)
    assert batching == Batching(max_rows=16, sizes=(1, 2, 4, 8, 16))
    assert set(batching.sizes) <= set(computer.calls)


def test_what_model_toml_says_is_not_measured() -> None:
    computer = Computer(call_ms=1, row_ms=0.01)
    spec = BatchingSpec(max_batch_size=12, max_batch_wait_ms=5, sizes=(4, 12))
    assert find_batching(spec, computer.prepare) == Batching(max_rows=12, max_wait_ms=5, sizes=(4, 12))
    assert computer.calls == [4, 12]


def test_sizes_alone_say_the_largest_batch_too() -> None:
    assert find_batching(BatchingSpec(sizes=(4, 12)), Computer(1, 0.01).prepare).max_rows == 12


def test_a_largest_batch_that_is_no_power_of_two_becomes_a_size_of_its_own() -> None:
    computer = Computer(call_ms=1, row_ms=0.01, compile_ms=40)
    batching = find_batching(BatchingSpec(max_batch_size=12), computer.prepare)
    assert batching == Batching(max_rows=12, sizes=(1, 2, 4, 8, 12))
    assert set(batching.sizes) <= set(computer.calls)


def test_a_model_of_one_row_a_batch_is_not_run_again() -> None:
    computer = Computer(call_ms=1, row_ms=0.01)
    assert find_batching(BatchingSpec(max_batch_size=1), computer.prepare) == Batching(max_rows=1)
    assert computer.calls == []
