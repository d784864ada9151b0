"""Detectors of three formats behind one API, their jobs mixed: none is in another's way, and each answers as itself."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image

from tests.system import Running

#: What each says of its first box, and how many it tells of two; the stores' model.toml differ so.
ANSWERS = {"detector-pb": ("lamp", 2), "detector-tf2": ("person", 2), "detector-h5": ("moon", 1)}
SIZES = ((60, 40), (30, 50), (60, 40))
LEVELS = (255, 204, 230)


def png(level: int, size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (level,) * 3).save(buffer, "PNG")
    return buffer.getvalue()


def form(*pictures: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("image", ("picture.png", data)) for data in pictures]


def test_all_are_detectors_whose_cards_say_so(system: Running) -> None:
    with system.http() as http:
        cards = {name: http.get(f"/v1/models/{name}").json() for name in ANSWERS}
    assert {name: (card["kind"], card["status"]) for name, card in cards.items()} == dict.fromkeys(
        ANSWERS, ("detector", "ready")
    )


def test_jobs_of_all_at_once_are_each_answered_by_their_own(system: Running) -> None:
    # Given jobs for all three in turn, each of a picture that no other has
    jobs = [(name, 130 + 3 * number) for number in range(20) for name in ANSWERS]

    def send(job: tuple[str, int]) -> dict[str, Any]:
        name, level = job
        return system.answer(name, files=form(png(level, SIZES[level % 2])), data={"min_score": "0.2"})

    # When they are sent by many clients at once
    with ThreadPoolExecutor(8) as clients:
        records = list(clients.map(send, jobs))
    # Then each has the answer of its own detector for its own picture
    for (name, level), record in zip(jobs, records, strict=True):
        label, count = ANSWERS[name]
        found = record["result"]["detections"]
        assert (found[0]["label"], len(found)) == (label, count)
        assert found[0]["score"] == pytest.approx(level / 255, abs=0.01)


@pytest.mark.parametrize("model", ANSWERS)
def test_pictures_of_different_sizes_in_one_job_have_a_row_and_a_drawing_each(system: Running, model: str) -> None:
    pictures = form(*(png(level, size) for level, size in zip(LEVELS, SIZES, strict=True)))
    record = system.answer(model, files=pictures, data={"max_detections": "1", "annotate": "true"})
    assert record["rows"] == 3
    found = record["result"]["detections"]
    assert [one["row"] for one in found] == [0, 1, 2]
    assert [one["score"] for one in found] == pytest.approx([level / 255 for level in LEVELS], abs=0.01)
    assert [one["box_pixels"] for one in found] == [[10, 15, 30, 45], [12, 8, 38, 22], [10, 15, 30, 45]]
    with system.http() as http:
        url = f"/v1/jobs/{record['id']}/result"
        for row, size in enumerate(SIZES):
            drawn = http.get(url, params={"row": row}, headers={"Accept": "image/png"})
            assert Image.open(io.BytesIO(drawn.content)).size == size
        assert http.get(url, headers={"Accept": "image/png"}).status_code == 400


def test_a_picture_of_several_that_is_cut_off_fails_its_job_with_a_sentence(system: Running) -> None:
    whole = png(200, (60, 40))
    record = system.answer("detector-tf2", files=form(whole, whole[: len(whole) // 2]))
    assert (record["status"], record["failure"]["type"]) == ("failed", "invalid_input")
    assert "damaged or cut off" in record["failure"]["message"]
