"""Clients of a worker: GraphQL over HTTP, and over a WebSocket by graphql-transport-ws.

They know of the service what its users know: addresses, operations and tokens. Every wait ends
after `DEADLINE` seconds.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.e2e import operations
from tests.e2e.workers import Worker

DEADLINE = 20.0
NOTICES = ("EditorsChanged", "BaseChanged", "DraftExpiring", "DraftExpired")
PROTOCOL = Subprotocol("graphql-transport-ws")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for one operation."""

    status: int
    data: Any = None
    errors: list[Any] = field(default_factory=list)

    @property
    def codes(self) -> list[str]:
        """The codes of the GraphQL errors."""
        return [error.get("extensions", {}).get("code") for error in self.errors]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One session at one worker; `at` is the same session at another."""

    http: httpx.AsyncClient
    worker: Worker
    token: str | None = None
    session: str | None = None

    def at(self, worker: Worker) -> Client:
        """Return a client of the same session at another worker."""
        return replace(self, worker=worker)

    async def started(self) -> Client:
        """Return a client of a session that has just been started."""
        session = (await self.data("mutation { startSession { token id } }"))["startSession"]
        return replace(self, token=session["token"], session=session["id"])

    async def post(self, query: str, **variables: Any) -> Answer:
        """Send one operation and return the whole answer."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        body = {"query": query, "variables": variables}
        return await self.answer("POST", json=body, headers=headers)

    async def answer(self, method: str, **request: Any) -> Answer:
        """Send any HTTP request to the address of GraphQL and return the whole answer."""
        response = await self.http.request(method, self.worker.graphql, **request)
        body = response.json()
        return Answer(
            status=response.status_code, data=body.get("data"), errors=body.get("errors", [])
        )

    async def data(self, query: str, **variables: Any) -> Any:
        """Return the data of an operation that must have no errors."""
        answer = await self.post(query, **variables)
        assert not answer.errors, answer.errors
        return answer.data

    async def payload(self, query: str, **variables: Any) -> Any:
        """Return the payload of a mutation that may be refused."""
        return (await self.data(query, **variables))["payload"]

    async def open(self, **given: Any) -> str:
        """Open a draft of a band that must be accepted, and return the draft's id."""
        payload = await self.payload(operations.OPEN, **given)
        assert not payload["errors"], payload["errors"]
        return str(payload["draft"]["id"])

    async def try_edit(
        self,
        draft: str,
        *changes: Any,
        expected: int | None = None,
        change_id: str | None = None,
    ) -> Any:
        """Stage changes of a band, and return the payload, whatever it says."""
        return await self.payload(
            operations.EDIT, draft=draft, changes=list(changes), expected=expected, id=change_id
        )

    async def edit(self, draft: str, *changes: Any, change_id: str | None = None) -> Any:
        """Stage changes of a band that must be accepted, and return the payload."""
        payload = await self.try_edit(draft, *changes, change_id=change_id)
        assert not payload["errors"], payload["errors"]
        return payload

    async def try_commit(
        self, draft: str, *, change_id: str | None = None, expected: int | None = None
    ) -> Any:
        """Commit a draft of a band, and return the payload, whatever it says."""
        return await self.payload(operations.COMMIT, draft=draft, id=change_id, expected=expected)

    async def commit(self, draft: str, *, change_id: str | None = None) -> Any:
        """Commit a draft of a band that must be accepted, and return the payload."""
        payload = await self.try_commit(draft, change_id=change_id)
        assert not payload["errors"], payload["errors"]
        return payload

    async def focus(self, draft: str, key: str | None = None, field: str | None = None) -> Any:
        """Move the focus, and return whether that is kept."""
        return (await self.data(operations.FOCUS, draft=draft, key=key, field=field))["focused"]

    async def draft(self, draft: str) -> Any:
        """Return a draft of a band with its cluster."""
        return (await self.data(operations.DRAFT, draft=draft))["draft"]

    async def band(self, pk: str) -> Any:
        """Return a saved band with its cluster."""
        return (await self.data(operations.SAVED, pk=pk))["band"]

    @asynccontextmanager
    async def watch(self, draft: str, after: int | None = None) -> AsyncIterator[Watcher]:
        """Subscribe to a draft on a socket of its own."""
        async with open_socket(self.worker, token=self.token) as socket:
            operation = await socket.start(operations.WATCH, draft=draft, after=after)
            yield Watcher(socket, operation)


