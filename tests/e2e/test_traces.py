"""Traces of the service, where OTEL=1 switches them on: sent to a collector on the loopback."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from tests.e2e.conftest import StartWorkers

pytestmark = pytest.mark.once


class Collector(ThreadingHTTPServer):
    """Takes what is sent."""

    def __init__(self) -> None:
        """Listen on any free port."""
        super().__init__(("127.0.0.1", 0), Taking)
        self.taken: list[tuple[str, bytes]] = []


class Taking(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Collector

    def do_POST(self) -> None:
        """Take it."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        self.server.taken.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector of traces."""
    with Collector() as made:
        thread = Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_what_was_traced_is_sent_before_the_worker_ends(
    start_workers: StartWorkers, collector: Collector
) -> None:
    """As OpenTelemetry's own variables say."""
    (worker,) = start_workers(
        1,
        OTEL="1",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_port}",
        OTEL_SERVICE_NAME="drafts",
        NO_PROXY="127.0.0.1",
    )
    body = {"query": 'query Shown { band(pk: "17") { name } }'}
    httpx.post(worker.graphql, json=body, trust_env=False).raise_for_status()
    worker.stop()
    assert {path for path, _ in collector.taken} == {"/v1/traces"}
    sent = b"".join(body for _, body in collector.taken)
    assert b"GraphQL Query: Shown" in sent
    assert b"drafts" in sent
