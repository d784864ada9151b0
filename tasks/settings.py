"""Every setting: its name in the environment, default, unit and range. The only reader of the environment.

`docs/settings.md` lists the same table; a test holds it to this file.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.api_keys import KeyHashes
from tasks.callbacks.receivers import Receivers
from tasks.callbacks.signing import CallbackSecrets
from tasks.setting import Description, parse_setting, secret, setting

#: As in the examples of Redis's documentation.
DEFAULT_MASTER = "mymaster"
#: 30 days.
QUARANTINE_TTL_S = 2_592_000


@dataclass(frozen=True)
class Settings:
    """One process's settings. `None` and the empty string mean "not set"."""

    redis_url: str = secret("REDIS_URL", "", "broker and job store, see redis.md; empty: the embedded server")
    sentinel_master: str = setting(
        "CELERIAC_SENTINEL_MASTER",
        DEFAULT_MASTER,
        "the name under which the sentinels of `sentinel://` know the server",
    )
    key_prefix: str = setting(
        "CELERIAC_KEY_PREFIX",
        "",
        "stands before every key and channel in Redis, so that several systems can share a database; "
        "letters, digits and `:._-`",
    )
    port: int = setting("PORT", 8000, "the API's port", 1, 65_535)
    host: str = setting("CELERIAC_HOST", "127.0.0.1", "the API's address; anything but loopback needs API keys")
    model_store: Path = setting("CELERIAC_MODEL_STORE", Path("models"), "folder of models")
    var: Path = setting("CELERIAC_VAR", Path("var"), "the embedded server's data, port and password; logs, pid files")
    broker_memory_mb: int | None = setting(
        "CELERIAC_BROKER_MEMORY_MB",
        None,
        "most memory for the embedded server's data, in MB; empty: half of the machine's or the container's",
        16,
        16_777_216,
    )
    memory_limit_mb: int | None = setting(
        "CELERIAC_MEMORY_LIMIT_MB",
        None,
        "most memory for all workers of `celeriac up` together, in MB, see models.md; empty: 60 % of the machine's or "
        "the container's, 80 % without the embedded server",
        64,
        16_777_216,
    )
    idle_evict_s: int | None = setting(
        "CELERIAC_IDLE_EVICT_S",
        None,
        "a worker without a job for this many seconds ends until the next one comes; "
        "empty: only when others need its memory",
        1,
        31_536_000,
    )
    flower_host: str = setting(
        "CELERIAC_FLOWER_HOST",
        "127.0.0.1",
        "Flower's address; anything but loopback needs a user and a password",
    )
    flower_port: int = setting("CELERIAC_FLOWER_PORT", 5555, "Flower's port", 1, 65_535)
    flower_basic_auth: str = secret(
        "CELERIAC_FLOWER_BASIC_AUTH", "", "`user:password` that Flower asks for; empty: none, loopback only"
    )
    api_keys: KeyHashes = secret(
        "CELERIAC_API_KEYS",
        None,
        "comma-separated `name:key` or `name:sha256:HEX`, see http.md; empty: no keys, loopback only",
    )
    api_processes: int = setting("CELERIAC_API_PROCESSES", 2, "processes that answer HTTP requests", 1, 64)
    api_threads: int = setting(
        "CELERIAC_API_THREADS", 128, "threads that answer HTTP requests, in each of these processes", 2, 1024
    )
    max_waiters: int = setting(
        "CELERIAC_MAX_WAITERS",
        112,
        "requests that wait for a job at once, in each of these processes; one more is answered at once",
        0,
        1024,
    )
    max_body_bytes: int = setting(
        "CELERIAC_MAX_BODY_BYTES",
        67_108_864,
        "largest request body, and largest input once unpacked, in bytes",
        1024,
        536_870_912,
    )
    max_image_pixels: int = setting(
        "CELERIAC_MAX_IMAGE_PIXELS",
        50_000_000,
        "largest picture, and all pictures of one job together, in pixels, judged before they are decoded",
        1,
        1_000_000_000,
    )
    max_queued_jobs: int = setting(
        "CELERIAC_MAX_QUEUED_JOBS",
        100_000,
        "most jobs of one model that wait; one more is answered with 429",
        1,
        1_000_000_000,
    )
    max_queued_bytes: int = setting(
        "CELERIAC_MAX_QUEUED_BYTES",
        2_147_483_648,
        "most bytes of the inputs of one model's jobs that have not ended; one more job is answered with 429",
        1_048_576,
        1_099_511_627_776,
    )
    max_memory_percent: int = setting(
        "CELERIAC_MAX_MEMORY_PERCENT",
        80,
        "how much of its `maxmemory` the server may use before jobs are answered with 429, in percent; "
        "without `maxmemory` it is not looked at, see redis.md",
        1,
        100,
    )
    result_ttl_s: int = setting(
        "CELERIAC_RESULT_TTL_S",
        86_400,
        "how long a finished job and its result are kept, in seconds",
        1,
        31_536_000,
    )
    max_queue_age_s: int = setting(
        "CELERIAC_MAX_QUEUE_AGE_S",
        604_800,
        "a job that has not begun so many seconds after its submission expires, unless it has its own `expires_in_s`; "
        "0: never",
        0,
        31_536_000,
    )
    quarantine_ttl_s: int = setting(
        "CELERIAC_QUARANTINE_TTL_S",
        QUARANTINE_TTL_S,
        "how long a job whose workers died of it is kept, with its input, in seconds",
        1,
        31_536_000,
    )
    callback_secrets: CallbackSecrets = secret(
        "CELERIAC_CALLBACK_SECRETS",
        None,
        "comma-separated `whsec_BASE64` or `name:whsec_BASE64`, which sign callbacks, see callbacks.md; empty: no "
        "callbacks",
    )
    callback_allow: Receivers = setting(
        "CELERIAC_CALLBACK_ALLOW",
        None,
        "comma-separated networks and hosts of one's own to which callbacks may go, by http too, see callbacks.md; "
        "empty: to public addresses alone, by https",
    )
    callback_attempts: int = setting(
        "CELERIAC_CALLBACK_ATTEMPTS", 9, "attempts after which a callback is given up", 1, 1000
    )
    callback_retry_s: int = setting(
        "CELERIAC_CALLBACK_RETRY_S",
        5,
        "from a callback's first attempt to its second, in seconds; each pause is four times the one before, up to "
        "four hours",
        1,
        14_400,
    )
    callback_timeout_s: int = setting(
        "CELERIAC_CALLBACK_TIMEOUT_S", 15, "how long an attempt of a callback may take, in seconds", 1, 300
    )
    callback_threads: int = setting(
        "CELERIAC_CALLBACK_THREADS",
        32,
        "attempts of callbacks at once, where `celeriac up` starts their worker; a quarter of them to one host",
        1,
        512,
    )
    version_poll_s: int = setting(
        "CELERIAC_VERSION_POLL_S",
        3,
        "how often a worker looks for new versions of its model, in seconds",
        1,
        3600,
    )
    lease_s: int = setting(
        "CELERIAC_LEASE_S",
        15,
        "a worker that has not been heard of for this many seconds loses its jobs to another",
        3,
        3600,
    )
    run_timeout_s: int = setting(
        "CELERIAC_RUN_TIMEOUT_S",
        300,
        "a worker whose model takes longer for one call ends, in seconds; `run_timeout_s` in model.toml goes before",
        1,
        604_800,
    )
    bulk_patience_s: int = setting(
        "CELERIAC_BULK_PATIENCE_S",
        30,
        "bulk jobs are held up by interactive ones no longer than this many seconds; then a batch of them runs",
        1,
        86_400,
    )
    parallel_batches: int = setting(
        "CELERIAC_PARALLEL_BATCHES",
        2,
        "batches that a worker gives to its model at once, which share the cores; "
        "1 needs less memory, is faster for a lone job and slower under load",
        1,
        8,
    )
    decode_threads: int = setting(
        "CELERIAC_DECODE_THREADS", 2, "threads of a worker that decode pictures and large arrays", 1, 64
    )
    tuning_limit_s: int = setting(
        "CELERIAC_TUNING_LIMIT_S",
        5,
        "how long the first start of a model may look for the fastest way to run it, in seconds, see models.md; "
        "0: it is run as it is, unless `celeriac tune` has found out",
        0,
        86_400,
    )
    task_events: int = setting(
        "CELERIAC_TASK_EVENTS",
        1,
        "1: workers tell Flower of each job; 0: they do not, and Flower sees the workers alone",
        0,
        1,
    )
    start_attempts: int = setting(
        "CELERIAC_START_ATTEMPTS", 3, "failed starts in a row after which a process is given up", 1, 100
    )
    stop_grace_s: int = setting(
        "CELERIAC_STOP_GRACE_S",
        30,
        "how long a worker may finish the job in hand when stopped, in seconds",
        1,
        3600,
    )
    gpu: int | None = setting(
        "CELERIAC_GPU",
        None,
        "index of the one GPU that a worker sees; empty: as CELERIAC_GPU_TURN says, if there is one",
        0,
        63,
    )
    gpu_turn: int = setting(
        "CELERIAC_GPU_TURN",
        0,
        "where no GPU is named, a worker takes this one of them, counted on from the first after the last; "
        "`celeriac up` numbers its workers with it",
        0,
        4096,
    )
    gpu_memory_limit_mb: int | None = setting(
        "CELERIAC_GPU_MEMORY_LIMIT_MB",
        None,
        "most GPU memory of a worker, in MB; empty: grows as needed",
        64,
        1_048_576,
    )


def describe() -> list[tuple[Description, Any]]:
    """Each setting's description and default, in the order of this file."""
    return [(f.metadata["description"], f.default) for f in dataclasses.fields(Settings)]


def read_key_prefix() -> str:
    """`CELERIAC_KEY_PREFIX` as it stands in this process's environment.

    For `tasks.keys`, whose names are made at import, when nobody can catch an error: `read_settings` refuses a bad one.
    """
    return os.environ.get("CELERIAC_KEY_PREFIX", "").strip()


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment (default: this process's).

    Raises:
        SettingsError: a value cannot be used; the sentence names the setting, what was expected, what came.
    """
    source = os.environ if environ is None else environ
    values: dict[str, Any] = {"api_keys": {}, "callback_secrets": {}, "callback_allow": Receivers()}
    for f in dataclasses.fields(Settings):
        description: Description = f.metadata["description"]
        text = source.get(description.name, "").strip()
        if text:
            values[f.name] = parse_setting(description, text, str(f.type))
    return Settings(**values)
