from __future__ import annotations

from dataclasses import replace

from tasks.supervisor.memory_plan import IDLE_S, LONGEST_START_S, SERVICE_S, MemoryUse, Plan, Standing, plan

NOW_S = 1000.0
ROOM = 100


def ready(name: str, size: int = 40, *, idle_s: float | None = 60.0, since_s: float = 0.0) -> MemoryUse:
    """In memory; busy where `idle_s` is None."""
    used_s = NOW_S if idle_s is None else NOW_S - idle_s
    return MemoryUse(name, Standing.READY, size, size, since_s, used_s=used_s, is_busy=idle_s is None)


def out(name: str, size: int = 40, *, waited_s: float | None = None) -> MemoryUse:
    """Out of memory; wanted where `waited_s` is told."""
    wanted_s = None if waited_s is None else NOW_S - waited_s
    return MemoryUse(name, Standing.OUT, most_bytes=size, is_busy=waited_s is not None, wanted_s=wanted_s)


def starting(name: str, size: int = 40, *, now: int = 0, for_s: float = 1.0) -> MemoryUse:
    return MemoryUse(name, Standing.STARTING, now, size, NOW_S - for_s, used_s=NOW_S, is_busy=True)


def leaving(name: str, size: int = 40) -> MemoryUse:
    return MemoryUse(name, Standing.LEAVING, size, size, NOW_S - 1)


def decided(*uses: MemoryUse, room: int = ROOM, idle_stop_s: float | None = None) -> Plan:
    return plan(uses, room, NOW_S, idle_stop_s)


def test_with_room_for_all_everything_starts_at_once_and_nothing_stops() -> None:
    fresh = [replace(out(name, 30), is_fresh=True) for name in "ab"]
    assert decided(*fresh, replace(out("c", 30, waited_s=0), is_fresh=True)) == Plan({}, ["c", "a", "b"], {})


def test_a_model_that_nobody_wants_stays_out_though_there_is_room() -> None:
    assert decided(ready("a"), out("b")) == Plan()


def test_at_the_start_models_are_started_until_the_memory_is_full() -> None:
    fresh = [replace(out(name), is_fresh=True) for name in "abc"]
    assert decided(*fresh).start == ["a", "b"]


def test_the_least_recently_used_idle_model_gives_way_to_one_with_jobs() -> None:
    made = decided(ready("newer", idle_s=10), ready("older", idle_s=90), out("wanted", waited_s=1))
    assert made.stop == {"older": "to make room for wanted"}
    assert (made.start, made.waits_for) == ([], {"wanted": ["older"]})


def test_a_model_starts_only_once_the_other_is_gone() -> None:
    assert decided(ready("a"), leaving("b"), out("wanted", waited_s=1)) == Plan({}, [], {"wanted": ["b"]})
    assert decided(ready("a"), out("b"), out("wanted", waited_s=1)).start == ["wanted"]


def test_an_idle_model_gives_way_rather_than_a_busy_one() -> None:
    assert list(decided(ready("busy", idle_s=None), ready("idle", idle_s=5), out("w", waited_s=1)).stop) == ["idle"]


def test_no_more_models_give_way_than_must() -> None:
    made = decided(ready("small", 10, idle_s=90), ready("large", 80, idle_s=50), out("wanted", 60, waited_s=1))
    assert list(made.stop) == ["large"]


def test_a_gap_between_two_jobs_does_not_make_a_model_idle() -> None:
    just_used = ready("a", 80, idle_s=IDLE_S / 2)
    assert decided(just_used, out("wanted", waited_s=1)) == Plan({}, [], {"wanted": ["a"]})


def test_a_busy_model_serves_for_a_while_before_it_gives_way() -> None:
    wanted = out("wanted", 80, waited_s=500)
    early = ready("a", 80, idle_s=None, since_s=NOW_S - SERVICE_S + 1)
    assert decided(early, wanted) == Plan({}, [], {"wanted": ["a"]})
    assert list(decided(replace(early, since_s=NOW_S - SERVICE_S), wanted).stop) == ["a"]


def test_a_busy_model_that_was_long_in_loading_serves_for_as_long() -> None:
    wanted = out("wanted", 80, waited_s=500)
    slow = replace(ready("a", 80, idle_s=None, since_s=NOW_S - SERVICE_S), load_s=SERVICE_S + 1)
    assert decided(slow, wanted).stop == {}
    assert list(decided(replace(slow, since_s=NOW_S - SERVICE_S - 1), wanted).stop) == ["a"]


