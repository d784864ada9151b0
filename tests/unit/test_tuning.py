"""Which variant is chosen by what was measured: no model, no clock."""

from __future__ import annotations

from model_store.rows.batching import Batching
from model_store.tuning.choice import Choice, Trial, Tuning, pick, rows_to_compile, worth_compiling, worth_padding

BASES = ["plain", "direct", "folded"]


def trials(**times_ms: dict[int, float]) -> list[Trial]:
    """Trials by variant, from milliseconds by rows."""
    return [Trial(name, rows, 2 * ms, ms) for name, times in times_ms.items() for rows, ms in times.items()]


def test_the_fastest_over_all_numbers_of_rows_is_picked() -> None:
    found = trials(plain={1: 1.0, 32: 10.0}, direct={1: 0.5, 32: 10.0}, folded={1: 0.5, 32: 5.0})
    assert pick(found, BASES) == "folded"


def test_a_simpler_variant_stays_where_another_gains_next_to_nothing() -> None:
    found = trials(plain={1: 1.0, 32: 10.0}, direct={1: 0.5, 32: 10.0}, folded={1: 0.495, 32: 9.9})
    assert pick(found, BASES) == "direct"


def test_what_is_slower_for_some_number_of_rows_is_not_picked_whatever_it_gains_for_others() -> None:
    found = trials(plain={1: 1.0, 32: 10.0}, folded={1: 0.2, 32: 12.0})
    assert pick(found, ["plain", "folded"]) == "plain"


def test_variants_are_compared_only_where_both_were_measured() -> None:
    found = trials(plain={1: 1.0, 32: 10.0}, folded={1: 0.5})
    assert pick(found, ["plain", "folded"]) == "folded"


def test_without_measurements_the_simplest_is_picked() -> None:
    assert pick([], BASES) == "plain"


def test_few_sizes_are_compiled_and_the_largest_batch_is_among_them() -> None:
    assert rows_to_compile(Batching(max_rows=1)) == (1,)
    assert rows_to_compile(Batching(max_rows=20)) == (1, 8, 20)
    assert rows_to_compile(Batching(max_rows=512)) == (1, 8, 64, 512)


def test_sizes_that_calls_are_padded_to_anyway_are_those_to_compile() -> None:
    assert rows_to_compile(Batching(max_rows=12, sizes=(4, 12))) == (4, 12)
    assert rows_to_compile(Batching(max_rows=64, sizes=(1, 2, 4, 8, 16, 32, 64))) == (1, 8, 64)


def test_only_sizes_that_gain_a_tenth_are_worth_compiling() -> None:
    assert worth_compiling({1: 1.0, 8: 2.0, 64: 8.0}, {1: 0.5, 8: 1.9, 64: 7.0}) == (1, 64)


def test_padding_pays_where_a_call_hardly_takes_longer_for_more_rows() -> None:
    flat = {1: 1.0, 8: 1.1, 64: 1.2}
    assert worth_padding(64, flat, {1: 0.5, 8: 0.5, 64: 0.6})


def test_padding_does_not_pay_where_each_row_costs_as_much() -> None:
    # Given calls that take as long as they have rows, and compiled ones that are a quarter faster
    base = {1: 1.0, 8: 8.0, 64: 64.0}
    compiled = {rows: 0.75 * ms for rows, ms in base.items()}

    # Then 9 rows, padded to 64, would take five times as long
    assert not worth_padding(64, base, compiled)


def test_padding_needs_a_size_for_every_number_of_rows() -> None:
    flat = {1: 1.0, 8: 1.0, 64: 1.0}
    assert not worth_padding(64, flat, {1: 0.1, 8: 0.1})
    assert not worth_padding(64, flat, {8: 0.1, 64: 0.1})
    assert not worth_padding(64, flat, {})


def test_a_compiled_choice_runs_other_numbers_of_rows_on_its_base() -> None:
    choice = Choice("xla", "folded", (1, 8))
    assert [choice.at(rows) for rows in (1, 2, 8, 64)] == ["xla", "folded", "xla", "folded"]
    assert Choice("folded", "folded").at(5) == "folded"


def test_the_speedup_is_that_of_what_runs_each_number_of_rows() -> None:
    # Given one row four times as fast compiled, 64 rows as fast as ever
    found = trials(plain={1: 4.0, 64: 10.0}, folded={1: 2.0, 64: 10.0}, xla={1: 1.0, 64: 50.0})

    # Then it is twice as fast in the geometric mean
    assert Tuning(Choice("xla", "folded", (1,)), trials=tuple(found)).speedup == 2.0


def test_without_measurements_nothing_is_said_to_be_faster() -> None:
    assert Tuning().speedup == 1.0


def test_all_that_is_compiled_or_padded_to_is_run_before_the_first_job() -> None:
    assert Tuning(Choice("xla", "folded", (1, 8)), Batching(max_rows=64)).warm_rows == (1, 8, 64)
    assert Tuning(batching=Batching(max_rows=64, sizes=(4, 64))).warm_rows == (4, 64)
