from __future__ import annotations

import pytest

from client.errors import UnexpectedReply
from client.event_stream import MOST_CHARACTERS, Event, EventReader

#: The examples of the standard's section 9.2.6, and what it says of them.
STANDARD = [
    (b"data: YHOO\ndata: +2\ndata: 10\n\n", [Event("message", "YHOO\n+2\n10", "")]),
    (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [
            Event("message", "first event", "1"),
            Event("message", "second event", ""),
            Event("message", " third event", ""),
        ],
    ),
    (b"data\n\ndata\ndata\n\ndata:", [Event("message", "", ""), Event("message", "\n", "")]),
    (b"data:test\n\ndata: test\n\n", [Event("message", "test", "")] * 2),
    (
        b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n",
        [Event("add", "73857293", ""), Event("remove", "2153", "")],
    ),
]


def read(*parts: bytes) -> list[Event]:
    reader = EventReader()
    return [event for part in parts for event in reader.read(part)]


@pytest.mark.parametrize(("stream", "events"), STANDARD)
def test_the_examples_of_the_standard_are_read_as_it_says(stream: bytes, events: list[Event]) -> None:
    assert read(stream) == events


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_stream_may_be_cut_anywhere_and_end_its_lines_in_each_of_three_ways(end: bytes) -> None:
    stream = '\ufeffid: é\nevent: status\ndata: {"tag": "日本"}\n\n: still there\n\ndata: end\n\n: last\n'.encode()
    stream = stream.replace(b"\n", end)
    wanted = [Event("status", '{"tag": "日本"}', "é"), Event("message", "end", "é")]
    assert read(stream) == wanted
    assert read(*(stream[place : place + 1] for place in range(len(stream)))) == wanted


def test_what_has_no_data_or_no_end_is_no_event() -> None:
    assert read(b"event: status\nid: 7\n\ndata: cut") == []


def test_id_and_retry_are_kept_and_nonsense_in_them_is_passed_over() -> None:
    reader = EventReader()
    assert reader.retry_s is None
    assert list(reader.read(b"retry: 1500\nid: queued-3\n\nretry: soon\nretry: \nid: a\0b\nother: 1\n\n")) == []
    assert (reader.last_id, reader.retry_s) == ("queued-3", 1.5)


@pytest.mark.parametrize("part", [b"x" * 10_000, b"data: " + b"x" * 10_000 + b"\n"])
def test_an_event_without_end_is_refused(part: bytes) -> None:
    reader = EventReader()
    with pytest.raises(UnexpectedReply):
        for _ in range(MOST_CHARACTERS // 5_000):
            list(reader.read(part))
