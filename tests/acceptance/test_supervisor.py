from __future__ import annotations

import http.server
import os
import re
import signal
import sys
import threading
import time

import pytest

from tasks.broker import connect
from tasks.broker_address import broker_url
from tasks.job import Job, new_job_id
from tasks.job_store import JobStore
from tasks.model_registry import ModelStatus
from tests.processes import REAL, Systems, Up, until
from tests.receivers import SECRET

IN_ORDER = ["api", "workers", "keeper", "flower"]


def stop_order(system: Up) -> list[str]:
    """The stops noted, with neighbouring workers as one."""
    order = ["workers" if name.startswith("worker-") else name for name in system.stops()]
    return [name for name, before in zip(order, [None, *order], strict=False) if name != before]


def assert_nothing_lives(system: Up, within_s: float = 10.0) -> None:
    until(lambda: not system.processes(), within_s)


def test_up_names_its_addresses_and_says_of_each_model_that_it_is_ready(systems: Systems) -> None:
    system = systems("good", "other").start().await_ready()
    port, flower_port = system.environment["PORT"], system.environment["CELERIAC_FLOWER_PORT"]

    assert system.await_line("API:").endswith(f"http://127.0.0.1:{port}")
    assert system.await_line("Flower:").endswith(f"http://127.0.0.1:{flower_port}")
    assert system.await_line("Logs:").endswith(str(system.var / "logs"))
    assert system.await_line("good:").strip() == "good: ready"
    assert system.await_line("other:").strip() == "other: ready"
    records = system.registry().all()
    assert [(record.status, record.expected) for record in records] == [(ModelStatus.READY, True)] * 2


def test_up_without_a_model_still_serves_and_says_so(systems: Systems) -> None:
    system = systems().start()

    assert "none" in system.await_line("Models:")


def test_the_real_services_stop_cleanly(systems: Systems) -> None:
    system = systems(CELERIAC_CALLBACK_SECRETS=SECRET).start(module=REAL)
    system.await_line("Models:", 60)

    system.process.terminate()

    assert system.code() == 0
    assert not system.processes()
    log = (system.var / "logs" / "supervisord.log").read_text()
    assert re.findall(r"stopped: (\S+) \(exit status 0\)", log) == ["api", "keeper", "callbacks", "flower", "broker"]


def test_sigkill_of_front_guard_and_supervisord_leaves_nothing_of_the_real_services(systems: Systems) -> None:
    # Given the API's and the keeper's child processes, which only their parents know
    system = systems().start(module=REAL)
    system.await_line("Models:", 60)
    guard, supervisord = system.find("tasks.supervisor.guard"), system.find("supervisor.supervisord")

    for one in (guard, system.process, supervisord):
        one.kill()

    assert_nothing_lives(system)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_stops_all_in_order_and_ends_with_0(systems: Systems, number: signal.Signals) -> None:
    system = systems("good", "other").start().await_ready()

    system.process.send_signal(number)

    assert system.code() == 0
    assert not system.processes()
    assert stop_order(system) == IN_ORDER


def test_ctrl_c_stops_all_in_order_and_ends_with_0(systems: Systems) -> None:
    system = systems("good").start().await_ready()

    os.killpg(system.process.pid, signal.SIGINT)

    assert system.code() == 0
    assert not system.processes()
    assert stop_order(system) == IN_ORDER


def test_a_second_ctrl_c_does_not_wait_for_a_worker_that_does_not_stop(systems: Systems) -> None:
    # Given a worker that takes no notice of SIGTERM, and has 20 s to do so
    system = systems("stubborn").start().await_ready()

    os.killpg(system.process.pid, signal.SIGINT)
    until(lambda: "worker-stubborn" in system.stops())
    hurried_s = time.monotonic()
    os.killpg(system.process.pid, signal.SIGINT)

    assert system.code() == 0
    assert time.monotonic() - hurried_s < 5
    assert not system.processes()


def test_a_worker_that_does_not_stop_is_killed_when_its_grace_is_over(systems: Systems) -> None:
    system = systems("stubborn", CELERIAC_STOP_GRACE_S="1").start().await_ready()

    system.process.terminate()

    assert system.code() == 0
    assert not system.processes()
    assert stop_order(system) == IN_ORDER


def test_sigkill_of_the_front_stops_all_in_order(systems: Systems) -> None:
    system = systems("good", "other").start().await_ready()

    system.process.kill()

    assert_nothing_lives(system)
    assert stop_order(system) == IN_ORDER


def test_sigkill_of_supervisord_ends_all_and_up_ends_with_1(systems: Systems) -> None:
    system = systems("good").start().await_ready()

    system.find("supervisor.supervisord").kill()

    assert system.code() == 1
    assert system.await_line("supervisord has ended unasked")
    assert not system.processes()


def test_sigkill_of_front_and_supervisord_together_leaves_nothing(systems: Systems) -> None:
    # Given an API that leaves a child process behind when it stops
    system = systems("good", "stubborn").start().await_ready()
    front, supervisord = system.process, system.find("supervisor.supervisord")

    front.kill()
    supervisord.kill()

    assert_nothing_lives(system)


