"""What the transports hold while nothing happens, and what waits for what."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import strawberry
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import LazySettings
from django.db import connection, connections
from django.urls import path

from gql_cluster.transport.handler import Handler
from gql_cluster.transport.http import GraphQLView
from gql_cluster.transport.sockets import TooManySocketsError, address_of, counted
from gql_cluster.transport.websocket import websocket_application

DEADLINE = 20.0
gate: dict[str, Any] = {}


def _ask() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    held.append(connections["default"])
    return threading.current_thread().name


held: list[Any] = []


@strawberry.type
class Query:
    """A schema of its own: what it does is seen from outside."""

    @strawberry.field
    async def meet(self) -> bool:
        """Wait, in a thread, until all have come."""
        place: int = await sync_to_async(gate["barrier"].wait)(DEADLINE)
        return place >= 0


@strawberry.type
class Subscription:
    """The same."""

    @strawberry.subscription
    async def threads(self) -> AsyncIterator[str]:
        """Ask the database, and then nothing for ever."""
        try:
            yield await sync_to_async(_ask)()
            await asyncio.Event().wait()
        finally:
            gate["gone"].set()


schema = strawberry.Schema(query=Query, subscription=Subscription)
urlpatterns = [path("graphql", GraphQLView.as_view(schema=schema))]


@pytest.fixture(autouse=True)
def _gate() -> None:
    held.clear()
    gate.update(barrier=threading.Barrier(4), gone=asyncio.Event())


class Socket:
    """A WebSocket in process, that is begun."""

    def __init__(self) -> None:
        """Connect."""
        app: Any = websocket_application(schema)
        headers = [(b"host", b"testserver")]
        protocols = ["graphql-transport-ws"]
        scope = {"type": "websocket", "path": "/graphql", "headers": headers}
        make: Any = ApplicationCommunicator
        self._app: Any = make(app, {**scope, "subprotocols": protocols})

    async def begin(self) -> None:
        """Have it acknowledged."""
        await self._app.send_input({"type": "websocket.connect"})
        assert (await self._app.receive_output(DEADLINE))["type"] == "websocket.accept"
        await self.send({"type": "connection_init"})
        assert await self.receive() == {"type": "connection_ack"}

    async def send(self, message: Any) -> None:
        """Send a message."""
        await self._app.send_input({"type": "websocket.receive", "text": json.dumps(message)})

    async def subscribe(self, name: str, query: str) -> None:
        """Begin an operation."""
        await self.send({"type": "subscribe", "id": name, "payload": {"query": query}})

    async def receive(self) -> Any:
        """Return the next message."""
        return json.loads((await self._app.receive_output(DEADLINE))["text"])

    async def leave(self) -> None:
        """End it."""
        await self._app.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._app.wait(DEADLINE)


async def test_operations_of_one_socket_do_not_wait_for_each_other() -> None:
    """Each has a thread: four that wait for one another come together."""
    found = Socket()
    await found.begin()
    for number in range(4):
        await found.subscribe(str(number), "{ meet }")
    answers = [await found.receive() for _ in range(8)]
    results = [each["payload"] for each in answers if each["type"] == "next"]
    assert results == [{"data": {"meet": True}}] * 4
    await found.leave()


@pytest.mark.django_db(transaction=True)
async def test_an_idle_subscription_holds_neither_thread_nor_connection() -> None:
    """On a WebSocket."""
    found = Socket()
    await found.begin()
    await found.subscribe("1", "subscription { threads }")
    name = (await found.receive())["payload"]["data"]["threads"]
    await _nothing_is_held(name)
    await found.leave()
    async with asyncio.timeout(DEADLINE):
        await gate["gone"].wait()


@pytest.mark.django_db(transaction=True)
@pytest.mark.urls(__name__)
@pytest.mark.parametrize("middleware", [[], ["django.middleware.gzip.GZipMiddleware"]])
async def test_an_idle_event_stream_holds_neither_thread_nor_connection(
    settings: LazySettings, middleware: list[str]
) -> None:
    """Nor is it held up by what compresses responses; its source is closed when its client goes."""
    settings.MIDDLEWARE = middleware
    settings.ALLOWED_HOSTS = ["testserver"]
    leave, sent = asyncio.Event(), asyncio.Queue[Any]()
    body = json.dumps({"query": "subscription { threads }"}).encode()
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        await leave.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "query_string": b"",
        "headers": [
            (b"host", b"testserver"),
            (b"content-type", b"application/json"),
            (b"accept", b"text/event-stream"),
            (b"accept-encoding", b"gzip"),
        ],
    }
    async with asyncio.timeout(DEADLINE):
        serving = asyncio.create_task(Handler()(scope, receive, sent.put))
        assert (await sent.get())["status"] == 200
        event = b""
        while not event.startswith(b"event: next"):
            event = (await sent.get())["body"]
        name = json.loads(event.split(b"data: ")[1])["data"]["threads"]
        await _nothing_is_held(name)
        leave.set()
        await serving
        await gate["gone"].wait()


async def _nothing_is_held(thread: str) -> None:
    """Wait until a thread has ended; its connection is closed by then."""
    for each in threading.enumerate():
        if each.name == thread:
            await asyncio.to_thread(each.join, DEADLINE)
            assert not each.is_alive()
    assert [each.connection for each in held] == [None]


@pytest.mark.parametrize("whose", [("session", "a"), "10.0.0.1"])
def test_a_socket_is_counted_until_it_ends_however_it_ends(whose: Any) -> None:
    """Also by an error."""
    with counted(whose, 1), pytest.raises(TooManySocketsError), counted(whose, 1):
        raise AssertionError
    with pytest.raises(ZeroDivisionError), counted(whose, 1):
        raise ZeroDivisionError
    with counted(whose, 1):
        pass


def test_addresses_are_those_of_clients() -> None:
    """One network of IPv6 is one client's; where there is no address, nobody is counted."""
    assert address_of(("2001:db8::1", 1)) == address_of(("2001:db8::2:3", 2))
    assert address_of(("2001:db8::1", 1)) != address_of(("2001:db8:0:1::1", 1))
    assert address_of(("10.0.0.1", 1)) != address_of(("10.0.0.2", 1))
    assert address_of(None) is None
    with counted(None, 0), counted(None, 0):
        pass
