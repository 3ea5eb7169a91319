"""How often mutations may be sent and how long operations may take, on every transport."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import httpx
import pytest
import strawberry
from asgiref.testing import ApplicationCommunicator
from django.conf import settings as django_settings
from django.db.models.signals import pre_save

import gql_cluster
from asgi import application
from gql_cluster.transport.websocket import websocket_application
from schema import schema as service
from schema.bands.models import Band
from tests.api.schema_kit import Client, Limit, make_band

pytestmark = pytest.mark.once


class Socket:
    """A WebSocket in process, which its client opens from an address."""

    def __init__(self, address: str) -> None:
        scope = {
            "type": "websocket",
            "path": "/graphql",
            "subprotocols": ["graphql-transport-ws"],
            "client": (address, 5),
            "headers": [],
        }
        make: Any = ApplicationCommunicator
        self._wire: Any = make(websocket_application(service), scope)

    async def begin(self) -> None:
        """Open the connection."""
        await self._wire.send_input({"type": "websocket.connect"})
        assert (await self._wire.receive_output())["type"] == "websocket.accept"
        assert (await self.reply(type="connection_init"))["type"] == "connection_ack"

    async def reply(self, **message: Any) -> Any:
        """Send a message, and return the next one that comes."""
        await self._wire.send_input({"type": "websocket.receive", "text": json.dumps(message)})
        return json.loads((await self._wire.receive_output(timeout=20))["text"])

    async def end(self) -> None:
        """Close it."""
        await self._wire.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._wire.wait(timeout=20)


# Rate


async def test_mutations_past_the_rate_are_refused_and_queries_are_not(
    client: Client, limit: Limit
) -> None:
    """With the time to wait; all of one operation count."""
    limit(MUTATION_RATE=0.01, MUTATION_BURST=10)
    four = f"mutation {{ {' '.join(f'a{n}: startSession {{ id }}' for n in range(4))} }}"
    found = [await client.send(four) for _ in range(3)]
    assert [result.errors for result in found[:2]] == [None, None]
    (error,) = found[2].errors
    assert error.extensions["code"] == "LIMIT_EXCEEDED"
    assert 90 < error.extensions["retryAfter"] <= 100
    assert found[2].data is None
    assert await client.streamed_codes(four) == ["LIMIT_EXCEEDED"]
    assert await client.codes("{ __typename }") == []
    many = f"mutation {{ {' '.join(f'a{n}: startSession {{ id }}' for n in range(11))} }}"
    (error,) = (await Client(schema=client.schema, session="bob").send(many)).errors
    assert error.extensions == {"code": "LIMIT_EXCEEDED"}


async def test_sessions_are_started_so_often_from_one_address(client: Client, limit: Limit) -> None:
    """Over HTTP, where the server tells the address."""
    del client
    limit(ADDRESS_RATE=0.01, ADDRESS_BURST=10)
    query = {"query": "mutation { startSession { id } }"}

    async def started(address: str) -> int:
        transport = httpx.ASGITransport(cast("Any", application), client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
            replies = [(await http.post("/graphql", json=query)).json() for _ in range(15)]
        return sum("errors" not in reply for reply in replies)

    assert await started("192.0.2.1") == 10
    assert await started("192.0.2.2") == 10


async def test_a_socket_is_held_to_the_rate_of_its_address_and_goes_on(
    client: Client, limit: Limit
) -> None:
    """What is refused is one operation, with its code."""
    del client
    limit(ADDRESS_RATE=0.01, ADDRESS_BURST=10)
    socket = Socket("192.0.2.7")
    await socket.begin()
    many = f"mutation {{ {' '.join(f'a{n}: startSession {{ id }}' for n in range(11))} }}"
    refused = await socket.reply(id="1", type="subscribe", payload={"query": many})
    (error,) = refused["payload"]
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
    deep = "{ bands { albums { band " * 9 + "{ id }" + "} } }" * 9
    refused = await socket.reply(id="2", type="subscribe", payload={"query": deep})
    (error,) = refused["payload"]
    assert (refused["type"], error["extensions"]["code"]) == ("error", "QUERY_TOO_COMPLEX")
    answer = await socket.reply(id="3", type="subscribe", payload={"query": "{ __typename }"})
    assert answer["payload"]["data"] == {"__typename": "Query"}
    await socket.end()


# Time


@strawberry.type
class Slow:
    """What never answers by itself."""

    @strawberry.field
    async def never(self) -> str:
        """Wait for what does not come."""
        await asyncio.Event().wait()
        return "never"


@strawberry.type
class SlowEvents:
    """Events of which every second one can't be told."""

    @strawberry.subscription
    async def slow(self) -> AsyncIterator[Told]:
        """Say four."""
        for number in range(4):
            yield Told(number=number)


