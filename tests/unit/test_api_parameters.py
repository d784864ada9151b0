from __future__ import annotations

from typing import Any

import pytest

from api.errors import InvalidParameter
from api.parameters import Parameters, check_parameters, read_parameters
from tasks.job import Lane


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], Parameters()),
        ([("lane", "bulk")], Parameters(lane=Lane.BULK)),
        ([("min_score", "0.25"), ("annotate", "true")], Parameters(min_score=0.25, annotate=True)),
        ([("min_score", 1), ("annotate", False)], Parameters(min_score=1.0)),
        ([("max_detections", "5"), ("max_detections", 5.0)], Parameters(max_detections=5)),
        ([("max_detections", 100_000)], Parameters(max_detections=100_000)),
        ([("annotate", "0")], Parameters()),
        ([("expires_in_s", "30"), ("tag", "night run")], Parameters(expires_in_s=30.0, tag="night run")),
        ([("expires_in_s", 0.5)], Parameters(expires_in_s=0.5)),
        ([("lane", "bulk"), ("lane", "bulk")], Parameters(lane=Lane.BULK)),
        ([("min_score", "0.50"), ("min_score", 0.5)], Parameters(min_score=0.5)),
        ([("tag", "x" * 64)], Parameters(tag="x" * 64)),
    ],
)
def test_parameters_are_read_from_text_and_from_json(given: list[tuple[str, Any]], expected: Parameters) -> None:
    assert read_parameters(given) == expected


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("lane", "fast", "interactive or bulk"),
        ("lane", ["bulk"], "interactive or bulk"),
        ("min_score", "1.01", "a number from 0 to 1"),
        ("min_score", -0.5, "a number from 0 to 1"),
        ("min_score", "nan", "a number from 0 to 1"),
        ("min_score", "high", "a number from 0 to 1"),
        ("min_score", True, "a number from 0 to 1"),
        ("min_score", None, "a number from 0 to 1"),
        ("max_detections", 0, "a whole number from 1 to 100000"),
        ("max_detections", "100001", "a whole number from 1 to 100000"),
        ("max_detections", 2.5, "a whole number from 1 to 100000"),
        ("max_detections", "inf", "a whole number from 1 to 100000"),
        ("max_detections", True, "a whole number from 1 to 100000"),
        ("max_detections", "all", "a whole number from 1 to 100000"),
        ("annotate", "maybe", "true or false"),
        ("annotate", 1, "true or false"),
        ("expires_in_s", "0", "a number of seconds above 0"),
        ("expires_in_s", -1, "a number of seconds above 0"),
        ("expires_in_s", "inf", "a number of seconds above 0"),
        ("tag", "x" * 65, "at most 64 printable characters"),
        ("tag", "a\nb", "at most 64 printable characters"),
        ("tag", 5, "at most 64 printable characters"),
    ],
)
def test_a_wrong_value_is_refused_naming_the_parameter_what_and_what_came(name: str, raw: Any, expected: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        read_parameters([(name, raw)])
    assert (caught.value.field, caught.value.expected) == (f"parameters.{name}", expected)
    assert caught.value.got == repr(raw)[:80]


def test_an_unknown_parameter_is_refused_naming_the_known_ones() -> None:
    with pytest.raises(
        InvalidParameter, match="lane, min_score, max_detections, annotate, expires_in_s, tag"
    ) as caught:
        read_parameters([("priority", "9")])
    assert caught.value.field == "parameters.priority"


def test_one_name_with_two_values_is_refused_wherever_they_stood() -> None:
    with pytest.raises(InvalidParameter) as caught:
        read_parameters([("tag", "a"), ("lane", "bulk"), ("tag", "b")])
    assert (caught.value.field, caught.value.expected) == ("parameters.tag", "one value")


def test_only_detectors_know_scores_and_drawings() -> None:
    check_parameters(Parameters(min_score=0.0, annotate=True), is_detector=True, is_picture=True)
    with pytest.raises(InvalidParameter, match="no detector") as caught:
        check_parameters(Parameters(annotate=True), is_detector=False, is_picture=True)
    assert caught.value.field == "parameters.annotate"
    with pytest.raises(InvalidParameter, match="no detector") as caught:
        check_parameters(Parameters(min_score=0.0), is_detector=False, is_picture=True)
    assert caught.value.field == "parameters.min_score"
    with pytest.raises(InvalidParameter, match="no detector") as caught:
        check_parameters(Parameters(max_detections=1), is_detector=False, is_picture=False)
    assert caught.value.field == "parameters.max_detections"


def test_drawing_needs_a_picture() -> None:
    check_parameters(Parameters(min_score=0.5), is_detector=True, is_picture=False)
    with pytest.raises(InvalidParameter, match="a picture as input") as caught:
        check_parameters(Parameters(annotate=True), is_detector=True, is_picture=False)
    assert caught.value.field == "parameters.annotate"
