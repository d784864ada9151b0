"""What a run came to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

EXIT_ALL = 0
EXIT_STOPPED = 1
EXIT_SOME_FAILED = 2


@dataclass(frozen=True)
class Summary:
    """A run when its process ends.

    Attributes:
        model: The model's name.
        version: The version that the rows got.
        output: Where the answers are.
        errors: Where the rows without an answer are; None: each has one.
        total: How many rows the input has; None: not known.
        done: Rows in the output.
        failed: Rows in the error file.
        found: How many of both an earlier process had written.
        seconds: How long this one took.
        stopped: Why it ended before the last row; None: it did not.
    """

    model: str
    version: int
    output: Path
    errors: Path | None
    total: int | None
    done: int
    failed: int
    found: int
    seconds: float
    stopped: str | None

    @property
    def exit_code(self) -> int:
        """0: all rows are answered; 2: some failed; 1: the run is not over."""
        if self.stopped is not None:
            return EXIT_STOPPED
        return EXIT_SOME_FAILED if self.failed else EXIT_ALL

    def to_json(self) -> dict[str, Any]:
        """The same for programs."""
        told = asdict(self) | {"output": str(self.output), "errors": self.errors and str(self.errors)}
        return {**told, "seconds": round(self.seconds, 3), "exit_code": self.exit_code}

    def to_text(self) -> str:
        """The same for people."""
        settled = self.done + self.failed - self.found
        rate = f"{settled:,} rows in {duration(self.seconds)}, {settled / max(self.seconds, 1e-3):,.0f} rows/s"
        lines = [f"{self.done:,} rows answered: {self.output}"]
        if self.failed:
            lines.append(f"{self.failed:,} rows failed: {self.errors}")
        if self.found:
            lines.append(f"{self.found:,} of them were there before; now {rate}.")
        elif settled:
            lines.append(f"{rate}.")
        return "\n".join(lines)


def duration(seconds: float) -> str:
    """Seconds as people say them: `12.3 s`, `4:05 min`, `2:04:05 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
