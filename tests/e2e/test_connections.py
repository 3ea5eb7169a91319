"""Sockets that stay open don't keep the database's connections."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.e2e.conftest import StartWorkers

PROTOCOL = Subprotocol("graphql-transport-ws")


async def ask(socket: ClientConnection, query: str) -> dict[str, object]:
    """Run one query on a socket and return its result."""
    message = {"id": "q", "type": "subscribe", "payload": {"query": query}}
    await socket.send(json.dumps(message))
    result: dict[str, object] = json.loads(await socket.recv())
    while json.loads(await socket.recv())["type"] != "complete":
        pass
    return result


async def test_idle_sockets_share_few_connections(start_workers: StartWorkers) -> None:
    """Ten open sockets each read the database, which lends the worker two connections."""
    (worker,) = start_workers(1, DATABASE_POOL_SIZE="2")
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        for _ in range(10):
            socket = await stack.enter_async_context(
                connect(worker.websocket, subprotocols=[PROTOCOL])
            )
            await socket.send(json.dumps({"type": "connection_init"}))
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            result = await ask(socket, "{ bands { name members { name } } }")
            assert result["type"] == "next"
            assert "errors" not in result["payload"]  # type: ignore[operator]
