"""Which sample models there are, and the model.toml of each; nothing here is slow to import."""

from __future__ import annotations

from dataclasses import dataclass

DIGITS_TOML = """\
# Scikit-learn's digits: rows of 8 x 8 grey levels, float32 from 0 (paper) to 16 (ink); the model scales them itself.
kind = "classifier"
labels = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
"""

# The order of the labels and the preprocessing are those of FER in fer/fer.py of the package: the face that was cut
# out, in grey, resized to 64 x 64, from -1 to 1.
EMOTIONS_TOML = """\
kind = "classifier"
labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]

[image]
mode = "grey"
resize = [64, 64]
scale = [-1.0, 1.0]
"""

# The class number is that of hand_detection_v7/data/hand_label_map.pbtxt in the package.
HANDS_TOML = """\
kind = "detector"
labels = { 1 = "hand" }

[image]
mode = "rgb"
"""


@dataclass(frozen=True)
class Sample:
    """One sample model, kept as version 1 of its name.

    Attributes:
        name: The model's name in the store.
        model_toml: What its model.toml says when it is made.
        revision: Raised when the model itself is to be made differently, so that older copies are made again.
    """

    name: str
    model_toml: str
    revision: int = 1


SAMPLES = (
    Sample("digits-h5", DIGITS_TOML),
    Sample("digits-pb", DIGITS_TOML),
    Sample("emotions", EMOTIONS_TOML),
    Sample("hands", HANDS_TOML),
    Sample("hands-savedmodel", HANDS_TOML),
)
