"""Traces: `Tracing` among a schema's extensions, with the SDK's own exporter in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import gql_cluster
from gql_cluster import logs
from gql_cluster.api.audience import SharingExecutor
from gql_cluster.api.tracing import Tracing
from schema.bands.models import Band
from tests.api.schema_kit import Client, make_band

EXPORTER = InMemorySpanExporter()
PROVIDER = TracerProvider()
PROVIDER.add_span_processor(SimpleSpanProcessor(EXPORTER))
SCHEMA = gql_cluster.Schema(
    clusters=[Band], extensions=[partial(Tracing, tracer_provider=PROVIDER)]
)


@pytest.fixture
async def client(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client of a schema that is traced."""
    EXPORTER.clear()
    yield Client(schema=SCHEMA)
    await SCHEMA.engine.aclose()


def spans(name: str) -> list[ReadableSpan]:
    """Return the spans of a name, that have ended."""
    return [span for span in EXPORTER.get_finished_spans() if span.name == name]


def attributes() -> str:
    """Return all that the spans say."""
    return repr([dict(span.attributes or {}) for span in EXPORTER.get_finished_spans()])


async def test_a_query_has_a_span_and_so_has_each_field_with_work_to_do(client: Client) -> None:
    """Named by the operation; fields whose value is there have none."""
    pk, _ = await make_band()
    query = "query Show($pk: ID!) { band(pk: $pk) { name members { name } } }"
    assert (await client.data(query, pk=pk))["band"]["name"] == "The Beatles"
    (operation,) = spans("GraphQL Query: Show")
    (field,) = spans("GraphQL Resolving: band")
    assert field.parent is not None
    assert operation.context is not None
    assert field.parent.span_id == operation.context.span_id
    assert dict(field.attributes or {})["graphql.param.pk"] == pk


async def test_a_mutation_is_traced_and_none_of_its_values(client: Client) -> None:
    """Neither of its variables nor of the literals in its document."""
    draft = await client.open(data={"name": "Hidden variable"})
    EXPORTER.clear()
    await client.edit(draft, {"set": {"name": "Hidden value"}})
    literal = f'mutation {{ editBandDraft(draft: "{draft}", changes: [{{set: {{name: "Hidden literal", formed: 1234}}}}]) {{ errors {{ code }} }} }}'  # noqa: E501
    assert (await client.data(literal))["editBandDraft"]["errors"] == []
    await client.send('mutation { joinDraft(token: "Hidden token") { errors { code } } }')
    assert len(spans("GraphQL Resolving: editBandDraft")) == 2
    assert "editBandDraft(draft:" in attributes()
    assert "Hidden" not in attributes()
    assert "1234" not in attributes()
    assert draft in attributes()


async def test_a_subscription_is_traced_and_still_shared(client: Client) -> None:
    """Its span ends with it; who else listens to the same need not execute it again."""
    draft = await client.open(data={"name": "Wings"})
    events: Any = await SCHEMA.subscribe(
        "subscription Watch($id: ID!) { draftEvents(draft: $id) { version } }",
        variable_values={"id": draft},
        context_value=client.context,
    )
    assert (await anext(events)).data["draftEvents"]["version"] == 0
    await client.edit(draft, {"set": {"name": "Wings!"}})
    assert (await anext(events)).data["draftEvents"]["version"] == 1
    await events.aclose()
    assert len(spans("GraphQL Query: Watch")) == 1
    assert issubclass(SCHEMA.execution_context_class, SharingExecutor)


async def test_a_document_that_is_refused_is_traced(client: Client) -> None:
    """Without what could not be read of it."""
    await client.send('query Odd { nothing(like: "Hidden") }')
    await client.send('{ "Hidden" ')
    assert len(spans("GraphQL Query: Odd")) == 1
    assert "Hidden" not in attributes()


async def test_a_span_has_the_ids_of_the_log(client: Client) -> None:
    """So that one is found by the other."""
    token = logs.begin(logs.Request(request_id="r-1"))
    try:
        draft = await client.open(data={"name": "Wings"})
        await client.data("query Mine($id: ID!) { draft(id: $id) { version } }", id=draft)
    finally:
        logs.end(token)
    (span,) = spans("GraphQL Query: Mine")
    known: dict[str, Any] = dict(span.attributes or {})
    assert known["gql_cluster.request_id"] == "r-1"
    assert known["gql_cluster.session_id"] == "ann"
    assert known["gql_cluster.draft_id"]
