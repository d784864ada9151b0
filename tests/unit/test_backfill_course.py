"""Which rows are read next, after an interruption."""

from __future__ import annotations

from client.backfill.course import Course, Leg
from client.backfill.run_state import Span, SubmittedChunk

FIRST = SubmittedChunk(10, 5, "first", "job")
SECOND = SubmittedChunk(30, 8, "second")


def legs(course: Course, most_rows: int, limit: int = 100) -> list[tuple[int, Leg]]:
    """What is read, and from where, when the input has enough rows."""
    found: list[tuple[int, Leg]] = []
    while len(found) < limit and (leg := course.next_leg(most_rows)):
        found.append((course.position, leg))
        course.passed(course.position + leg.rows)
    return found


def test_a_new_run_reads_as_many_rows_as_a_job_gets() -> None:
    assert legs(Course(0, [], [], None), 7, limit=3) == [(0, Leg(7)), (7, Leg(7)), (14, Leg(7))]


def test_what_was_submitted_is_submitted_again_as_it_was_whatever_a_job_gets_now() -> None:
    assert legs(Course(10, [], [FIRST, SECOND], 40), 12) == [
        (10, Leg(5, submitted=FIRST)),
        (15, Leg(12)),
        (27, Leg(3)),
        (30, Leg(8, submitted=SECOND)),
        (38, Leg(2)),
    ]


def test_rows_that_are_written_already_are_passed_over() -> None:
    assert legs(Course(10, [Span(15, 10)], [FIRST], 30), 100) == [
        (10, Leg(5, submitted=FIRST)),
        (15, Leg(10, is_written=True)),
        (25, Leg(5)),
    ]


def test_no_row_beyond_the_limit_is_read() -> None:
    assert legs(Course(0, [], [], 10), 4) == [(0, Leg(4)), (4, Leg(4)), (8, Leg(2))]
    assert legs(Course(10, [], [], 10), 4) == []


def test_what_was_submitted_and_is_passed_otherwise_is_not_come_back_to() -> None:
    course = Course(10, [], [FIRST], 20)
    assert course.next_leg(100) == Leg(5, submitted=FIRST)
    course.passed(12)
    assert course.next_leg(100) == Leg(8)
