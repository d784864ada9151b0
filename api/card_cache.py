"""The cards of models, kept for a moment, so that not every request reads Redis and parses signatures."""

from __future__ import annotations

import time

from api.model_versions import ModelVersions, read_versions
from tasks.model_registry import ModelRegistry

#: A card that has changed is seen after this long at the latest.
KEEP_S = 1.0

#: Of more models than this the cards are read anew now and then; a card takes some KB.
MAX_CARDS = 256


class CardCache:
    """The cards of models that were ready. Safe to share between threads; two may read the same card at once."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._kept: dict[str, tuple[float, ModelVersions]] = {}

    def get(self, name: str, keep_s: float = KEEP_S) -> ModelVersions:
        """A model's versions. What has no card is not kept: a model can be used as soon as it is ready.

        Args:
            name: the model.
            keep_s: how old they may be.

        Raises:
            ModelUnknown: nobody ever served or expected it.
            ModelNotReady: none of its workers was ever ready.
        """
        # Before Redis is asked, so that the answer is never older than it is said to be.
        now_s = time.monotonic()
        read_at_s, versions = self._kept.get(name, (0.0, None))
        if versions is None or now_s - read_at_s >= keep_s:
            versions = read_versions(self._registry.get(name))
            if len(self._kept) >= MAX_CARDS:
                self._kept.clear()
            self._kept[name] = (now_s, versions)
        return versions
