"""What a worker counts, as Prometheus reads it: on a port of its own, and never on the service's.

Each worker answers for itself, on the first of `METRICS_PORT` and those behind it that is free, and
is a target of its own: what counters of several would add up to, Prometheus adds up. A project
that serves metrics already registers `Collector()` there instead.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import accumulate
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import start_http_server

from gql_cluster import metrics

logger = logging.getLogger(__name__)

_PREFIX = "gql_cluster_"
_PORTS = 64
_PORT_LIMIT = 65_536


class Collector:
    """Reads the numbers of this process when it is asked, for any `CollectorRegistry`."""

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        yield _counter(
            "requests",
            "GraphQL operations that have ended, and results of subscriptions.",
            metrics.requests,
            "operation",
            "code",
        )
        yield _counter("edits", "Change sets, by what came of them.", metrics.edits, "code")
        yield _counter("commits", "Commits, by what came of them.", metrics.commits, "code")
        conflicts = metrics.commits["CONFLICT"] + metrics.edits["CONFLICT"]
        yield CounterMetricFamily(
            f"{_PREFIX}conflicts", "Commits and rebases that were refused.", value=conflicts
        )
        yield _counter("events", "Events told to subscribers.", metrics.events, "kind")
        lag = HistogramMetricFamily(
            f"{_PREFIX}event_lag_seconds",
            "From an event to its delivery, to those who listened when it happened.",
        )
        lag.add_metric([], *_histogram(metrics.lag))
        yield lag
        for name, help_ in (
            ("sockets", "WebSockets that are open."),
            ("subscriptions", "Subscriptions to drafts that are running."),
        ):
            yield GaugeMetricFamily(f"{_PREFIX}{name}", help_, value=metrics.open_now[name])
        calls = HistogramMetricFamily(
            f"{_PREFIX}store_seconds", "Calls of the draft store.", labels=["call"]
        )
        for call, timing in list(metrics.calls.items()):
            if any(timing.counts):
                calls.add_metric([call], *_histogram(timing))
        yield calls
        failed = metrics.failed_calls
        yield _counter("store_failures", "Calls that were not answered.", failed, "call")
        yield GaugeMetricFamily(
            f"{_PREFIX}cache_bytes",
            "What is kept of drafts in memory.",
            value=sum(cache.size for cache in list(metrics.caches)),
        )
        yield GaugeMetricFamily(
            f"{_PREFIX}circuit_open",
            "Redis servers whose calls fail at once, because they did not answer.",
            value=sum(circuit.is_open for circuit in list(metrics.circuits)),
        )


def serve(host: str, port: int) -> Callable[[], None]:
    """Answer `/metrics` in a thread from now on; what is returned ends it. 0 is any free port.

    Where no port is free it is logged, and the worker serves its clients all the same.
    """
    registry = CollectorRegistry()
    registry.register(Collector())
    for each in (ProcessCollector, PlatformCollector, GCCollector):
        each(registry=registry)
    for number in range(port, min(port + _PORTS, _PORT_LIMIT)):
        try:
            server, thread = start_http_server(number, host, registry)
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                continue
            logger.exception("Metrics can't be served at %s.", host)
            return _nothing
        logger.info("Metrics are at http://%s:%s/metrics", host, server.server_port)
        return partial(_stop, server, thread)
    logger.error("Metrics are not served: no port from %s on is free.", port)
    return _nothing


def _stop(server: WSGIServer, thread: Thread) -> None:
    server.shutdown()
    server.server_close()
    thread.join()


def _nothing() -> None:
    pass


def _counter(name: str, help_: str, counts: Mapping[Any, int], *labels: str) -> Metric:
    family = CounterMetricFamily(f"{_PREFIX}{name}", help_, labels=labels)
    for key, count in list(counts.items()):
        family.add_metric(key if isinstance(key, tuple) else (key,), count)
    return family


def _histogram(timing: metrics.Timing) -> tuple[list[tuple[str, float]], float]:
    bounds = [*map(str, timing.bounds), "+Inf"]
    return list(zip(bounds, accumulate(timing.counts), strict=True)), timing.sum
