"""The inner parts of kombu and Celery that Celeriac leans on: neither documents them, so a new version may change them.

Read in kombu 5.7.0 and celery 5.7.0. `READ` holds a digest of the source of each; tests/contracts/test_internals.py
fails when the installed one differs. Then read what changed, see that the reason below still holds, run the tests of
the module that leans on it, and put the new digest and version here (`python -m tasks.internals` prints all digests).

| what | who leans on it | why |
|---|---|---|
| `kombu.transport.redis.Channel`: `_q_for_pri`, `_create_client`, `pool`, `active_queues`, `handlers`, `close`, `conn_or_acquire`, `_on_connection_disconnect`, `_queue_bind`, `unacked_key`, `unacked_index_key`, `from_transport_options` | tasks.transport.channel | names of lists and keys; a connection that tells when it ends; one client for all publishes; consuming needs no binding |
| `kombu.transport.redis.SentinelChannel` | tasks.transport.channel | its pool asks the sentinels |
| `kombu.transport.redis.QoS` and `kombu.transport.virtual.base.QoS`: `append`, `ack`, `reject`, `restore_…`, `_quick_append`, `_delivered` | tasks.transport.qos | a claim is recorded before it arrives, and is not restored with a channel |
| `kombu.transport.redis.MultiChannelPoller`: `_channels`, `_fd_to_chan`, `_chan_to_sock`, `_register`, `_register_LISTEN`, `on_poll_start`, `on_readable` | tasks.transport.poller | the loop listens on our waits, and on control commands as before |
| `kombu.transport.redis.Transport.__init__`, `register_with_event_loop` | tasks.transport.transport | where the poller is made and put on the loop |
| `kombu.transport.virtual.base.Transport._deliver` and `Channel.basic_consume` | tasks.transport.channel | hand a message to its consumer; the message is among the delivered ones once it could be read |
| `kombu.asynchronous.hub.Hub.call_soon`, `_pop_ready` | tasks.batching.notices, tasks.batching.drain | threads wake the loop; what is left to it at its end |
| `celery.worker.strategy.default` | tasks.batching.strategy | what a strategy owes Celery before a pool takes over |
| `celery.worker.request.Request` | tasks.batching.announce, tasks.batching.strategy | `on_accepted`, `on_success`, `revoked`, `_already_revoked`, `acknowledge`, `reject`, `send_event` and their events |
| `celery.worker.state.task_reserved`, `task_ready` | tasks.batching.announce | `inspect reserved` and `active` |
| `celery.worker.loops.asynloop` | tasks.batching.drain, tasks.transport.transport | timers that were added for a connection end with it |
| `celery.worker.consumer.consumer.Consumer.on_close`, `create_task_handler` | tasks.batching.strategy | what a reconnect forgets; how a message reaches its strategy |
| `celery.worker.consumer.tasks` | tasks.batching.drain | the step before which ours stops |
| `celery.events.dispatcher.EventDispatcher` | tasks.batching.strategy | `buffer_limit`, `flush` |
| `celery.concurrency.solo.TaskPool`, `celery.concurrency.base.BasePool.terminate_job` | tasks.pool | everything in one process |
| `celery.backends.base.Backend`: `get_state`, `get_task_meta`, `store_result`; `SyncBackendMixin` |  tasks.result_backend | which of our methods are called with what |
| `celery.app.amqp.AMQP.as_task_v2`, `kombu.transport.redis.Channel._put` | tasks.message | the bytes of a message; tests/contracts/test_message_format.py compares them |
"""  # noqa: E501 - rows of a table

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Mapping
from typing import Any

#: The versions that were read.
VERSIONS = {"celery": "5.7.0", "kombu": "5.7.0"}

