"""What stands under the help of each command."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """Command lines, as the epilog of a command."""
    # The first line keeps click from filling the others into a paragraph.
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
