"""Pictures of every kind through a real worker: answered right, or refused with a sentence; the worker lives on."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.system import Running

GREY_200 = 200 / 255


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def score(system: Running, data: bytes, content_type: str) -> float:
    """The tiny detector's first score is the mean brightness of the picture."""
    record = system.answer(
        "detector-pb", content=data, headers={"Content-Type": content_type}, params={"min_score": "0"}
    )
    assert record["status"] == "succeeded", record
    return float(record["result"]["detections"][0]["score"])


@pytest.fixture(autouse=True)
def worker_lives_on(system: Running) -> Iterator[None]:
    before = worker_pid(system)
    yield
    assert worker_pid(system) == before


def worker_pid(system: Running) -> str:
    with system.http() as http:
        workers = http.get("/v1/models/detector-pb").json()["workers"]
    assert len(workers) == 1
    return str(system.redis().zrange("celeriac:model:detector-pb:workers", 0, -1))


def test_cmyk_is_answered_right(system: Running) -> None:
    data = saved(Image.new("RGB", (32, 32), (200, 200, 200)).convert("CMYK"), "JPEG", quality=95)
    assert score(system, data, "image/jpeg") == pytest.approx(GREY_200, abs=0.02)


def test_transparency_shows_white(system: Running) -> None:
    data = saved(Image.new("RGBA", (32, 32), (0, 0, 0, 0)), "PNG")
    assert score(system, data, "image/png") == pytest.approx(1.0)


def test_16_bits_are_scaled_not_clipped(system: Running) -> None:
    data = saved(Image.fromarray(np.full((32, 32), 200 * 257, "uint16")), "PNG")
    assert score(system, data, "image/png") == pytest.approx(GREY_200, abs=0.01)


def test_exif_rotation_is_applied(system: Running) -> None:
    image = Image.new("RGB", (60, 40), (200, 200, 200))
    exif = image.getexif()
    exif[0x0112] = 6
    data = saved(image, "JPEG", exif=exif)
    record = system.answer("detector-pb", content=data, headers={"Content-Type": "image/jpeg"})
    # 60 x 40 lies on its side: upright it is 40 wide and 60 high.
    assert record["result"]["detections"][0]["box_pixels"] == [15, 10, 45, 30]


def test_a_truncated_picture_fails_with_a_sentence(system: Running) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype("uint8")
    data = saved(Image.fromarray(noise), "JPEG")
    record = system.answer("detector-pb", content=data[: len(data) // 2], headers={"Content-Type": "image/jpeg"})
    assert (record["status"], record["failure"]["type"]) == ("failed", "invalid_input")
    assert "damaged or cut off" in record["failure"]["message"]


def test_what_is_no_picture_and_what_is_far_too_large_never_reach_the_worker(system: Running) -> None:
    with system.http() as http:
        url = "/v1/models/detector-pb/jobs"
        headers = {"Content-Type": "image/png"}
        no_picture = http.post(url, content=b"hello", headers=headers)
        large = http.post(url, content=saved(Image.new("1", (20_000, 10_000)), "PNG"), headers=headers)
    for refused in (no_picture, large):
        assert refused.status_code == 400, refused.text
    assert "no picture" in no_picture.json()["error"]["message"]
    assert "200000000 pixels" in large.json()["error"]["message"].replace(" ", " ")
