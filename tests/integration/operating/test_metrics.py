"""Numbers: what a timing counts, and where they are read."""

from __future__ import annotations

import logging
import socket

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from gql_cluster import metrics
from gql_cluster.transport import exporter
from schema import schema

pytestmark = pytest.mark.once


def test_a_time_is_counted_up_to_its_bound() -> None:
    """The bound itself included, as Prometheus has it."""
    timing = metrics.Timing([0.1, 1.0])
    for seconds in (0.05, 0.1, 0.5, 2.0):
        timing.take(seconds)
    assert timing.counts == [2, 1, 1]
    assert timing.sum == pytest.approx(2.65)


def test_a_project_can_serve_the_numbers_with_its_own() -> None:
    """By registering the collector where its own are."""
    registry = CollectorRegistry()
    registry.register(exporter.Collector())
    text = generate_latest(registry).decode()
    assert "# TYPE gql_cluster_sockets gauge" in text
    assert "# TYPE gql_cluster_store_seconds histogram" in text


@pytest.mark.parametrize(
    ("query", "kind", "code"),
    [
        ("{ __typename }", "query", "OK"),
        ("{ nothing }", "query", "GRAPHQL_VALIDATION_FAILED"),
        ("{ node(id: 1.5) { id } }", "query", "GRAPHQL_VALIDATION_FAILED"),
        ('{ draft(id: "QmFuZERyYWZ0OjE=") { id } }', "query", "UNAUTHENTICATED"),
        ("mutation {", "none", "GRAPHQL_PARSE_FAILED"),
        ("subscription {", "none", "GRAPHQL_PARSE_FAILED"),
    ],
)
@pytest.mark.parametrize("is_streamed", [False, True], ids=["one result", "streamed"])
async def test_an_operation_is_counted_once(
    query: str, kind: str, code: str, *, is_streamed: bool
) -> None:
    """On every transport, by its type, if it can be read, and by what came of it."""
    before = metrics.requests.copy()
    if is_streamed:
        assert [each async for each in await schema.stream(query, context_value={})]
    else:
        await schema.execute(query, context_value={})
    assert metrics.requests - before == {(kind, code): 1}


def test_each_worker_of_a_machine_takes_a_port_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """The next that is free; one that is given back is taken again."""
    caplog.set_level(logging.INFO)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        stop = exporter.serve("127.0.0.1", port)
        address = str(caplog.records[-1].getMessage()).removeprefix("Metrics are at ")
        assert not address.startswith(f"http://127.0.0.1:{port}/")
        assert "gql_cluster_cache_bytes" in httpx.get(address, trust_env=False).text
        stop()
        with pytest.raises(httpx.ConnectError):
            httpx.get(address, trust_env=False)


def test_an_address_that_is_not_this_machines_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Clients are served all the same."""
    exporter.serve("192.0.2.1", 0)()
    assert "Metrics can't be served" in caplog.text


def test_behind_the_last_port_there_is_none(caplog: pytest.LogCaptureFixture) -> None:
    """A worker that finds the last one taken serves its clients all the same."""
    last = 65_535
    first = exporter.serve("127.0.0.1", last)
    exporter.serve("127.0.0.1", last)()
    first()
    assert f"no port from {last} on is free" in caplog.text
