"""The secrets of callbacks, and signatures by them, as Standard Webhooks has it; pure.

standardwebhooks/standard-webhooks, spec/standard-webhooks.md: the header `webhook-signature` holds `v1,` and the
base64 of HMAC-SHA256 over `id.timestamp.body`, one for each secret, separated by blanks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

#: Owner's name to the keys that sign what goes to him, the empty name to those of all others.
CallbackSecrets = Mapping[str, tuple[bytes, ...]]

_MARK = "whsec_"
#: The specification's bounds.
_LEAST_BYTES, _MOST_BYTES = 24, 64


def parse_secrets(text: str) -> CallbackSecrets:
    """The keys from `whsec_BASE64,name:whsec_BASE64`; one with a name is for that owner, a name may come again.

    Raises:
        ValueError: an entry is none; the sentence repeats nothing of the text.
    """
    found: dict[str, tuple[bytes, ...]] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, secret = entry.rpartition(":")
        found[name] = (*found.get(name, ()), _key(secret))
    return found


def secrets_of(secrets: CallbackSecrets, owner: str) -> tuple[bytes, ...]:
    """The keys that sign what goes to an owner: his own, or where he has none those of all; none: nothing is sent."""
    return secrets.get(owner) or secrets.get("", ())


def signatures(keys: tuple[bytes, ...], message_id: str, timestamp_s: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each key, so that a key can be replaced without a gap."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _key(secret: str) -> bytes:
    expected = (
        f"is expected as {_MARK}BASE64 or name:{_MARK}BASE64, comma-separated, of {_LEAST_BYTES} to {_MOST_BYTES}"
    )
    try:
        text = secret.removeprefix(_MARK).rstrip("=")
        # Whoever verifies takes them without their padding too.
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{expected} bytes each; an entry is no base64.") from None
    if not secret.startswith(_MARK) or not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ValueError(f"{expected} bytes each; an entry is not.")
    return key
