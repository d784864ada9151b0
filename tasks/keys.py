"""Every Redis key of ours: name, type, content, lifetime. Nothing else in the code spells one.

| function | type | content | lifetime |
|---|---|---|---|
| `job` | hash | one job's record, see `tasks.job` | `result_ttl_s` after its end, see `quarantine`; none before |
| `job_input` | string | the input payload, raw bytes | until the job ends, see `quarantine` |
| `job_result` | hash | the result, raw bytes by part, see `tasks.result` | as `job`, or until it is deleted |
| `idempotency` | string | the id of the job that came with an idempotency, see `tasks.job` | as `job` |
| `listing` | stream | ids of an owner's jobs in the order in which they were recorded | entry: as its `job` |
| `LISTED` | hash | owner -> from where the next trim of his listing looks | entry: as the listing |
| `unfinished` | zset | ids of a model's jobs that have not ended; score: submitted at, µs | entry: until the end |
| `running` | zset | ids of those at a worker; score: started at, µs | entry: until the end |
| `quarantine` | zset | ids of a model's poisoned jobs; score: when, µs | these, record and input: `quarantine_ttl_s` |
| `swept` | string | where the next look for lost jobs of a model begins: submitted at, µs | until all were looked at |
| `input_bytes` | string | bytes of the inputs of a model's jobs that have not ended | none |
| `DEADLINES` | zset | ids of queued jobs that expire; score: deadline, µs | entry: until it starts or ends |
| `KEEPER_LOCK` | string | who sweeps now | seconds |
| `finished` | hash | status -> number of jobs that ended so, since the store was made | none |
| `MODELS` | set | names of all models ever served or expected here | none |
| `model` | hash | `card`, `failure`, `gave_up`, `waits_for`, `memory_bytes`, see `tasks.model_registry` | none |
| `model_workers` | zset | a model's workers; score: last heartbeat, µs | entry: until the worker ends |
| `loads` | hash | version and worker -> fingerprint of what it began to load | entry: until that ends; a week |
| `EXPECTED` | set | models that the supervisor serves | none |
| `ENDED` | channel | for each job that ends, once: a line with its id and terminal status; many together | - |
| `PAUSED` | set | queues whose messages nobody takes | entry: until the queue is resumed |
| `LEASES` | zset | delivery tags of claimed messages; score: end of the claim, µs | entry: until acknowledged |
| `OWNERS` | hash | delivery tag -> token of the claim, length of the message, its list | entry: as in `LEASES` |
| `HOLDERS` | zset | holding lists of workers; score: until when, µs | entry: a minute longer |
| `held` | list | at most a few messages on their way from a list to the worker that waits for them | milliseconds |
| `UNREADABLE` | list | the latest 1,000 messages without a delivery tag, which no kombu wrote | none |

The lists and hashes of the queue itself (`model.<name>`, `unacked`, `_kombu.binding.…`) are kombu's; `tasks.queues` and
`tasks.message` name those that we write to as well.

Before all of them stands `CELERIAC_KEY_PREFIX`. It is the same for a process's whole life and for every client that it
makes, so it is read here, once, and not handed through everything that names a key. For kombu's own half celeryconfig
sets it as `global_keyprefix`, which goes before the same keys and, by PUBLISH and SUBSCRIBE, before channels
(`kombu/transport/redis.py`, `GlobalKeyPrefixMixin`, `PrefixedRedisPubSub`; read in 5.7.0).
"""

from __future__ import annotations

from tasks.settings import read_key_prefix

#: The operator's; before every key and channel, kombu's too.
SYSTEM_PREFIX = read_key_prefix()
#: Before those of ours.
PREFIX = SYSTEM_PREFIX + "celeriac:"

MODELS = PREFIX + "models"
EXPECTED = PREFIX + "expected"
DEADLINES = PREFIX + "deadlines"
LISTED = PREFIX + "listed"
ENDED = PREFIX + "ended"
KEEPER_LOCK = PREFIX + "keeper:lock"
PAUSED = PREFIX + "paused"
LEASES = PREFIX + "claims:leases"
OWNERS = PREFIX + "claims:owners"
HOLDERS = PREFIX + "claims:holders"
UNREADABLE = PREFIX + "claims:unreadable"

#: What follows a job's own key in those of its input and its result.
INPUT = ":input"
RESULT = ":result"

#: kombu's hash of messages that were taken and not acknowledged yet.
UNACKED = SYSTEM_PREFIX + "unacked"


def job(job_id: str) -> str:
    """The record of a job."""
    return f"{PREFIX}job:{job_id}"


def job_input(job_id: str) -> str:
    """The input payload of a job."""
    return job(job_id) + INPUT


def job_result(job_id: str) -> str:
    """The result of a job."""
    return job(job_id) + RESULT


def idempotency(digest: str) -> str:
    """The job that came with an idempotency."""
    return f"{PREFIX}idempotency:{digest}"


def listing(owner: str) -> str:
    """The ids of all jobs of an owner; an empty one: of those that came without an API key."""
    return f"{PREFIX}listing:{owner}"


def unfinished(model: str) -> str:
    """The ids of a model's jobs that have not ended."""
    return f"{PREFIX}model:{model}:unfinished"


def running(model: str) -> str:
    """The ids of a model's jobs that a worker has."""
    return f"{PREFIX}model:{model}:running"


def quarantine(model: str) -> str:
    """The ids of a model's jobs that are kept because their workers died of them."""
    return f"{PREFIX}model:{model}:quarantine"


def swept(model: str) -> str:
    """How far the keeper has come in looking for lost jobs of a model."""
    return f"{PREFIX}model:{model}:swept"


def input_bytes(model: str) -> str:
    """How many bytes the inputs have of a model's jobs that have not ended."""
    return f"{PREFIX}model:{model}:input_bytes"


def finished(model: str) -> str:
    """How many of a model's jobs ended in which status."""
    return f"{PREFIX}model:{model}:finished"


def model(name: str) -> str:
    """What the workers of a model say of it."""
    return f"{PREFIX}model:{name}"


def model_workers(name: str) -> str:
    """The workers of a model and when each was last heard of."""
    return f"{PREFIX}model:{name}:workers"


def loads(name: str) -> str:
    """Which versions of a model its workers have begun to load."""
    return f"{PREFIX}model:{name}:loads"


def held(owner: str, queue_list: str) -> str:
    """Where a message of a list lies between the list and its claim by a worker.

    `recover.lua` reads the list's name from behind the owner's, which is hexadecimal.
    """
    return f"{PREFIX}held:{owner}:{queue_list}"
