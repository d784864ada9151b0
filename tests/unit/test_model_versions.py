from __future__ import annotations

from collections import Counter

from api.model_card import ModelCard
from api.model_versions import ModelVersions, agree
from tasks.job import new_job_id
from tasks.model_registry import LiveWorker


def live(versions: tuple[int, ...], labels: dict[str, int]) -> LiveWorker:
    return LiveWorker("one", 1, 3, "CPU", versions, labels)


def test_of_many_jobs_a_tenth_is_drawn_for_the_canary_and_each_always_alike() -> None:
    cards = {number: ModelCard("m", number, "", {}, {}) for number in (3, 4)}
    versions = ModelVersions("m", cards, {"latest": 4, "stable": 3, "canary": 4}, {"canary": 0.1})
    ids = [new_job_id() for _ in range(10_000)]
    drawn = Counter(versions.choose(None, job_id).card.version for job_id in ids)
    # Five standard deviations, of 30, to each side.
    assert 850 <= drawn[4] <= 1150
    assert drawn[3] + drawn[4] == 10_000
    assert [versions.choose(None, job_id) for job_id in ids[:50]] == [versions.choose(None, i) for i in ids[:50]]


def test_workers_agree_on_what_all_of_them_have_loaded_and_some_label_names() -> None:
    new = live((3, 4, 5), {"latest": 5, "stable": 4})
    old = live((3, 4), {"latest": 4, "stable": 3})
    assert agree([3, 4, 5], new.labels, [new, old]) == ([3, 4], {"latest": 4, "stable": 4})
    assert agree([3, 4], old.labels, [new, old]) == ([3, 4], {"latest": 4, "stable": 3})


def test_a_label_that_one_of_them_does_not_know_yet_is_not_served() -> None:
    new = live((3, 4), {"latest": 4, "canary": 4})
    assert agree([3, 4], new.labels, [new, live((3, 4), {"latest": 4})]) == ([4], {"latest": 4})


def test_without_anything_in_common_who_spoke_last_is_right() -> None:
    assert agree([4], {"latest": 4}, [live((4,), {"latest": 4}), live((3,), {"latest": 3})]) == ([4], {"latest": 4})


def test_a_model_without_live_workers_serves_what_they_served() -> None:
    assert agree([3, 4], {"latest": 4}, []) == ([4], {"latest": 4})
