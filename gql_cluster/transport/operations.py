"""The operations of a WebSocket, told apart in the log."""

from __future__ import annotations

from typing import Any

from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)

from gql_cluster import logs
from gql_cluster.transport.identified import is_id


class IdentifiedOperations(BaseGraphQLTransportWSHandler[Any, Any]):
    """Gives the records of each operation its id, as the client chose it, and its socket's."""

    async def run_operation(self, operation: Operation[Any, Any]) -> None:
        """Run an operation, in a task of its own."""
        socket = logs.current()
        request = logs.Request(operation_id=operation.id if is_id(operation.id) else logs.UNKNOWN)
        if socket is not None:
            request.connection_id = socket.connection_id
            request.session_id = socket.session_id
        logs.begin(request)
        await super().run_operation(operation)
