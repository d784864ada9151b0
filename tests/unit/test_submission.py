from __future__ import annotations

from collections.abc import Iterator

from tasks.job import Job, Lane, new_job_id
from tasks.submission import CHUNK_BYTES, CHUNK_JOBS, chunks


def job(model: str = "digits", lane: Lane = Lane.BULK) -> Job:
    return Job(id=new_job_id(), model=model, version=1, lane=lane)


def test_chunks_are_bounded_in_number_and_bytes_and_keep_the_order() -> None:
    jobs = [(job(), b"x" * size) for size in [1] * (CHUNK_JOBS + 1) + [CHUNK_BYTES - 1, 1, CHUNK_BYTES + 1, 1]]
    cut = list(chunks(jobs))
    assert [len(chunk) for chunk in cut] == [CHUNK_JOBS, 2, 1, 1, 1]
    assert [pair for chunk in cut for pair in chunk] == jobs


def test_a_chunk_is_for_one_queue() -> None:
    jobs = [job(), job(), job("hands"), job("hands", Lane.INTERACTIVE), job()]
    cut = list(chunks((each, b"") for each in jobs))
    assert [[one.model for one, _ in chunk] for chunk in cut] == [["digits"] * 2, ["hands"], ["hands"], ["digits"]]


def test_no_more_is_taken_than_a_chunk_needs() -> None:
    taken = []

    def endless() -> Iterator[tuple[Job, bytes]]:
        while True:
            taken.append(1)
            yield job(), b""

    assert len(next(chunks(endless()))) == CHUNK_JOBS
    assert len(taken) == CHUNK_JOBS + 1
    assert list(chunks([])) == []
