"""Looks after the services: starts them in order, notices what ended, starts it again or gives it up.

It talks to supervisord and the broker and decides nothing itself: that is in `life` and `restart_policy`. When a
worker starts, and when one gives way to another, is the business of `eviction`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from tasks.errors import BrokerAddressUnknown, BrokerUnavailable
from tasks.settings import Settings
from tasks.supervisor.broker import Broker
from tasks.supervisor.eviction import Eviction
from tasks.supervisor.life import Life, Phase
from tasks.supervisor.service import Role, Service
from tasks.supervisor.supervisord import ProcessState, Supervisord

#: How long a broker that is not ours may be away at the start.
BROKER_WAIT_S = 30.0


class Watcher:
    """The state of all services. `step` is to be called about twice a second.

    Args:
        services: in the order in which they start.
        supervisord: running.
        broker: of the system.
        settings: of this process.
        say: gets each event worth telling, as a line.
    """

    def __init__(
        self,
        services: Sequence[Service],
        supervisord: Supervisord,
        broker: Broker,
        settings: Settings,
        say: Callable[[str], None],
    ) -> None:
        self._services = services
        self._supervisord = supervisord
        self._broker = broker
        self._start_attempts = settings.start_attempts
        self._say = say
        self._embedded = any(service.role is Role.BROKER for service in services)
        self._first_look_s: float | None = None
        self._expected = False
        self._broker_url = ""
        self.lives = {service.name: Life() for service in services}
        self._eviction = Eviction(services, settings, self.lives, supervisord, broker, say)
        #: Why a service was given up, by its name.
        self.reasons: dict[str, str] = {}
        #: Why the whole system cannot go on; empty as long as it can.
        self.failure = ""

    @property
    def settled(self) -> bool:
        """Every service is ready, out or given up."""
        return all(life.settled for life in self.lives.values())

    def step(self, now_s: float) -> None:
        """Look at each service once, and act.

        Raises:
            Unreachable: supervisord did not answer; the next step may succeed.
        """
        states = self._supervisord.states()
        open_gate = self._may_use_broker(now_s)
        for service in self._services:
            try:
                self._advance(service, states[service.name].pid, now_s, open_gate or service.role is Role.BROKER)
            except (BrokerUnavailable, BrokerAddressUnknown):
                # Nothing was decided; the same is seen and done again when the broker is back.
                continue
        if open_gate:
            # Last, since those that it starts are not in `states`.
            self._share_memory(states, now_s)

    def _share_memory(self, states: Mapping[str, ProcessState], now_s: float) -> None:
        # While the broker is away nobody knows who has jobs, and all stays as it is.
        with suppress(BrokerUnavailable, BrokerAddressUnknown):
            self._eviction.step(states, now_s)

    def _may_use_broker(self, now_s: float) -> bool:
        # Asked only when somebody is about to start or not ready yet: a settled system costs the broker no more than
        # what `eviction` asks it.
        if self.settled:
            return True
        if not self._broker.answers():
            self._lose_patience(now_s)
            return False
        if not self._expected:
            self._broker.expect(service.model for service in self._services if service.model)
            self._expected = True
        return True

    def _lose_patience(self, now_s: float) -> None:
        if self._embedded or self._expected:
            return
        if self._first_look_s is None:
            self._first_look_s = now_s
            self._say(f"The broker at REDIS_URL does not answer; waiting up to {BROKER_WAIT_S:.0f} s for it.")
        elif now_s - self._first_look_s > BROKER_WAIT_S:
            self.failure = (
                f"The broker at REDIS_URL did not answer within {BROKER_WAIT_S:.0f} s. Start it, correct REDIS_URL, "
                "or unset it to use the embedded server."
            )

    def _advance(self, service: Service, pid: int, now_s: float, may_start: bool) -> None:
        life = self.lives[service.name]
        if life.phase is Phase.WAITING and life.is_due(now_s) and may_start and not service.model:
            self._supervisord.start_service(service.name)
            self.lives[service.name] = life.started(now_s)
        elif life.phase is Phase.LEAVING and not pid:
            self._broker.retire_workers(str(service.model))
            self._eviction.take_end(service.name, now_s)
        elif life.phase in (Phase.STARTING, Phase.READY) and not pid:
            self._take_end(service, now_s, may_start)
        elif life.phase is Phase.STARTING and service.readiness.holds(pid, now_s - life.since_s, self._broker):
            self._take_ready(service, now_s)

    def _take_ready(self, service: Service, now_s: float) -> None:
        life = self.lives[service.name]
        self.lives[service.name] = life.ready(now_s)
        if life.troubled or life.recalled:
            self._say(f"{service.name} is ready again.")
        if service.role is Role.BROKER:
            self._follow_broker()

    def _follow_broker(self) -> None:
        moved = self._broker_url not in ("", self._broker.url)
        self._broker_url = self._broker.url
        if moved:
            self._say("The broker had to take another port; everything that uses it is started again.")
            for service in self._services:
                if service.role is not Role.BROKER:
                    self._supervisord.stop_service(service.name)

    def _take_end(self, service: Service, now_s: float, may_start: bool) -> None:
        life = self.lives[service.name]
        if life.phase is Phase.STARTING and not may_start:
            self.lives[service.name] = life.excused(now_s)
            return
        how = self._supervisord.last_end(service.name)
        after = life.ended(now_s, start_attempts=self._start_attempts, chance=random.random())
        if service.model:
            self._broker.retire_workers(service.model)
        if after.phase is Phase.GIVEN_UP:
            self._give_up(service, how, after)
        else:
            self._say(f"{service.name} died ({how}), restarting in {after.since_s - now_s:.0f} s.")
        self.lives[service.name] = after

    def _give_up(self, service: Service, how: str, life: Life) -> None:
        reason = f"{self._supervisord.last_words(service.name)} ({how})"
        if service.model:
            reason = self._broker.give_up(service.model, reason)
        self.reasons[service.name] = reason
        self._say(f"{service.name} is given up after {life.failed_starts} failed starts: {reason}")
        if service.role.essential:
            self.failure = f"Nothing works without {service.name}, so all is stopped."