#: Dotted name to digest of its source.
READ: Mapping[str, str] = {
    "kombu.asynchronous.hub.Hub.call_soon": "6899419dd6ed",
    "kombu.asynchronous.hub.Hub._pop_ready": "fe1d099ce1ba",
    "kombu.asynchronous.hub.Hub.create_loop": "cd0840adf181",
    "kombu.transport.redis.Channel.__init__": "6907bdb53131",
    "kombu.transport.redis.Channel.active_queues": "fe21bfe0f5dc",
    "kombu.transport.redis.Channel.close": "65ce068c59fb",
    "kombu.transport.redis.Channel.conn_or_acquire": "73c0765b5280",
    "kombu.transport.redis.Channel.pool": "318bc2756073",
    "kombu.transport.redis.Channel._create_client": "b87af9b01c49",
    "kombu.transport.redis.Channel._do_restore_message": "6b3a4aff1519",
    "kombu.transport.redis.Channel._on_connection_disconnect": "0f5496775f70",
    "kombu.transport.redis.Channel._put": "dc1dacc8db55",
    "kombu.transport.redis.Channel._q_for_pri": "96048f1bd0b9",
    "kombu.transport.redis.Channel._queue_bind": "12682182e85e",
    "kombu.transport.redis.MultiChannelPoller.on_poll_start": "735d1edde53d",
    "kombu.transport.redis.MultiChannelPoller.on_readable": "89c4321cf590",
    "kombu.transport.redis.MultiChannelPoller._register": "20a0573b487f",
    "kombu.transport.redis.MultiChannelPoller._register_LISTEN": "e3c0898c1de4",
    "kombu.transport.redis.QoS": "ece59a1ffeea",
    "kombu.transport.redis.SentinelChannel": "f24726399cdb",
    "kombu.transport.redis.Transport.__init__": "58a8cdf28e9b",
    "kombu.transport.redis.Transport.register_with_event_loop": "5c64aac87c3b",
    "kombu.transport.virtual.base.Channel.basic_consume": "1212dbb36c5f",
    "kombu.transport.virtual.base.QoS": "2a9fd909bdc0",
    "kombu.transport.virtual.base.Transport._deliver": "709352b73593",
    "celery.app.amqp.AMQP.as_task_v2": "d9cc85149032",
    "celery.backends.base.Backend.get_state": "7865f7f789ee",
    "celery.backends.base.Backend.get_task_meta": "d618e6c3e9d0",
    "celery.backends.base.Backend.store_result": "e9d904b8360d",
    "celery.backends.base.SyncBackendMixin.iter_native": "8b42d14cf951",
    "celery.backends.base.SyncBackendMixin.wait_for_pending": "8aecc6cc606f",
    "celery.concurrency.base.BasePool.terminate_job": "c8384d859efa",
    "celery.concurrency.solo": "a19a29a2e971",
    "celery.events.dispatcher.EventDispatcher": "d74ea2a9f2cd",
    "celery.worker.consumer.consumer.Consumer.create_task_handler": "900ef81fa1be",
    "celery.worker.consumer.consumer.Consumer.on_close": "67586b45a6f3",
    "celery.worker.consumer.tasks": "9cc4ce8cc4c9",
    "celery.worker.loops.asynloop": "e2491c2bfe1c",
    "celery.worker.request.Request": "e675e6ba4007",
    "celery.worker.state.task_ready": "3ffc10c230d4",
    "celery.worker.state.task_reserved": "71b03d76f647",
    "celery.worker.strategy.default": "a4f2c636e9a4",
}


def find(name: str) -> Any:
    """The object of a dotted name: a module, or what is in one.

    Raises:
        AttributeError: there is none.
    """
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = inspect.getattr_static(found, part)
        return found
    raise AttributeError(f"There is no module {parts[0]}; {name} was read in it.")


def digest(name: str) -> str:
    """Of the source of what has this dotted name, as it is installed."""
    found: Any = find(name)
    # What a property stands for is the function behind it.
    behind: Any = found.fget if isinstance(found, property) else found
    source = inspect.getsource(behind if inspect.isclass(behind) else getattr(behind, "func", behind))
    return hashlib.sha256(inspect.cleandoc(source).encode()).hexdigest()[:12]


if __name__ == "__main__":
    for known in READ:
        print(f'    "{known}": "{digest(known)}",')  # noqa: T201 - that is what it is for
