"""`python -m api`: serve the HTTP API."""

from __future__ import annotations

import logging
import logging.config
import sys
from contextlib import closing
from typing import NoReturn

from api.server import LOGGING, serve
from api.startup import PortTaken, refuse_taken_port, resolve_host
from tasks.broker import connect
from tasks.broker_address import wait_for_broker_url
from tasks.broker_memory import refuse_eviction
from tasks.errors import BrokerAddressUnknown, EvictionPossible, SettingsError
from tasks.settings import read_settings

logger = logging.getLogger("api")


def main() -> None:
    """Check the settings, wait for the embedded broker's address, serve until told to stop.

    Raises:
        SystemExit: 2 for settings that cannot be used, 1 when the port is taken, or there is no broker, or one that may
            throw jobs away.
    """
    logging.config.dictConfig(LOGGING)
    try:
        settings = read_settings()
        address = resolve_host(settings)
        refuse_taken_port(address, settings.port)
        redis_url = wait_for_broker_url(settings)
        # A URL that cannot be used is refused here, in one sentence, and so is a server that may lose jobs.
        with closing(connect(redis_url, settings.sentinel_master)) as client:
            refuse_eviction(client)
    except SettingsError as error:
        _refuse(error, 2)
    except (PortTaken, BrokerAddressUnknown, EvictionPossible) as error:
        _refuse(error, 1)
    shown = f"[{address}]" if ":" in address else address
    logger.info("Serving at http://%s:%d", shown, settings.port)
    if not settings.api_keys:
        logger.info("There are no API keys: only this machine is served, and each of its users sees all jobs.")
    serve(settings, address, redis_url)


def _refuse(error: Exception, code: int) -> NoReturn:
    sys.stderr.write(f"{error}\n")
    raise SystemExit(code)


if __name__ == "__main__":
    main()
