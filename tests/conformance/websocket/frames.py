"""A WebSocket on which a test says what it likes."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.e2e.workers import Worker
from tests.served import DEADLINE

NEW = "graphql-transport-ws"
OLD = "graphql-ws"
TYPENAME = {"query": "{ __typename }"}
DATA = {"data": {"__typename": "Query"}}


class Socket:
    """A connection, with messages as they are in JSON."""

    def __init__(self, connection: ClientConnection) -> None:
        """Take an open connection."""
        self.connection = connection

    def send(self, message: Any) -> None:
        """Send a message; text and bytes as they are."""
        raw = message if isinstance(message, str | bytes) else json.dumps(message)
        self.connection.send(raw)

    def receive(self) -> Any:
        """Return the next message."""
        return json.loads(self.connection.recv(DEADLINE))

    def ask(self, message: Any) -> Any:
        """Send a message and return the next one that comes."""
        self.send(message)
        return self.receive()

    def begin(self, payload: Any = None) -> None:
        """Send the init, and have it acknowledged."""
        answer = self.ask({"type": "connection_init", "payload": payload or {}})
        assert answer["type"] == "connection_ack", answer

    def subscribe(self, name: str, query: str = "{ __typename }", **more: Any) -> None:
        """Begin an operation."""
        self.send({"type": "subscribe", "id": name, "payload": {"query": query, **more}})

    def of(self, name: str) -> Any:
        """Return the next message of an operation, past those of others."""
        while (message := self.receive()).get("id") != name:
            pass
        return message

    def closed(self) -> tuple[int, str]:
        """Wait until the server closes, past what it has to say before; return code and reason."""
        with pytest.raises(ConnectionClosed) as closed:
            deque(iter(partial(self.connection.recv, DEADLINE), None), maxlen=0)
        assert closed.value.rcvd is not None, "closed without a word"
        return closed.value.rcvd.code, closed.value.rcvd.reason


@contextmanager
def dial(
    server: Worker, *protocols: str, origin: str | None = None, **headers: str
) -> Iterator[Socket]:
    """Open a connection that has said nothing yet."""
    with connect(
        server.websocket,
        subprotocols=[Subprotocol(each) for each in protocols or (NEW,)],
        origin=Origin(origin) if origin else None,
        additional_headers=headers,
        open_timeout=DEADLINE,
        close_timeout=DEADLINE,
        max_size=None,
        proxy=None,
    ) as connection:
        yield Socket(connection)


@contextmanager
def begun(server: Worker, token: str = "", protocol: str = NEW) -> Iterator[Socket]:
    """Open a connection, and have it acknowledged."""
    with dial(server, protocol) as socket:
        socket.begin({"Authorization": f"Bearer {token}"} if token else None)
        yield socket
