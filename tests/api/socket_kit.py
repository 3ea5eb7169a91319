"""A WebSocket of the application, in process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from asgiref.testing import ApplicationCommunicator

import gql_cluster
from gql_cluster.transport.websocket import websocket_application

NO_HEADERS: Mapping[str, str] = {}


class Socket:
    """A WebSocket of a session, whose messages are told apart by the operation's id."""

    def __init__(self, made: gql_cluster.Schema, headers: Mapping[str, str]) -> None:
        """Open it when it is entered."""
        scope = {
            "type": "websocket",
            "path": "/graphql",
            "query_string": b"",
            "subprotocols": ["graphql-transport-ws"],
            "client": ("127.0.0.1", 5),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        make: Any = ApplicationCommunicator
        self._wire: Any = make(websocket_application(made), scope)

    async def begin(self, token: str | None) -> None:
        """Open the connection as a session; without a token as its cookie says."""
        await self._wire.send_input({"type": "websocket.connect"})
        assert (await self._wire.receive_output())["type"] == "websocket.accept"
        payload = {} if token is None else {"Authorization": f"Bearer {token}"}
        await self.send(type="connection_init", payload=payload)
        assert (await self.receive())["type"] == "connection_ack"

    async def send(self, **message: Any) -> None:
        """Send a message."""
        text = json.dumps(message)
        await self._wire.send_input({"type": "websocket.receive", "text": text})

    async def watch(self, query: str, **variables: Any) -> None:
        """Subscribe."""
        payload = {"query": query, "variables": variables}
        await self.send(id="1", type="subscribe", payload=payload)

    async def receive(self) -> Any:
        """Return the next message."""
        return json.loads((await self._wire.receive_output(timeout=20))["text"])

    async def event(self, kind: str) -> Any:
        """Return the next event of a kind, as it is served."""
        while True:
            message = await self.receive()
            assert message["type"] == "next", message
            found = (message["payload"]["data"] or {}).get("draftEvents")
            if found is None or found["__typename"] == kind:
                return message["payload"]

    async def end(self) -> None:
        """Close it."""
        await self._wire.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._wire.wait(timeout=20)


@asynccontextmanager
async def socket_of(
    made: gql_cluster.Schema, token: str | None, headers: Mapping[str, str] = NO_HEADERS
) -> AsyncIterator[Socket]:
    """Yield a connection of a session."""
    opened = Socket(made, {"host": "testserver", **headers})
    await opened.begin(token)
    try:
        yield opened
    finally:
        await opened.end()
