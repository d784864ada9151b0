"""What `celeriac tune` prints."""

from __future__ import annotations

from model_store.rows.batching import Batching
from model_store.tuning.choice import Choice, Trial, Tuning
from tasks.tuning_table import chosen_way, summary, table, trials_json

TUNING = Tuning(
    Choice("xla", "folded", (1,)),
    Batching(max_rows=8),
    (
        Trial("plain", 1, 12.3, 1.0),
        Trial("folded", 1, 2.0, 0.5, 1.25e-6),
        Trial("xla", 1, 1234.5, 0.25, 2e-7),
        Trial("plain", 8, 3.0, 2.0),
        Trial("folded", 8, 3.0, 1.0),
    ),
    {"direct": "gains nothing"},
)


def test_each_trial_has_a_line_and_what_runs_so_many_rows_is_marked() -> None:
    assert table(TUNING) == [
        "variant  rows  ms a call  rows/s  first call, ms  difference",
        "plain       1      1.000   1,000              12           0",
        "folded      1      0.500   2,000               2       1e-06",
        "xla         1      0.250   4,000           1,234       2e-07  chosen",
        "plain       8      2.000   4,000               3           0",
        "folded      8      1.000   8,000               3           0  chosen",
    ]


def test_the_summary_says_what_was_left_out_and_what_was_chosen() -> None:
    assert summary("fer", TUNING) == [
        "direct: fer gains nothing.",
        "Chosen: xla for 1 rows, folded for others, 2.83 times as fast as the plain graph; batches of up to 8 rows.",
    ]


def test_sizes_that_calls_are_padded_to_are_told() -> None:
    tuning = Tuning(batching=Batching(max_rows=8, sizes=(1, 8)))
    assert summary("fer", tuning)[-1].endswith("batches of up to 8 rows, padded to 1, 8.")


def test_one_variant_for_all_rows_is_told_in_short() -> None:
    assert chosen_way(Tuning()) == "plain, 1.00 times as fast as the plain graph"


def test_json_has_rows_a_second_and_the_choice_with_each_trial() -> None:
    told = trials_json(TUNING)
    assert [one["rows_per_s"] for one in told] == [1000, 2000, 4000, 4000, 8000]
    assert [one["chosen"] for one in told] == [False, False, True, False, True]
    assert told[2]["first_ms"] == 1234.5
