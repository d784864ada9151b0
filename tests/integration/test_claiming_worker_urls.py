"""Workers on the claiming transport that reach their broker by TLS, and by sentinels that replace it."""

from __future__ import annotations

from pathlib import Path

import redis

from tasks.broker import connect
from tests.claiming_worker import QUEUE, Workplace, nothing_is_held, send, stock_app
from tests.sentinels import await_promotion, watched_pair
from tests.system import eventually
from tests.tls_proxy import tls_proxy
from tests.valkey import Valkey

SENTINEL_TRANSPORT = "tasks.transport.transport:SentinelTransport"


def test_a_worker_reaches_its_broker_by_tls(tmp_path: Path, valkey: Valkey, client: redis.Redis) -> None:
    with tls_proxy(tmp_path, valkey.port) as proxy, stock_app(valkey.url) as stock:
        url = f"rediss://localhost:{proxy.port}/0?ssl_cert_reqs=required&ssl_ca_certs={proxy.certificate}"
        place = Workplace(tmp_path, url)
        try:
            send(stock, "note", "queued")
            place.worker()
            place.await_written("done", {"queued"})
            send(stock, "note", "low", priority=9)
            place.await_written("done", {"low"})
            eventually(lambda: nothing_is_held(client))
        finally:
            place.close()


def test_a_worker_goes_on_with_the_server_that_sentinels_chose_for_another(tmp_path: Path) -> None:
    with watched_pair(tmp_path, "jobs", "secret") as watched:
        url = f"sentinel://:{watched.password}@127.0.0.1:{watched.sentinel_port}/0"
        place = Workplace(tmp_path, url)
        options = {"master_name": watched.name, "lease_s": 3.0}
        try:
            worker = place.worker(transport=SENTINEL_TRANSPORT, options=options)
            with stock_app(watched.master.url) as stock:
                send(stock, "note", "before")
                place.await_written("done", {"before"})

            watched.master.kill()
            await_promotion(watched.replica)
            with connect(watched.replica.url) as client, stock_app(watched.replica.url) as stock:
                send(stock, "note", "after-0", "after-1")
                place.await_written("done", {"after-0", "after-1"})
                eventually(lambda: nothing_is_held(client))
                assert not client.llen(QUEUE)
            assert worker.process.poll() is None
            assert sorted(place.written("done")) == ["after-0", "after-1", "before"]
        finally:
            place.close()
