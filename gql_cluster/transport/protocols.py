"""The two protocols of a WebSocket, as Strawberry speaks them, where it is not to the letter."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, assert_never

import msgspec
from graphql import GraphQLError
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)
from strawberry.subscriptions.protocols.graphql_ws.handlers import BaseGraphQLWSHandler

from gql_cluster.transport import connections
from gql_cluster.transport.identified import begin_operation
from gql_cluster.transport.messages import (
    Complete,
    ConnectionInit,
    ConnectionTerminate,
    Message,
    Ping,
    Pong,
    Start,
    Stop,
    Subscribe,
)
from gql_cluster.transport.refusal import LIMIT_EXCEEDED

UNAUTHORIZED = 4401
INVALID_MESSAGE = 4400
INIT_TIMEOUT = 4408
_NOT_OF_THE_PROTOCOL = "The message is not of the protocol."


class TransportWs(BaseGraphQLTransportWSHandler[dict[str, Any], None]):
    """`graphql-transport-ws`."""

    async def handle_message(self, message: Message) -> None:  # type: ignore[override]
        """Take a message that has the shape of one."""
        match message:
            case Subscribe():
                await self._subscribe(message)
            case ConnectionInit(payload=payload):
                await self.handle_connection_init(
                    {"type": "connection_init", "payload": payload or {}}
                )
            case Ping(payload=payload):
                pong: Any = {"type": "pong"} | ({} if payload is None else {"payload": payload})
                await self.send_message(pong)
            case Pong():
                pass
            case Complete(id=id_):
                await self.cleanup_operation(id_)
            case Start() | Stop() | ConnectionTerminate():
                await self.handle_invalid_message(_NOT_OF_THE_PROTOCOL)
            case _:
                assert_never(message)

    async def run_operation(self, operation: Any) -> None:
        """Run an operation, whose database work does not wait for that of another."""
        begin_operation(operation.id)
        connections.begin_alone()
        try:
            await super().run_operation(operation)
        finally:
            await connections.let_go()

    async def _subscribe(self, message: Subscribe) -> None:
        is_one_more = self.connection_acknowledged and message.id not in self.operations
        if is_one_more and len(self.operations) >= (
            self.view.max_subscriptions_per_connection or 0
        ):
            error: Any = {"id": message.id, "type": "error", "payload": [_too_many().formatted]}
            await self.send_message(error)
            return
        await self.handle_subscribe(
            {
                "type": "subscribe",
                "id": message.id,
                "payload": {
                    "query": message.payload.query,
                    "variables": message.payload.variables,
                    "operationName": message.payload.operation_name,
                },
            }
        )


class Ws(BaseGraphQLWSHandler[dict[str, Any], None]):
    """The older `graphql-ws`."""

    def __init__(self, *, schema: Any, **more: Any) -> None:
        """Take a schema, of which Strawberry would execute subscriptions alone."""
        super().__init__(schema=_Everything(subscribe=schema.stream), **more)  # type: ignore[arg-type]

    async def handle(self) -> None:
        """Serve the socket; one that does not begin is closed, as by the newer protocol."""
        beginning = asyncio.create_task(self._expect_init())
        try:
            await super().handle()
        finally:
            beginning.cancel()

    async def handle_message(self, message: Message) -> None:  # type: ignore[override]
        """Take a message that has the shape of one."""
        match message:
            case Start(id=id_) if id_ not in self.tasks and len(self.tasks) >= self._most():
                error: Any = {"id": id_, "type": "error", "payload": _too_many().formatted}
                await self.send_message(error)
            case ConnectionInit() | Start() | Stop() | ConnectionTerminate():
                await super().handle_message(msgspec.to_builtins(message))
            case Subscribe() | Complete() | Ping() | Pong():
                await self.websocket.close(INVALID_MESSAGE, _NOT_OF_THE_PROTOCOL)
            case _:
                assert_never(message)

    async def handle_async_results(
        self, operation_id: str, query: str, operation_name: Any, variables: Any
    ) -> None:
        """Run an operation, whose database work does not wait for that of another."""
        begin_operation(operation_id)
        connections.begin_alone()
        try:
            await super().handle_async_results(operation_id, query, operation_name, variables)
        finally:
            await connections.let_go()

    def _most(self) -> int:
        return self.max_subscriptions_per_connection or 0

    async def _expect_init(self) -> None:
        await asyncio.sleep(self.view.connection_init_wait_timeout.total_seconds())
        if not self.connection_acknowledged:
            await self.websocket.close(INIT_TIMEOUT, "Connection initialisation timeout")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Everything:
    """Stands for a schema whose `subscribe` takes queries and mutations, too."""

    subscribe: Any


def _too_many() -> GraphQLError:
    return GraphQLError(
        "Too many operations run on this socket.", extensions={"code": LIMIT_EXCEEDED}
    )
