"""GET /metrics: the load on each model for Prometheus, read from Redis at each scrape."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.services import services
from tasks.model_registry import ModelRegistry

routes = Blueprint("metrics", __name__)


class ModelCollector(Collector):
    """The metrics of every known model."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """One family after the other; `oldest` has no sample for a model without unfinished jobs.

        `memory` has none for a model that was never measured.
        """
        queued = GaugeMetricFamily("celeriac_queued_jobs", "Jobs that wait for a worker.", labels=["model"])
        running = GaugeMetricFamily("celeriac_running_jobs", "Jobs that a worker has.", labels=["model"])
        finished = CounterMetricFamily("celeriac_finished_jobs", "Jobs that ended.", labels=["model", "status"])
        oldest = GaugeMetricFamily(
            "celeriac_oldest_job_age_seconds", "Age of the oldest job that has not ended.", labels=["model"]
        )
        memory = GaugeMetricFamily(
            "celeriac_model_memory_bytes", "The most that the model's worker took in its latest life.", labels=["model"]
        )
        workers = GaugeMetricFamily("celeriac_live_workers", "Workers that have the model ready.", labels=["model"])
        paused = GaugeMetricFamily("celeriac_model_paused", "1 where no job of the model begins.", labels=["model"])
        for record in self._registry.all():
            state = self._registry.queue_state(record.name)
            queued.add_metric([record.name], state.queued)
            running.add_metric([record.name], state.running)
            workers.add_metric([record.name], len(record.workers))
            paused.add_metric([record.name], record.paused)
            if record.memory_bytes is not None:
                memory.add_metric([record.name], record.memory_bytes)
            if state.oldest_age_s is not None:
                oldest.add_metric([record.name], state.oldest_age_s)
            for status, count in state.finished.items():
                finished.add_metric([record.name, status], count)
        yield from (queued, running, finished, oldest, workers, memory, paused)


@routes.get("/metrics")
def metrics() -> Response:
    """All metrics in Prometheus's text format."""
    collectors = CollectorRegistry()
    collectors.register(ModelCollector(services().registry))
    return Response(generate_latest(collectors), content_type=CONTENT_TYPE_LATEST)
