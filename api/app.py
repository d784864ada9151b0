"""The Flask application: the only place where the endpoints and what they work with are put together."""

from __future__ import annotations

import orjson
from flask import Flask, Response

from api import (
    callbacks,
    cancel_job,
    get_job,
    health,
    index,
    job_events,
    job_result,
    list_jobs,
    list_models,
    many_results,
    metrics,
    pause_model,
    query_jobs,
    submit_bulk,
    submit_job,
)
from api.auth import install_auth
from api.card_cache import CardCache
from api.drain_rates import DrainRates
from api.errors import install_error_answers
from api.pauses import Pauses
from api.request_body import MemoryRequest
from api.services import Services
from api.validation import MAX_PICTURES
from api.waiting import Waiters
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tasks.settings import Settings

ENDPOINTS = (
    submit_job,
    submit_bulk,
    get_job,
    cancel_job,
    job_events,
    job_result,
    query_jobs,
    list_jobs,
    many_results,
    callbacks,
    list_models,
    pause_model,
    health,
    metrics,
    index,
)

#: A form has pictures, and parameters of which there are fewer than 16, none of them long.
MAX_FORM_PARTS = MAX_PICTURES + 16
#: werkzeug also holds what it has read of a file against this: 65,536 bytes at once, and what was left before (3.1,
#: `MultipartDecoder.receive_data`). So with no more than those it refuses large pictures by chance.
MAX_FORM_TEXT_BYTES = 131_072


def create_app(settings: Settings, store: JobStore, registry: ModelRegistry) -> Flask:
    """The application. Importing this module starts nothing; neither does calling this."""
    app = Flask(__name__, static_folder=None)
    app.request_class = MemoryRequest
    # A doubled slash is an unknown URL, not a redirect to a page of HTML.
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["MAX_FORM_PARTS"] = MAX_FORM_PARTS
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_FORM_TEXT_BYTES
    # One thread stays for those who do not wait.
    waiters = Waiters(store, min(settings.max_waiters, settings.api_threads - 1))
    version = orjson.loads(index.OPENAPI.read_bytes())["info"]["version"]
    cards, rates, pauses = CardCache(registry), DrainRates(registry), Pauses(registry)
    Services(settings, store, registry, cards, waiters, rates, pauses, version).install(app)
    install_auth(app)
    install_error_answers(app)
    for endpoint in ENDPOINTS:
        app.register_blueprint(endpoint.routes)
    app.after_request(_forbid_caching)
    return app


def _forbid_caching(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response
