"""The option `--wait [S]`, whose number may be left out wherever it stands."""

from __future__ import annotations

import re
from collections.abc import Sequence

import click

_NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+")


class WaitCommand(click.Command):
    """A command with an option `--wait` that takes seconds, infinity when none are given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line: click alone would take the ID in `--wait ID` for the seconds."""
        return super().parse_args(ctx, fill_in_wait(args))


def fill_in_wait(args: Sequence[str]) -> list[str]:
    """The arguments, with each `--wait` that no number follows as `--wait=inf`."""
    followers = [*args[1:], ""]
    return [
        "--wait=inf" if arg == "--wait" and not _NUMBER.fullmatch(follower) else arg
        for arg, follower in zip(args, followers, strict=True)
    ]
