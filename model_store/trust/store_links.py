"""Symbolic links of a model store, which may lead anywhere within the store and nowhere else.

A worker reads what lies behind a link as a part of the model, and models come from archives and other machines.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from model_store.errors import LoadError, Untrusted


def refuse_links_outside(folder: Path, root: Path) -> None:
    """Check where a version folder and all in it lie.

    Args:
        folder: The version folder.
        root: The store. It may itself be a link: its place is the operator's choice.

    Raises:
        Untrusted: Something lies outside the store.
        LoadError: The folder cannot be read, or holds a pipe or a device, which could be waited for without end.
    """
    try:
        outside = next(_linked(folder, root.resolve()), None)
    # Python 3.11 tells a link in a circle by a RuntimeError.
    except (OSError, RuntimeError) as error:
        raise LoadError(f"{folder} cannot be looked through: {error}.") from None
    if outside is not None:
        raise Untrusted(
            f"{outside} is refused, as it leads out of the model store to {outside.resolve()}. Copy that into "
            f"the store; only {root} itself may be a link to elsewhere."
        )


def _linked(folder: Path, root: Path) -> Iterator[Path]:
    """What lies outside of `root`: the folder, or entries of it and of the folders in it, also of linked ones."""
    seen = set()
    waiting = [folder]
    while waiting:
        entry = waiting.pop()
        place = entry.resolve()
        if not place.is_relative_to(root):
            yield entry
        elif place not in seen and entry.is_dir():
            seen.add(place)
            waiting.extend(entry.iterdir())
        elif entry.exists() and not entry.is_file() and not entry.is_dir():
            raise LoadError(f"{entry} is neither a file nor a folder, so it is no part of a model: take it away.")