def test_sigkill_of_front_guard_and_supervisord_together_leaves_no_service(systems: Systems) -> None:
    system = systems("good").start().await_ready()
    child = system.find("child-of-api")
    guard, supervisord = system.find("tasks.supervisor.guard"), system.find("supervisor.supervisord")

    guard.kill()
    system.process.kill()
    supervisord.kill()

    # Nobody is left who could know of what a service itself did not stop.
    until(lambda: system.processes() == [child])


def test_with_stop_with_parent_sigkill_of_the_parent_stops_all(systems: Systems) -> None:
    # Given a parent such as make
    parent = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    system = systems("good").start(sys.executable, "-c", parent, options=["--stop-with-parent"]).await_ready()

    system.process.kill()

    assert_nothing_lives(system)
    assert stop_order(system) == IN_ORDER


def test_with_stop_with_parent_nothing_starts_under_a_parent_that_is_gone(systems: Systems) -> None:
    # Given a parent in a session of its own that ends before its child looks
    parent = "import os, subprocess, sys; subprocess.Popen(sys.argv[1:]); os._exit(0)"
    session = ("setsid", "--wait", sys.executable, "-c", parent)
    system = systems("good").start(*session, options=["--stop-with-parent"])

    assert system.code() == 0
    assert_nothing_lives(system)
    assert not (system.var / "logs").exists()


def test_the_next_up_waits_for_no_lock_and_finds_the_data_of_a_killed_one(systems: Systems) -> None:
    system = systems("good").start().await_ready()
    system.registry().publish_failure("remembered", "It was written before the kill.")
    for one in system.processes():
        one.kill()
    assert system.code() == -signal.SIGKILL

    system.start().await_ready()

    assert system.registry().get("remembered").failure == "It was written before the kill."


def test_a_worker_that_is_killed_is_started_again(systems: Systems) -> None:
    system = systems("good", "other").start().await_ready()
    killed = system.find("worker-good")
    other = system.find("worker-other")

    killed.kill()

    assert "worker-good died (terminated by SIGKILL), restarting in 1 s." in system.await_line("worker-good died")
    assert system.registry().get("good").status is ModelStatus.LOADING
    system.await_line("worker-good is ready again.")
    assert system.find("worker-good") != killed
    assert system.find("worker-other") == other


def test_a_model_without_jobs_is_evicted_when_that_is_asked_for_and_its_next_job_brings_it_back(
    systems: Systems,
) -> None:
    system = systems("good", "other", CELERIAC_IDLE_EVICT_S="3").start()

    assert "worker-good is stopped after 3 s without a job" in system.await_line("worker-good is stopped")
    evicted = until(lambda: (record := system.registry().get("good")).status is ModelStatus.EVICTED and record)
    assert (evicted.waits_for, evicted.workers) == ("a job, which starts its worker", ())
    JobStore(connect(broker_url(system.settings())), 60).submit(
        Job(id=new_job_id(), model="good", version=1), b"payload"
    )
    system.await_line("worker-good is started, as jobs wait for it.")
    system.await_line("worker-good is ready again.")

    assert system.registry().get("good").status is ModelStatus.READY
    assert "died" not in system.output()


def test_a_killed_broker_comes_back_on_its_port_with_its_data(systems: Systems) -> None:
    system = systems("good").start().await_ready()
    before = system.registry().get("good").workers

    system.broker().kill()

    system.await_line("broker is ready again.")
    assert system.registry().get("good").workers == before
    assert "worker-good died" not in system.output()


def test_a_model_that_cannot_start_is_given_up_while_the_others_live(systems: Systems) -> None:
    system = systems("broken", "good", "mute", CELERIAC_START_ATTEMPTS="2").start().await_ready()

    assert system.await_line("broken:").strip() == "broken: gave up: The file is truncated."
    assert "mute: gave up: I cannot open the file. (exit status 1)" in system.await_line("mute:")
    assert system.await_line("good:").strip() == "good: ready"
    assert system.output().count("worker-broken died") == 1
    records = {record.name: record for record in system.registry().all()}
    assert [records[name].gave_up for name in ("broken", "good", "mute")] == [True, False, True]
    assert records["broken"].failure == "The file is truncated."
    assert records["mute"].failure.startswith("I cannot open the file.")
    assert records["good"].status is ModelStatus.READY


def test_an_api_that_cannot_start_ends_everything_with_1(systems: Systems) -> None:
    system = systems("good", STAND_IN_API="broken", CELERIAC_START_ATTEMPTS="2").start()

    assert system.code() == 1
    assert "There is no API today." in system.await_line("api is given up")
    assert "Nothing works without api" in system.output()
    assert not system.processes()


def test_when_the_brokers_port_is_stolen_everything_moves_with_it(systems: Systems) -> None:
    system = systems("good", CELERIAC_STOP_GRACE_S="1").start().await_ready()
    broker = system.broker()
    worker = system.find("worker-good")
    port = int((system.var / "broker" / "port").read_text())

    # When another program has it before the broker is back
    broker.kill()
    broker.wait(5)
    with http.server.HTTPServer(("127.0.0.1", port), http.server.BaseHTTPRequestHandler) as thief:
        threading.Thread(target=thief.serve_forever, daemon=True).start()
        system.await_line("The broker had to take another port")
        system.await_line("worker-good is ready again.")
        thief.shutdown()

    assert system.find("worker-good") != worker
    assert system.registry().get("good").status is ModelStatus.READY
