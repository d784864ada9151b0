"""API keys: who asks, and whose jobs he sees."""

from __future__ import annotations

from flask import Flask, g, request

from api.errors import Unauthorized
from api.services import services
from tasks.api_keys import KeyHashes, find_key
from tasks.errors import JobNotFound
from tasks.job import Job

#: What may be asked for without a key. Every other path needs one, also those that do not exist.
OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/openapi.json"})


def install_auth(app: Flask) -> None:
    """Ask for a key in every request that needs one, when there are keys."""
    app.before_request(_authenticate)


def owner() -> str:
    """The name of the key that the current request came with; empty without keys."""
    name: str = g.owner
    return name


def is_own(job: Job) -> bool:
    """Whether the current request may see the job."""
    return not services().settings.api_keys or job.owner == owner()


def check_owner(job: Job) -> Job:
    """The job itself, if the current request may see it.

    Raises:
        JobNotFound: it is another owner's, which is not said.
    """
    if not is_own(job):
        raise JobNotFound(f"There is no job {job.id}.")
    return job


def find_owner(hashes: KeyHashes, authorization: str, x_api_key: str) -> str | None:
    """The name of the key in a request's headers; None when there is none, or none of ours.

    Args:
        hashes: of the keys, by owner's name.
        authorization: the header `Authorization`, empty when absent.
        x_api_key: the header `X-API-Key`, empty when absent.
    """
    scheme, _, token = authorization.partition(" ")
    given = token.strip() if scheme.lower() == "bearer" else x_api_key
    # WSGI hands headers out as Latin-1.
    return find_key(hashes, given.encode("latin-1", "replace"))


def _authenticate() -> None:
    g.owner = ""
    hashes = services().settings.api_keys
    if not hashes or request.path in OPEN_PATHS:
        return
    name = find_owner(hashes, request.headers.get("Authorization", ""), request.headers.get("X-API-Key", ""))
    if name is None:
        raise Unauthorized("An API key is needed: send the header `Authorization: Bearer KEY`, or `X-API-Key: KEY`.")
    g.owner = name
