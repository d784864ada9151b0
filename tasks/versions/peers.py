"""What the other workers of a model mean for the versions of this one; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tasks.model_registry import LiveWorker


def rely_on(peers: Iterable[LiveWorker], number: int, served: Collection[int]) -> bool:
    """Whether dropping a version would leave a worker without any that this one has too.

    Args:
        peers: the model's workers; this one among them changes nothing.
        number: the version.
        served: those that this worker goes on serving.
    """
    return any(number in peer.versions and not set(peer.versions) & set(served) for peer in peers)
