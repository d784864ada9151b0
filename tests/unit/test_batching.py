from __future__ import annotations

import pytest

from model_store.rows.batching import (
    MOST_ROWS,
    Batching,
    Timing,
    doubling_sizes,
    fixed_batching,
    good_rows,
    limited_by_bytes,
    may_gain,
    needs_padding,
)
from model_store.spec import BatchingSpec


def steady(rows: int, ms: float) -> Timing:
    return Timing(rows, first_ms=ms, best_ms=ms)


def test_calls_without_sizes_are_not_padded() -> None:
    assert [Batching(max_rows=8).padded(rows) for rows in (1, 5, 8, 20)] == [1, 5, 8, 20]


def test_rows_are_padded_to_the_next_size() -> None:
    batching = Batching(max_rows=8, sizes=(1, 2, 4, 8))
    assert [batching.padded(rows) for rows in range(1, 9)] == [1, 2, 4, 4, 8, 8, 8, 8]


def test_rows_beyond_the_largest_size_are_whole_calls_and_a_padded_rest() -> None:
    batching = Batching(max_rows=8, sizes=(1, 2, 4, 8))
    assert [batching.padded(rows) for rows in (9, 16, 19)] == [9, 16, 20]
    assert [Batching(max_rows=64, sizes=(4,)).padded(rows) for rows in (1, 4, 5, 64)] == [4, 4, 8, 64]


def test_a_call_has_the_largest_size_or_without_sizes_a_whole_batch() -> None:
    assert Batching(max_rows=64, sizes=(4,)).call_rows(row_bytes=1000) == 4
    assert Batching(max_rows=64).call_rows(row_bytes=1000) == 64


def test_rows_that_need_neither_dividing_nor_padding_are_one_call() -> None:
    assert [Batching(max_rows=4).is_one_call(rows) for rows in (1, 4, 5)] == [True, True, False]
    assert [Batching(max_rows=8, sizes=(2, 4)).is_one_call(rows) for rows in (1, 4, 8)] == [False, True, False]
    assert not Batching(max_rows=4, max_bytes=10**9).is_one_call(1)


def test_rows_larger_than_those_of_the_trial_are_fewer_in_a_call() -> None:
    # Given pictures of any size that were tried at 64 x 64
    batching = limited_by_bytes(Batching(max_rows=512), trial_row_bytes=64 * 64 * 3 * 4)

    # Then as many pixels as were tried make a call
    assert batching.call_rows(64 * 64 * 3 * 4) == 512
    assert batching.call_rows(640 * 480 * 3 * 4) == 6
    assert batching.call_rows(10**9) == 1


def test_rows_of_little_bytes_are_never_fewer_for_their_size() -> None:
    assert limited_by_bytes(Batching(max_rows=64), trial_row_bytes=256).call_rows(4096) == 64


def test_a_tiny_model_takes_some_hundred_rows() -> None:
    timings = [steady(rows, 0.2 + 0.001 * rows) for rows in doubling_sizes(MOST_ROWS)]
    assert good_rows(timings) == 512


def test_the_smallest_size_that_comes_near_the_best_is_enough() -> None:
    # Given what a small MobileNet took on two cores
    timings = [steady(*pair) for pair in [(1, 4.2), (8, 9.7), (16, 17), (32, 26), (64, 46), (128, 90), (256, 179)]]
    assert good_rows(timings) == 64


def test_a_model_that_gains_nothing_still_shares_what_a_batch_costs() -> None:
    assert good_rows([steady(rows, 10 * rows) for rows in (1, 2, 4, 8)]) == 2
    assert good_rows([steady(rows, 300 * rows) for rows in (1, 2, 4)]) == 1


def test_one_slow_measurement_among_good_ones_moves_the_choice_by_one_size_at_most() -> None:
    ms_by_rows = {rows: 0.5 + 0.4 * rows for rows in doubling_sizes(128)}
    undisturbed = good_rows([steady(rows, ms) for rows, ms in ms_by_rows.items()])
    for disturbed in ms_by_rows:
        choice = good_rows([steady(rows, ms * (3 if rows == disturbed else 1)) for rows, ms in ms_by_rows.items()])
        assert undisturbed / 2 <= choice <= undisturbed * 2


def test_more_rows_are_tried_until_two_doublings_brought_nothing() -> None:
    timings = [steady(rows, 10 * rows) for rows in doubling_sizes(16)]
    assert [may_gain(timings[:count]) for count in range(6)] == [True, True, True, True, True, False]


def test_one_slow_measurement_does_not_end_the_trial() -> None:
    assert may_gain([steady(1, 1.0), steady(2, 1.1), steady(4, 1.2), steady(8, 50.0)])


def test_calls_that_take_long_end_the_trial() -> None:
    assert not may_gain([steady(1, 251)])


def test_where_nothing_could_be_timed_a_batch_is_a_row() -> None:
    assert good_rows([]) == 1


@pytest.mark.parametrize(
    ("timings", "expected"),
    [
        ([Timing(7, 90, 2), Timing(5, 110, 2)], True),
        # A busy moment of the machine slowed down one of them.
        ([Timing(7, 90, 2), Timing(5, 3, 2)], False),
        # Twice the time, but soon paid off without padding.
        ([Timing(7, 8, 1), Timing(5, 9, 1)], False),
        ([Timing(7, 180, 140), Timing(5, 150, 100)], False),
        ([], False),
    ],
)
def test_padding_is_for_models_whose_first_call_with_any_new_size_is_slow(
    timings: list[Timing], expected: bool
) -> None:
    assert needs_padding(timings) is expected


def test_sizes_double_up_to_the_largest() -> None:
    assert doubling_sizes(1) == (1,)
    assert doubling_sizes(8) == (1, 2, 4, 8)
    assert doubling_sizes(12) == (1, 2, 4, 8, 12)


def test_a_batch_of_a_model_with_fixed_rows_is_as_many_calls_as_hide_what_a_batch_costs() -> None:
    assert fixed_batching(BatchingSpec(), 1, call_ms=5) == Batching(max_rows=4, sizes=(1,))
    assert fixed_batching(BatchingSpec(), 4, call_ms=0.2) == Batching(max_rows=256, sizes=(4,))
    assert fixed_batching(BatchingSpec(), 1000, call_ms=300) == Batching(max_rows=1000, sizes=(1000,))


def test_model_toml_decides_how_many_rows_a_model_with_fixed_rows_is_given() -> None:
    spec = BatchingSpec(max_batch_size=6, max_batch_wait_ms=2)
    assert fixed_batching(spec, 4, call_ms=5) == Batching(max_rows=6, max_wait_ms=2, sizes=(4,))


def test_a_card_names_batching_as_model_toml_does() -> None:
    assert Batching(8, 2.5, (4, 8)).to_json() == {"max_batch_size": 8, "max_batch_wait_ms": 2.5, "sizes": [4, 8]}
