from __future__ import annotations

import base64
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tasks.callbacks.message import callback_body, callback_headers
from tasks.callbacks.signing import parse_secrets, secrets_of
from tasks.job import Job, Status, new_job_id

OLD, NEW, ANNS = ("whsec_" + base64.b64encode(bytes([number]) * 24).decode() for number in range(3))

JOB = Job(id=new_job_id(), model="digits", version=1, status=Status.FAILED, finished_at_us=1_800_000_000_123_456,
          failure_type="poisoned", failure_message="It\u2028broke 💥")  # fmt: skip


def sent(secrets: str, owner: str = "") -> tuple[bytes, dict[str, str]]:
    body = callback_body(JOB, {})
    return body, dict(callback_headers(JOB.id, int(time.time()), body, secrets_of(parse_secrets(secrets), owner)))


def test_the_receivers_library_takes_the_signature_and_finds_type_timestamp_and_data() -> None:
    happened = Webhook(NEW).verify(*sent(NEW))
    assert happened["type"] == "job.failed"
    assert happened["timestamp"] == "2027-01-15T08:00:00.123456Z"
    assert happened["data"]["id"] == JOB.id
    assert happened["data"]["failure"] == {"type": "poisoned", "message": "It\u2028broke 💥"}
    assert happened["data"]["result"] is None


def test_while_a_secret_is_replaced_the_old_and_the_new_one_sign_side_by_side() -> None:
    body, headers = sent(f"{OLD},{NEW}")
    for secret in (OLD, NEW):
        Webhook(secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError, match="No matching"):
        Webhook(ANNS).verify(body, headers)


def test_what_goes_to_an_owner_with_a_secret_of_his_own_is_signed_by_that_alone() -> None:
    secrets = f"{NEW}, ann:{ANNS}"
    Webhook(ANNS).verify(*sent(secrets, "ann"))
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(*sent(secrets, "ann"))
    Webhook(NEW).verify(*sent(secrets, "bob"))
    assert secrets_of(parse_secrets(f"ann:{ANNS}"), "bob") == ()


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp"])
def test_the_signature_covers_id_time_and_body(changed: str) -> None:
    body, headers = sent(NEW)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(body, headers | {changed: headers[changed][:-1] + "x"})


def test_a_secret_without_its_padding_is_the_same_one() -> None:
    padded = "whsec_" + base64.b64encode(bytes(25)).decode()
    assert parse_secrets(padded) == parse_secrets(padded.rstrip("="))


@pytest.mark.parametrize(
    "text",
    [
        *("whsec_", "whsec_" + "A" * 30, "whsec_" + "A" * 100, "A" * 32, "ann:" + "A" * 32),
        *("whsec_" + "*" * 32, "whsec_ä", f"{NEW}x"),
    ],
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="whsec_BASE64") as refusal:
        parse_secrets(f"{OLD},{text}")
    assert "AAA" not in str(refusal.value) and "***" not in str(refusal.value)
