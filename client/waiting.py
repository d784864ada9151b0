"""Waiting for a job's end by long polls, through restarts of the server."""

from __future__ import annotations

import time
from dataclasses import replace

from client.api_client import ApiClient
from client.job import Job
from client.retry import OnTrouble, Patience, with_retries

#: The server allows 60; proxies before it often cut at 60 too.
LONGEST_POLL_S = 30.0
#: A server that holds enough polls already answers at once: begin no two polls closer together than this.
SHORTEST_ROUND_S = 1.0


def wait_for_job(api: ApiClient, job_id: str, limit_s: float, patience: Patience, on_trouble: OnTrouble) -> Job:
    """A job's record once it has ended, or as it is when the limit is over, whichever is first.

    Args:
        api: The server.
        job_id: Which job.
        limit_s: How long to wait, in s; infinite: until it ends; 0: ask once.
        patience: With a server that stays away; never longer than what is left of the limit.
        on_trouble: Told why when the server is tried again.

    Raises:
        ClientError: The server refused, or stayed away for longer than the patience.
    """
    end_s = time.monotonic() + limit_s

    def left_s() -> float:
        return max(0.0, end_s - time.monotonic())

    def poll() -> Job:
        return api.get_job(job_id, min(LONGEST_POLL_S, left_s()))

    while True:
        next_round_s = time.monotonic() + SHORTEST_ROUND_S
        job = with_retries(poll, replace(patience, total_s=min(patience.total_s, left_s())), on_trouble)
        if job.is_finished or not left_s():
            return job
        time.sleep(min(left_s(), max(0.0, next_round_s - time.monotonic())))
