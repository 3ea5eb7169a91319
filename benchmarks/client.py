"""Clients that cost little: their process must not be what is measured."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import aiohttp
import msgspec
import uvloop

from benchmarks import documents
from benchmarks.servers import Worker

T = TypeVar("T")

_REFUSALS = (b'"message"', b'"code"')
_REFUSED_TEXT = tuple(word.decode() for word in _REFUSALS)
_PROTOCOL = "graphql-transport-ws"
_counter = itertools.count()


class RefusedError(RuntimeError):
    """A request did not do what it should; a measurement of it would mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One session at one worker, on connections that are kept; `at` is the same at another."""

    http: aiohttp.ClientSession
    worker: Worker
    token: str = ""

    def at(self, worker: Worker) -> Client:
        """Return a client of the same session at another worker."""
        return replace(self, worker=worker)

    async def post(self, document: str, **variables: Any) -> bytes:
        """Send an operation and return the body of the reply, which must tell no error."""
        body = msgspec.json.encode({"query": document, "variables": variables})
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        async with self.http.post(self.worker.http, data=body, headers=headers) as response:
            reply = await response.read()
        if response.status != 200 or any(word in reply for word in _REFUSALS):
            raise RefusedError(reply[:1000])
        return reply

    async def data(self, document: str, **variables: Any) -> Any:
        """Send an operation and return its data."""
        return msgspec.json.decode(await self.post(document, **variables))["data"]

    async def ping(self) -> None:
        """Ask for next to nothing."""
        await self.post(documents.PING)

    async def started(self) -> Client:
        """Return a client of a session that has just been started."""
        token = (await self.data(documents.START))["startSession"]["token"]
        return replace(self, token=token)

    async def open(self, pk: int) -> str:
        """Open another draft of an order and return its id."""
        payload = (await self.data(documents.OPEN, pk=pk))["payload"]
        return str(payload["draft"]["id"])

    async def socket(self) -> Socket:
        """Open a WebSocket of this session; it closes with the session's connections."""
        connection = await self.http.ws_connect(
            self.worker.websocket, protocols=[_PROTOCOL], max_msg_size=0, autoping=True
        )
        payload = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        socket = Socket(connection)
        await socket.send({"type": "connection_init", "payload": payload})
        if (answer := await socket.receive()).type != "connection_ack":
            raise RefusedError(answer)
        return socket


class Versioned(msgspec.Struct):
    """What is looked at of a draft, and of the event that an edit has made."""

    version: int


class Edited(msgspec.Struct):
    """What is looked at of an edit's payload."""

    draft: Versioned
    event: Versioned


class Event(msgspec.Struct):
    """What is looked at of an event."""

    typename: str = msgspec.field(name="__typename", default="")
    version: int = 0


class Data(msgspec.Struct):
    """What is looked at of the data."""

    event: Event | None = None
    payload: Edited | None = None


class Payload(msgspec.Struct):
    """What is looked at of a payload."""

    data: Data | None = None


class Message(msgspec.Struct):
    """What is looked at of a message of the protocol."""

    type: str
    payload: Payload | None = None


_decode = msgspec.json.Decoder(Payload).decode


class Socket:
    """An acknowledged WebSocket, with one operation at a time."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        """Take a connection."""
        self._connection = connection
        self._decode = msgspec.json.Decoder(Message).decode

    async def send(self, message: Any) -> None:
        """Send a message."""
        await self._connection.send_str(msgspec.json.encode(message).decode())

    async def start(self, document: str, **variables: Any) -> None:
        """Begin an operation."""
        payload = {"query": document, "variables": variables}
        await self.send({"id": str(next(_counter)), "type": "subscribe", "payload": payload})

    async def receive(self) -> Message:
        """Return the next message, which must tell no error."""
        text = await self._connection.receive_str()
        if any(word in text for word in _REFUSED_TEXT):
            raise RefusedError(text[:1000])
        return self._decode(text)

    async def run(self, document: str, **variables: Any) -> Payload | None:
        """Run an operation that has one result, to its end, and return that."""
        await self.start(document, **variables)
        result, end = await self.receive(), await self.receive()
        if (result.type, end.type) != ("next", "complete"):
            raise RefusedError(result, end)
        return result.payload

    async def close(self) -> None:
        """Close it."""
        await self._connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """A client with a draft of its own, of which it edits one line over and over."""

    client: Client
    draft: str
    key: str
    over: Socket | None = None

    async def edit(self) -> int:
        """Give a field of the line another value, and return the version that it made."""
        variables = {"draft": self.draft, "key": self.key, "note": str(next(_counter))}
        if self.over is None:
            reply = await self.client.post(documents.EDIT, **variables)
            payload: Payload | None = _decode(reply)
        else:
            payload = await self.over.run(documents.EDIT, **variables)
        edited = payload and payload.data and payload.data.payload
        if not edited or edited.event.version != edited.draft.version:
            raise RefusedError(payload)
        return edited.event.version

    def at(self, worker: Worker) -> Editor:
        """Return the same editor at another worker."""
        return replace(self, client=self.client.at(worker))

    async def on_socket(self) -> Editor:
        """Return the same editor with a WebSocket of its own."""
        return replace(self, over=await self.client.socket())


async def make_editors(client: Client, pk: int, keys: list[str]) -> list[Editor]:
    """Open a draft of an order for each of some lines."""
    return [Editor(client=client, draft=await client.open(pk), key=key) for key in keys]


def run_clients(clients: Coroutine[Any, Any, T]) -> T:
    """Run what clients do, on the same event loop as the workers'."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(clients)


@asynccontextmanager
async def session_at(worker: Worker) -> AsyncIterator[Client]:
    """Connect to a worker as a new session."""
    async with connected_to(worker) as client:
        yield await client.started()


@asynccontextmanager
async def connected_to(worker: Worker) -> AsyncIterator[Client]:
    """Connect to a worker, without a session."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=120)
    async with AsyncExitStack() as stack:
        http = aiohttp.ClientSession(connector=connector, timeout=timeout)
        yield Client(http=await stack.enter_async_context(http), worker=worker)
