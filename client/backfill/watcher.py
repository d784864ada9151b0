"""Looking at the model while a run goes on: how much waits for it, and what has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from client.async_celeriac import AsyncCeleriac
from client.backfill.order import Order
from client.backfill.tally import Tally
from client.backfill.tuner import Tuner

_EVERY_S = 2.0


class Watcher:
    """Tells the tally how much waits, and the user what changes.

    Args:
        tell: Says a sentence to the user.
    """

    def __init__(
        self, client: AsyncCeleriac, order: Order, tally: Tally, tuner: Tuner, tell: Callable[[str], None]
    ) -> None:
        self._client = client
        self._order = order
        self._tally = tally
        self._tuner = tuner
        self._tell = tell
        self._said: tuple[str, ...] = ()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            card = await self._client.model(self._order.model)
            self._tally.queued = int(card.get("queued") or 0)
            self._tally.rows_per_job = self._order.fixed_rows or self._tuner.rows
            sentences = tuple(what_is_notable(card, self._order.version))
            for sentence in sentences:
                if sentence not in self._said:
                    self._tell(sentence)
            self._said = sentences
            await asyncio.sleep(_EVERY_S)


def what_is_notable(card: Mapping[str, Any], version: int) -> list[str]:
    """What a user should know of the model, sentences.

    Args:
        card: The model as the server tells it.
        version: The one that the run gets.
    """
    found = []
    if card.get("paused"):
        found.append("The model is paused; rows wait until it is resumed.")
    elif not card.get("workers"):
        found.append("The model has no worker now; rows wait until it has one.")
    if card.get("version") not in (version, None):
        found.append(
            f"The model's version is {card['version']} now. This run goes on with version {version}, as it began."
        )
    return found