def test_of_busy_models_the_one_that_has_served_longest_gives_way() -> None:
    newer, older = ready("newer", idle_s=None, since_s=800), ready("older", idle_s=None, since_s=700)
    assert list(decided(newer, older, out("wanted", waited_s=1)).stop) == ["older"]


def test_nobody_overtakes_the_model_that_has_waited_longest() -> None:
    busy = ready("busy", 70, idle_s=None, since_s=NOW_S - 1)
    made = decided(busy, out("large", 60, waited_s=9), out("small", 20, waited_s=3))
    assert (made.start, made.stop, list(made.waits_for)) == ([], {}, ["large"])


def test_several_models_get_room_at_once_where_there_is_enough() -> None:
    idle = [ready(name, 30) for name in "abc"]
    made = decided(*idle, out("first", 40, waited_s=9), out("second", 30, waited_s=3))
    assert (list(made.stop), list(made.waits_for)) == (["a", "b"], ["first", "second"])


def test_a_model_that_is_starting_is_left_in_peace_unless_it_never_gets_ready() -> None:
    wanted = out("wanted", 80, waited_s=1)
    assert decided(starting("a", for_s=30), wanted).stop == {}
    assert list(decided(starting("a", for_s=LONGEST_START_S), wanted).stop) == ["a"]


def test_room_is_kept_for_what_a_starting_worker_took_last_time() -> None:
    assert decided(starting("a", 70, now=5), out("wanted", 40, waited_s=1)).start == []


def test_room_is_kept_for_what_a_worker_took_at_most() -> None:
    calm = replace(ready("a", 20, idle_s=None, since_s=NOW_S - 1), most_bytes=70)
    assert decided(calm, out("wanted", 40, waited_s=1)).start == []


def test_when_a_worker_grows_beyond_the_limit_idle_ones_give_way_first() -> None:
    made = decided(ready("grown", 90, idle_s=None), ready("idle", 20), ready("busy", 10, idle_s=None))
    assert made.stop == {"idle": "because the workers have outgrown the limit"}


def test_when_a_worker_grows_beyond_the_limit_busy_ones_give_way_to_it() -> None:
    new = NOW_S - 1
    uses = [ready(name, size, idle_s=None, since_s=new) for name, size in {"a": 20, "grown": 90, "b": 10}.items()]
    assert list(decided(*uses).stop) == ["b", "a"]


def test_a_worker_that_grows_beyond_the_limit_alone_is_served_alone() -> None:
    assert decided(ready("grown", 150, idle_s=None)) == Plan()


def test_those_that_leave_already_are_not_counted_as_too_much() -> None:
    assert decided(ready("a", 90, idle_s=None), leaving("b", 30)).stop == {}


def test_a_model_larger_than_the_limit_gets_all_of_the_memory_for_itself() -> None:
    large = out("large", 150, waited_s=9)
    inside = [ready("a", 30, idle_s=3), ready("b", 30, idle_s=None, since_s=NOW_S - SERVICE_S)]
    made = decided(*inside, large, out("small", 1, waited_s=3))
    assert (sorted(made.stop), made.start) == (["a", "b"], [])
    assert decided(leaving("b"), large, out("small", 1, waited_s=3)).start == []
    assert decided(large, out("small", 1, waited_s=3)).start == ["large"]


def test_a_model_larger_than_the_limit_waits_until_all_others_may_stop() -> None:
    inside = [ready("a", 30, idle_s=3), ready("b", 30, idle_s=None, since_s=NOW_S - 1)]
    assert decided(*inside, out("large", 150, waited_s=9)).stop == {}


def test_a_model_larger_than_the_limit_gives_way_like_others() -> None:
    assert list(decided(ready("large", 150), out("wanted", waited_s=1)).stop) == ["large"]


def test_idle_models_stop_by_themselves_only_where_that_is_asked_for() -> None:
    uses = [ready("idle", idle_s=30, since_s=500), ready("busy", idle_s=None), ready("new", since_s=NOW_S - 5)]
    assert decided(*uses, room=1000).stop == {}
    assert decided(*uses, room=1000, idle_stop_s=20).stop == {"idle": "after 20 s without a job"}


def test_models_that_were_never_used_give_way_first_in_their_order() -> None:
    never = replace(ready("never"), used_s=float("-inf"))
    assert list(decided(ready("used", idle_s=500), never, out("wanted", waited_s=1)).stop) == ["never"]
