from __future__ import annotations

import pytest
import redis

from api import card_cache
from api.card_cache import CardCache
from api.errors import ModelNotReady
from tasks.errors import ModelUnknown
from tasks.model_registry import ModelRegistry
from tests.http_api import WORKER, card, until


@pytest.fixture
def cards(registry: ModelRegistry) -> CardCache:
    return CardCache(registry)


def test_a_card_is_read_once_and_seen_anew_when_it_has_changed(
    cards: CardCache, registry: ModelRegistry, client: redis.Redis
) -> None:
    registry.publish_ready(card("digits"), WORKER)
    first = cards.get("digits")
    before = client.info("commandstats")["cmdstat_hgetall"]["calls"]
    assert cards.get("digits") is first
    assert client.info("commandstats")["cmdstat_hgetall"]["calls"] == before
    registry.publish_ready(card("digits", version=2), WORKER)
    until(lambda: cards.get("digits").default.version == 2, card_cache.KEEP_S + 1)


def test_what_is_no_card_is_asked_for_again_each_time(cards: CardCache, registry: ModelRegistry) -> None:
    with pytest.raises(ModelUnknown):
        cards.get("digits")
    registry.expect(["digits"])
    with pytest.raises(ModelNotReady):
        cards.get("digits")
    registry.publish_ready(card("digits"), WORKER)
    assert cards.get("digits").default.version == 1


def test_a_model_that_is_forgotten_is_unknown_again(
    cards: CardCache, registry: ModelRegistry, client: redis.Redis
) -> None:
    registry.publish_ready(card("digits"), WORKER)
    cards.get("digits")
    client.flushall()

    def is_unknown() -> bool:
        try:
            cards.get("digits")
        except ModelUnknown:
            return True
        return False

    assert until(is_unknown, card_cache.KEEP_S + 1)


def test_there_are_never_more_cards_than_the_bound(
    cards: CardCache, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card_cache, "MAX_CARDS", 3)
    names = [f"model-{index}" for index in range(8)]
    for name in names:
        registry.publish_ready(card(name), WORKER)
        assert cards.get(name).name == name
        assert len(cards._kept) <= 3
