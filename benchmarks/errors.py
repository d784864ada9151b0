"""What can go wrong while measuring."""

from __future__ import annotations


class BenchmarkError(Exception):
    """A measurement cannot be made; the sentence says why and what to do."""
