"""The parameter `callback_url` of a submission: refused at once where it could never be called."""

from __future__ import annotations

from api.errors import InvalidParameter
from tasks.callbacks.signing import secrets_of
from tasks.callbacks.url import UrlRefused, parse_url
from tasks.settings import Settings

FIELD = "parameters.callback_url"


def check_callback_url(url: str, owner: str, settings: Settings) -> None:
    """Refuse a URL that no callback may go to. An empty one is none. Asks nobody.

    Raises:
        InvalidParameter: no URL, one that is not allowed here, or there are no callbacks here. It repeats nothing of
            the URL, which may hold secrets.
    """
    if not url:
        return
    if not secrets_of(settings.callback_secrets, owner):
        expected = "none, since the operator has set no secret for it in CELERIAC_CALLBACK_SECRETS"
        raise InvalidParameter(FIELD, expected, "one")
    try:
        settings.callback_allow.check(parse_url(url))
    except UrlRefused as refused:
        expected = "an https URL of a public host, or of one in CELERIAC_CALLBACK_ALLOW, without credentials"
        raise InvalidParameter(FIELD, expected, str(refused)) from None
