"""What can go wrong while samples are made."""

from __future__ import annotations


class SampleError(Exception):
    """A sample cannot be made; the text is a sentence or two saying what was expected and what to do."""
