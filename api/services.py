"""What the endpoints work with; `create_app` puts it together, `services()` hands it out within a request."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from api.card_cache import CardCache
from api.drain_rates import DrainRates
from api.pauses import Pauses
from api.waiting import Waiters
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tasks.settings import Settings

_NAME = "celeriac"


@dataclass(frozen=True)
class Services:
    """One application's settings and its doors to Redis. `version` is Celeriac's own."""

    settings: Settings
    store: JobStore
    registry: ModelRegistry
    cards: CardCache
    waiters: Waiters
    rates: DrainRates
    pauses: Pauses
    version: str

    def install(self, app: Flask) -> None:
        """Let `services()` find these in requests to `app`."""
        app.extensions[_NAME] = self


def services() -> Services:
    """Those of the application that handles the current request."""
    return services_of(current_app)


def services_of(app: Flask) -> Services:
    """Those of an application."""
    installed: Services = app.extensions[_NAME]
    return installed
