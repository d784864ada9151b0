from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest

from tasks.errors import BrokerUnavailable
from tasks.group_commit import GroupCommit
from tests.system import eventually


class Store:
    """Keeps what it is given; holds the first call up until the test lets it go."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.fails: Callable[[Sequence[str]], Exception | None] = lambda items: None
        self.is_entered = threading.Event()
        self.may_go_on = threading.Event()

    def __call__(self, items: Sequence[str]) -> list[str]:
        self.calls.append(list(items))
        self.is_entered.set()
        assert self.may_go_on.wait(10)
        if error := self.fails(items):
            raise error
        return [f"{item} is stored" for item in items]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def commit(store: Store) -> GroupCommit[str, str]:
    return GroupCommit(store)


class Callers:
    """Threads that each store one item."""

    def __init__(self, commit: GroupCommit[str, str]) -> None:
        self._commit = commit
        self._threads: list[threading.Thread] = []
        self.outcomes: dict[str, str] = {}

    def start(self, *items: str) -> None:
        for item in items:
            thread = threading.Thread(target=self._store, args=(item,))
            thread.start()
            self._threads.append(thread)

    def join(self) -> dict[str, str]:
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        return self.outcomes

    def _store(self, item: str) -> None:
        try:
            self.outcomes[item] = self._commit.store(item)
        except Exception as error:
            self.outcomes[item] = f"{type(error).__name__}: {error}"


def start_group(commit: GroupCommit[str, str], store: Store, *items: str) -> Callers:
    """One whose call is held up, and those who come meanwhile."""
    callers = Callers(commit)
    callers.start("first")
    assert store.is_entered.wait(10)
    callers.start(*items)
    eventually(lambda: len(commit._waiting) == len(items), 10)
    return callers


def test_one_that_comes_alone_is_stored_at_once(commit: GroupCommit[str, str], store: Store) -> None:
    store.may_go_on.set()
    assert commit.store("a") == "a is stored"
    assert commit.store("b") == "b is stored"
    assert store.calls == [["a"], ["b"]]


def test_those_who_come_during_a_call_go_together_in_the_next_and_each_gets_its_own_outcome(
    commit: GroupCommit[str, str], store: Store
) -> None:
    callers = start_group(commit, store, "a", "b", "c")
    assert not callers.outcomes
    store.may_go_on.set()
    assert callers.join() == {item: f"{item} is stored" for item in ("first", "a", "b", "c")}
    assert [sorted(call) for call in store.calls] == [["first"], ["a", "b", "c"]]
    # And whoever comes later does not wait for anybody
    commit.store("later")
    assert store.calls[-1] == ["later"]


def test_a_broker_that_is_away_is_told_to_all_and_asked_once(commit: GroupCommit[str, str], store: Store) -> None:
    callers = start_group(commit, store, "a", "b")
    store.fails = lambda items: BrokerUnavailable("away")
    store.may_go_on.set()
    assert set(callers.join().values()) == {"BrokerUnavailable: away"}
    assert len(store.calls) == 2
    # And when it is back, the next one is stored
    store.fails = lambda items: None
    commit.store("later")


def test_an_item_that_cannot_be_stored_fails_no_other(commit: GroupCommit[str, str], store: Store) -> None:
    callers = start_group(commit, store, "a", "bad", "c")
    store.fails = lambda items: ValueError("bad") if "bad" in items else None
    store.may_go_on.set()
    assert callers.join() == {
        "first": "first is stored",
        "a": "a is stored",
        "bad": "ValueError: bad",
        "c": "c is stored",
    }


def test_many_threads_store_each_item_once(store: Store) -> None:
    store.may_go_on.set()
    commit = GroupCommit(store)

    def run(name: int) -> None:
        for number in range(200):
            commit.store(f"{name}.{number}")

    threads = [threading.Thread(target=run, args=(name,)) for name in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    stored = [item for call in store.calls for item in call]
    assert sorted(stored) == sorted(f"{name}.{number}" for name in range(16) for number in range(200))