@strawberry.type
class Told:
    """One of them."""

    number: int

    @strawberry.field
    async def text(self) -> str:
        """Answer for those that are even."""
        if self.number % 2:
            await asyncio.Event().wait()
        return str(self.number)


@pytest.fixture
async def slow(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client of a schema with slow fields, where an operation may take 0.3 s."""
    given = {**django_settings.GQL_CLUSTER, "OPERATION_TIMEOUT": 0.3}
    monkeypatch.setattr(django_settings, "GQL_CLUSTER", given)
    schema = gql_cluster.Schema(clusters=[Band], query=Slow, subscription=SlowEvents)
    yield Client(schema=schema)
    await schema.engine.aclose()


async def test_what_takes_too_long_is_given_up_and_the_next_is_answered(slow: Client) -> None:
    """With a code, in process and on a stream."""
    for _ in range(2):
        assert await slow.codes("{ never }") == ["TIMEOUT"]
        assert await slow.codes("{ __typename }") == []
    assert await slow.streamed_codes("{ never }") == ["TIMEOUT"]


async def test_an_event_that_takes_too_long_is_told_so_and_the_next_ones_come(
    slow: Client,
) -> None:
    """The subscription goes on."""
    told = [result async for result in slow.stream("subscription { slow { text } }")]
    assert [result.data and result.data["slow"]["text"] for result in told] == [
        "0",
        None,
        "2",
        None,
    ]
    assert [error.extensions["code"] for error in told[1].errors] == ["TIMEOUT"]


@pytest.fixture
def held() -> Iterator[tuple[threading.Event, threading.Event]]:
    """Hold every save of a band: the first event tells that one began, the second lets it go."""
    began, go_on = threading.Event(), threading.Event()

    def hold(**_: object) -> None:
        began.set()
        assert go_on.wait(30)

    pre_save.connect(hold, sender=Band)
    yield began, go_on
    go_on.set()
    pre_save.disconnect(hold, sender=Band)


async def test_a_commit_that_takes_too_long_is_carried_out_and_a_retry_tells(
    slow: Client, held: tuple[threading.Event, threading.Event]
) -> None:
    """It is not cut off in its transaction, and not done twice."""
    began, go_on = held
    go_on.set()
    pk, _ = await make_band()
    draft = await slow.open(pk=pk)
    await slow.edit(draft, {"set": {"name": "Slowly"}})
    go_on.clear()
    began.clear()
    commit = (
        'mutation($draft: ID!) { it: commitBandDraft(draft: $draft, changeId: "c")'
        " { receipt { version } errors { code } } }"
    )
    assert await slow.codes(commit, draft=draft) == ["TIMEOUT"]
    assert began.is_set()
    go_on.set()
    async with asyncio.timeout(20):
        while await slow.codes(commit, draft=draft) == ["TIMEOUT"]:
            pass
    assert (await slow.data(commit, draft=draft))["it"] == {"receipt": {"version": 1}, "errors": []}
    assert (await Band.objects.aget(pk=pk)).name == "Slowly"
