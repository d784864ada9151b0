from __future__ import annotations

from collections.abc import Collection

import pytest

from tasks.job import Lane
from tasks.transport import claims as claims_module
from tasks.transport.channel import _read
from tasks.transport.claims import Claims, Wanted
from tasks.transport.scripts import Claimed, SourceList, emptied_lanes, read_claim


class Wishes:
    """A demand that only remembers what it was told."""

    def __init__(self) -> None:
        self.gone: list[frozenset[str]] = []

    def wanted(self) -> Wanted:
        return Wanted(0, ())

    def is_idle(self) -> bool:
        return True

    def emptied(self, lanes: Collection[Lane]) -> None: ...

    def lost(self, tags: frozenset[str]) -> None:
        self.gone.append(tags)


@pytest.fixture
def claims() -> Claims:
    claims = Claims()
    for tag in ("a", "b", "c"):
        claims.add(tag, f"token-{tag}")
    return claims


def test_no_two_claims_have_the_same_token_and_each_tells_its_owner() -> None:
    one, other = Claims(), Claims()
    tokens = [one.new_token(), one.new_token(), other.new_token()]
    assert len(set(tokens)) == 3
    assert [token.split(":")[0] for token in tokens] == [one.owner, one.owner, other.owner]
    int(one.owner, 16)  # recover.lua finds the end of the owner's name by that


def test_what_is_held_is_counted_and_found(claims: Claims) -> None:
    assert len(claims) == 3
    assert "a" in claims
    assert "x" not in claims
    assert dict(claims.tokens) == {"a": "token-a", "b": "token-b", "c": "token-c"}


def test_what_is_acknowledged_is_no_longer_held_and_is_told_once(claims: Claims) -> None:
    claims.acknowledge("b")
    claims.acknowledge("b")
    claims.acknowledge("unknown")
    assert "b" not in claims
    assert claims.take_acknowledged() == {"b": "token-b"}
    assert claims.take_acknowledged() == {}
    assert claims.take_rejected() == {}


def test_what_is_rejected_is_no_longer_held_and_is_told_once(claims: Claims) -> None:
    claims.reject("c")
    claims.acknowledge("c")
    claims.reject("unknown")
    assert "c" not in claims
    assert claims.take_rejected() == {"c": "token-c"}
    assert claims.take_rejected() == {}
    assert claims.take_acknowledged() == {}


def test_what_redis_could_not_be_told_is_told_later_with_what_came_since(claims: Claims) -> None:
    claims.acknowledge("a")
    claims.reject("b")
    claims.add("d", "token-d")
    claims.give_back("d")
    acknowledged, rejected, returned = claims.take_acknowledged(), claims.take_rejected(), claims.take_returned()
    claims.acknowledge("c")
    claims.put_back(acknowledged, rejected, returned)
    assert claims.take_acknowledged() == {"a": "token-a", "c": "token-c"}
    assert claims.take_rejected() == {"b": "token-b"}
    assert claims.take_returned() == {"d": "token-d"}
    assert claims.take_returned() == {}


def test_a_message_that_comes_back_is_held_by_its_new_claim(claims: Claims) -> None:
    claims.forget(["a"])
    claims.add("a", "token-new")
    claims.acknowledge("a")
    assert claims.take_acknowledged() == {"a": "token-new"}


def test_what_is_dropped_is_told_to_nobody(claims: Claims) -> None:
    claims.demand = Wishes()
    claims.drop(["a", "unknown"])
    assert "a" not in claims
    assert claims.take_acknowledged() == claims.take_rejected() == {}
    assert claims.demand.gone == []


def test_what_was_lost_is_told_to_who_wanted_it_but_for_what_had_ended_already(claims: Claims) -> None:
    claims.demand = Wishes()
    claims.acknowledge("b")
    claims.forget(["a", "b"])
    claims.forget(["b", "unknown"])
    assert claims.demand.gone == [frozenset({"a"})]
    assert list(claims.tokens) == ["c"]


def test_what_was_lost_may_be_nobodys_wish(claims: Claims) -> None:
    claims.forget(["a"])
    assert "a" not in claims


def test_a_process_was_in_time_since_its_last_late_renewal(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr(claims_module, "monotonic", lambda: now_s[0])
    claims = Claims()
    assert claims.in_time_for_s() == float("inf")
    # When renewals come in time, then one late, then others in time
    for pause_s in (60.0, 6.0, 7.0, 5.0, 5.0):
        now_s[0] += pause_s
        claims.renewed(lease_s=10.0)
    assert claims.in_time_for_s() == 10.0


def test_the_answer_to_a_claim_names_the_list_of_each_message() -> None:
    lists = [SourceList("one", "queue-1", Lane.INTERACTIVE, "h1"), SourceList("two", "queue-2", Lane.BULK, "h2")]
    claimed = [2, b"tag-a", b"raw-a", 1, b"tag-b", b"raw-b"]
    messages = [
        Claimed("queue-2", Lane.BULK, "tag-a", b"raw-a"),
        Claimed("queue-1", Lane.INTERACTIVE, "tag-b", b"raw-b"),
    ]
    assert read_claim(lists, (claimed, [])) == (messages, set())
    assert read_claim(lists, ([], [b"queue-1", b"queue-1"])) == ([], {"queue-1"})


@pytest.mark.parametrize(
    ("asked", "got", "emptied"),
    [
        ("ib", "", "ib"),
        ("ib", "i", "ib"),
        ("ib", "ii", ""),
        ("ib", "ib", "i"),
        ("ib", "bb", "i"),
        ("bi", "bi", "b"),
        ("i", "i", "i"),
        ("i", "ii", ""),
    ],
)
def test_a_claim_of_two_shows_which_lanes_are_empty(asked: str, got: str, emptied: str) -> None:
    lanes = {"i": Lane.INTERACTIVE, "b": Lane.BULK}
    lists = [SourceList(f"{letter}{step}", "queue", lanes[letter], "h") for letter in asked for step in (0, 1)]
    claimed = [Claimed("queue", lanes[letter], "tag", b"raw") for letter in got]

    assert emptied_lanes(lists, claimed, 2) == {lanes[letter] for letter in emptied}


WHOLE = b'{"body": "W10=", "headers": {"eta": %s}, "properties": {"delivery_info": {}}}'


def test_a_message_is_read_as_kombu_reads_it() -> None:
    assert _read(WHOLE % b"null") == {
        "body": "W10=",
        "headers": {"eta": None},
        "properties": {"delivery_info": {}},
    }
    typed = _read(WHOLE % b'{"__type__": "decimal", "__value__": "1.5"}')
    assert typed is not None
    assert str(typed["headers"]["eta"]) == "1.5"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"__type__"',
        WHOLE.replace(b"W10=", b"") % b"null",
        WHOLE.replace(b'"W10="', b"5") % b"null",
        WHOLE.replace(b'"headers"', b'"others"') % b"null",
        WHOLE.replace(b'"delivery_info"', b'"others"') % b"null",
        WHOLE.replace(b'"properties"', b'"others"') % b"null",
    ],
)
def test_what_lacks_a_part_that_kombu_takes_for_granted_is_no_message(raw: bytes) -> None:
    assert _read(raw) is None