class Socket:
    """An acknowledged connection, on which any number of operations run."""

    def __init__(self, connection: ClientConnection) -> None:
        """Take a connection that `open_socket` has made."""
        self._connection = connection
        self._names = map(str, itertools.count(1))
        self._inbox: defaultdict[str, deque[Any]] = defaultdict(deque)

    async def start(self, query: str, **variables: Any) -> str:
        """Start an operation and return its name."""
        name = next(self._names)
        payload = {"query": query, "variables": variables}
        await self.send({"type": "subscribe", "id": name, "payload": payload})
        return name

    async def stop(self, name: str) -> None:
        """End an operation from this side."""
        await self.send({"type": "complete", "id": name})

    async def send(self, message: Any) -> None:
        """Send one message."""
        await self._connection.send(json.dumps(message))

    def cut(self) -> None:
        """Let the line go dead, without a word to the other side."""
        self._connection.transport.abort()

    async def receive(self, name: str) -> Any:
        """Return the next message of an operation; those of others are kept for later."""
        async with asyncio.timeout(DEADLINE):
            while not self._inbox[name]:
                message = json.loads(await self._connection.recv())
                self._inbox[message.get("id", "")].append(message)
        return self._inbox[name].popleft()


class Watcher:
    """A subscription to the events of one draft."""

    def __init__(self, socket: Socket, operation: str) -> None:
        """Take an operation that was started on a socket."""
        self._socket = socket
        self._operation = operation

    async def next(self, *, notices: bool = False) -> Any:
        """Return the next event; with `notices` also one without a number of its own."""
        while True:
            message = await self._socket.receive(self._operation)
            assert message["type"] == "next", message
            assert "errors" not in message["payload"], message
            event = message["payload"]["data"]["event"]
            if notices or event["__typename"] not in NOTICES:
                return event

    async def notice(self) -> Any:
        """Return the next event, which must be one without a number of its own."""
        event = await self.next(notices=True)
        assert event["__typename"] in NOTICES, event
        return event

    async def take(self, count: int) -> list[Any]:
        """Return so many events."""
        return [await self.next() for _ in range(count)]

    async def refused(self) -> list[str]:
        """Return the codes with which the service has refused the operation."""
        message = await self._socket.receive(self._operation)
        assert message["type"] == "error", message
        return [error["extensions"]["code"] for error in message["payload"]]

    async def ended(self) -> list[str]:
        """Return the codes of the result with which the service ends a stream, past notices."""
        while True:
            message = await self._socket.receive(self._operation)
            assert message["type"] == "next", message
            if errors := message["payload"].get("errors"):
                assert await self.completed()
                return [error["extensions"]["code"] for error in errors]
            assert message["payload"]["data"]["event"]["__typename"] in NOTICES, message

    def cut(self) -> None:
        """Lose the connection."""
        self._socket.cut()

    async def completed(self) -> bool:
        """Tell whether the service has ended the subscription with nothing more to say."""
        return bool((await self._socket.receive(self._operation))["type"] == "complete")


@asynccontextmanager
async def open_socket(
    worker: Worker, *, token: str | None = None, cookie: str = "", origin: str | None = None
) -> AsyncIterator[Socket]:
    """Connect, by a token in `connection_init` or by a browser's cookie, and wait for leave."""
    async with dial(worker, cookie=cookie, origin=origin) as connection:
        payload = {"Authorization": f"Bearer {token}"} if token else {}
        await connection.send(json.dumps({"type": "connection_init", "payload": payload}))
        async with asyncio.timeout(DEADLINE):
            answer = json.loads(await connection.recv())
        assert answer["type"] == "connection_ack", answer
        yield Socket(connection)


def dial(worker: Worker, *, cookie: str = "", origin: str | None = None) -> connect:
    """Return the way to a connection that has said nothing yet; only a browser has an origin."""
    return connect(
        worker.websocket,
        subprotocols=[PROTOCOL],
        origin=Origin(origin) if origin else None,
        additional_headers={"Cookie": cookie} if cookie else {},
        open_timeout=DEADLINE,
        close_timeout=DEADLINE,
        proxy=None,
    )
