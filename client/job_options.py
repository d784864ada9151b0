"""What a job may be submitted with, beside its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict


class Options(TypedDict, total=False):
    """The fields of `JobOptions` as a method's keywords."""

    lane: str | None
    min_score: float | None
    max_detections: int | None
    annotate: bool
    expires_in_s: float | None
    tag: str | None
    signature: str | None
    callback_url: str | None


@dataclass(frozen=True)
class JobOptions:
    """What a job may be submitted with; None and False leave it to the server.

    Attributes:
        lane: "interactive" or "bulk".
        min_score: Detectors: the least score of a detection that is answered.
        max_detections: Detectors: the most detections of a picture that are answered.
        annotate: Detectors: also draw the boxes.
        expires_in_s: Not run later than this after its submission, in s.
        tag: A word of the client's own, kept with the job.
        signature: Which of the model's signatures to run, by name; None for its default one.
        callback_url: Where the server is to send the job's record once it has ended, signed.
    """

    lane: str | None = None
    min_score: float | None = None
    max_detections: int | None = None
    annotate: bool = False
    expires_in_s: float | None = None
    tag: str | None = None
    signature: str | None = None
    callback_url: str | None = None

    def to_query(self) -> dict[str, str]:
        """The options that are set, as query parameters."""
        values = {
            "lane": self.lane,
            "min_score": self.min_score,
            "max_detections": self.max_detections,
            "annotate": "true" if self.annotate else None,
            "expires_in_s": self.expires_in_s,
            "tag": self.tag,
            "signature": self.signature,
            "callback_url": self.callback_url,
        }
        return {name: str(value) for name, value in values.items() if value is not None}
