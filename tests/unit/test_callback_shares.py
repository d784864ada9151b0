from __future__ import annotations

import pytest

from tasks.callbacks.shares import LEAST_PAUSE_S, MOST_PAUSE_S, Shares


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_hosts_places_are_counted_and_given_back() -> None:
    shares = Shares(2)
    with shares.place("a") as one, shares.place("a") as two, shares.place("a") as three, shares.place("b") as other:
        assert (one, two, three, other) == (True, True, False, True)
    with shares.place("a") as again, shares.place("a") as once_more:
        assert again and once_more


def test_a_place_is_given_back_by_who_fails() -> None:
    shares = Shares(1)
    with pytest.raises(RuntimeError), shares.place("a"):
        raise RuntimeError
    with shares.place("a") as again:
        assert again


def test_those_that_find_no_place_come_back_one_after_the_other_as_fast_as_places_become_free() -> None:
    clock = Clock()
    shares = Shares(2, clock)
    # Given a host whose attempts take 10 s
    with shares.place("a"):
        with shares.place("a"):
            clock.now_s += 10
        # Then two of its callbacks can be done every 10 s
        assert [shares.pause_s("a") for _ in range(4)] == [LEAST_PAUSE_S, 7, 12, 17]
        # And a long line has an end
        assert max(shares.pause_s("a") for _ in range(1000)) == MOST_PAUSE_S
        # And time passes
        clock.now_s += MOST_PAUSE_S - 1
        assert shares.pause_s("a") == 6
        # And others are not concerned
        assert shares.pause_s("b") == LEAST_PAUSE_S


def test_a_host_that_is_done_with_is_forgotten() -> None:
    clock = Clock()
    shares = Shares(1, clock)
    for host in map(str, range(100)):
        with shares.place(host), shares.place(host) as is_free:
            assert not is_free
            shares.pause_s(host)
            clock.now_s += LEAST_PAUSE_S
    assert not (shares._taken or shares._took_s or shares._put_off_until_s)
