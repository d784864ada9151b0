"""What a client may say about its job beside the input. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from api.errors import InvalidParameter
from model_store.spec import MOST_DETECTIONS
from tasks.job import Lane

MAX_TAG_CHARACTERS = 64
#: TensorFlow sets no limit; names of this length have never been seen.
MAX_SIGNATURE_CHARACTERS = 200


@dataclass(frozen=True)
class Parameters:
    """A job's parameters; None: not given."""

    lane: Lane = Lane.INTERACTIVE
    min_score: float | None = None
    max_detections: int | None = None
    annotate: bool = False
    expires_in_s: float | None = None
    tag: str = ""
    signature: str = ""
    callback_url: str = field(default="", repr=False)

    def with_deadline(self, max_queue_age_s: int) -> Parameters:
        """These, and where the client has set no deadline the operator's; 0 is none."""
        return replace(self, expires_in_s=self.expires_in_s or max_queue_age_s or None)


def read_parameters(given: Iterable[tuple[str, Any]]) -> Parameters:
    """The parameters from names and values, wherever in the request they stood.

    Args:
        given: values are text from a query or a form, or what a JSON object held.

    Raises:
        InvalidParameter: an unknown name, a wrong value, or two values for one name.
    """
    values: dict[str, Any] = {}
    for name, raw in given:
        value = _read(name, raw)
        if values.setdefault(name, value) != value:
            raise InvalidParameter(f"parameters.{name}", "one value", "different values in one request")
    return Parameters(**values)


def check_parameters(parameters: Parameters, is_detector: bool, is_picture: bool) -> None:
    """Refuse parameters that mean nothing for this model or this input.

    Raises:
        InvalidParameter: one that only detectors have, or `annotate` without a picture to draw on.
    """
    if not is_detector:
        if parameters.annotate:
            raise InvalidParameter("parameters.annotate", "no such parameter: the model is no detector", "true")
        for name in ("min_score", "max_detections"):
            if (got := getattr(parameters, name)) is not None:
                raise InvalidParameter(f"parameters.{name}", "no such parameter: the model is no detector", str(got))
    if parameters.annotate and not is_picture:
        raise InvalidParameter("parameters.annotate", "a picture as input, to draw on", "an array")


def _read(name: str, raw: Any) -> Any:
    if name not in _READERS:
        known = ", ".join(_READERS)
        raise InvalidParameter(f"parameters.{name[:40]}", f"one of the parameters {known}", "an unknown name")
    expected, read = _READERS[name]
    try:
        return read(raw)
    except (ValueError, TypeError, KeyError):
        raise InvalidParameter(f"parameters.{name}", expected, repr(raw)[:80]) from None


def _lane(raw: Any) -> Lane:
    return Lane(raw)


def _score(raw: Any) -> float:
    score = _number(raw)
    if not 0 <= score <= 1:
        raise ValueError
    return score


def _most(raw: Any) -> int:
    most = _number(raw)
    if not most.is_integer() or not 1 <= most <= MOST_DETECTIONS:
        raise ValueError
    return int(most)


def _annotate(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    return {"true": True, "1": True, "false": False, "0": False}[_text(raw).lower()]


def _seconds(raw: Any) -> float:
    seconds = _number(raw)
    if seconds <= 0:
        raise ValueError
    return seconds


def _tag(raw: Any) -> str:
    tag = _text(raw)
    if len(tag) > MAX_TAG_CHARACTERS or not tag.isprintable():
        raise ValueError
    return tag


def _signature(raw: Any) -> str:
    name = _text(raw)
    if not 0 < len(name) <= MAX_SIGNATURE_CHARACTERS:
        raise ValueError
    return name


def _number(raw: Any) -> float:
    if isinstance(raw, bool):
        raise TypeError
    number = float(raw)
    if not math.isfinite(number):
        raise ValueError
    return number


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise TypeError
    return raw


_READERS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "lane": (" or ".join(Lane), _lane),
    "min_score": ("a number from 0 to 1", _score),
    "max_detections": (f"a whole number from 1 to {MOST_DETECTIONS}", _most),
    "annotate": ("true or false", _annotate),
    "expires_in_s": ("a number of seconds above 0", _seconds),
    "tag": (f"at most {MAX_TAG_CHARACTERS} printable characters", _tag),
    "callback_url": ("a URL", _text),
    "signature": (f"a name of 1 to {MAX_SIGNATURE_CHARACTERS} characters", _signature),
}
