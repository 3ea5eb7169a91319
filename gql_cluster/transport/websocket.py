"""GraphQL over WebSocket: `graphql-transport-ws`, and the older `graphql-ws`."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from asgiref.sync import ThreadSensitiveContext
from channels.consumer import get_handler_name
from channels.routing import URLRouter
from channels.security.websocket import OriginValidator
from channels.sessions import CookieMiddleware
from django.conf import settings
from django.urls import path
from strawberry.channels import GraphQLWSConsumer
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import WebSocketDisconnected

from gql_cluster import metrics
from gql_cluster.domain.error import DatabaseUnavailableError, UnauthenticatedError
from gql_cluster.transport import connections
from gql_cluster.transport.caller import caller_of, token_in
from gql_cluster.transport.encoding import encode
from gql_cluster.transport.operations import IdentifiedOperations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from strawberry.schema import BaseSchema

_INIT_TIMEOUT = timedelta(seconds=5)
_BAD_REQUEST = 4400
_TRY_AGAIN_LATER = 1013


class Consumer(GraphQLWSConsumer[dict[str, Any], None]):
    """One WebSocket; who calls is settled by its `connection_init`."""

    # No layer: what a socket hears of comes from the hub, and opening and closing one must not
    # wait for Redis.
    channel_layer_alias = ""
    graphql_transport_ws_handler_class = IdentifiedOperations

    async def dispatch(self, message: Any) -> None:
        """Take what the server says.

        Channels would have a thread look for old database connections each time; a socket that
        has none needs no thread, and what it has is given back when a message is sent.
        """
        await getattr(self, get_handler_name(message))(message)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take a message; one that is not of the protocol's shape closes the socket with 4400.

        Strawberry would stumble over it and leave the socket open and mute.
        """
        if text_data is not None:
            message = _parsed(text_data)
            if not _is_message(message):
                await self.close(code=_BAD_REQUEST, reason="The message is not of the protocol.")
                return
            if message.get("payload", ...) is None:
                # Legal, but Strawberry wants no payload rather than null.
                text_data = json.dumps({k: v for k, v in message.items() if k != "payload"})
        await super().receive(text_data=text_data, bytes_data=bytes_data)

    def encode_json(self, data: object) -> str:
        """Encode a message."""
        return encode(data)

    async def send(self, *args: Any, **kwargs: Any) -> None:
        """Send a message; what an operation needed of the database for it is free again."""
        with suppress(OSError):  # ASGI's word for a client that is gone; channels ends its work
            await super().send(*args, **kwargs)
        await connections.give_back()

    async def on_ws_connect(self, context: dict[str, Any]) -> Any:
        """Take the token of `connection_init`, or else the cookie of the handshake."""
        authorization = token_in(context.get("connection_params"))
        try:
            context["caller"] = await caller_of(authorization, self.scope.get("session"))
        except UnauthenticatedError as exc:
            raise ConnectionRejectionError({"code": exc.code.value, "message": str(exc)}) from exc
        except DatabaseUnavailableError as exc:
            await self.close(code=_TRY_AGAIN_LATER, reason=str(exc))
            raise WebSocketDisconnected from exc
        return await super().on_ws_connect(context)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_message(message: Any) -> bool:
    return (
        isinstance(message, dict)
        and isinstance(message.get("type"), str)
        and isinstance(message.get("id", ""), str)
        and isinstance(message.get("payload"), dict | None)
        and (message["type"] not in {"subscribe", "start"} or _is_request(message.get("payload")))
    )


def _is_request(payload: Any) -> bool:
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )


class Origins(OriginValidator):
    """Lets browsers connect from allowed hosts, and whatever sends no Origin: no browser does."""

    def valid_origin(self, parsed_origin: Any) -> bool:
        """Tell whether a client may connect."""
        return parsed_origin is None or super().valid_origin(parsed_origin)


class Sessions:
    """Puts Django's session into the scope, read when it is asked for.

    Channels' own looks with every message that is sent whether the session has to be saved, which
    no message of a WebSocket can do.
    """

    def __init__(self, inner: Callable[..., Awaitable[None]]) -> None:
        """Take what is served."""
        self._inner = inner
        self._store = import_module(settings.SESSION_ENGINE).SessionStore

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one WebSocket."""
        if "session" not in scope:  # by middleware of the project's own
            key = scope["cookies"].get(settings.SESSION_COOKIE_NAME)
            scope = {**scope, "session": self._store(key)}
        await self._inner(scope, receive, send)


def _allowed_hosts() -> list[str]:
    if settings.DEBUG and not settings.ALLOWED_HOSTS:
        return ["localhost", "127.0.0.1", "[::1]"]
    return list(settings.ALLOWED_HOSTS)


def websocket_application(
    schema: BaseSchema, route: str = "graphql"
) -> Callable[..., Awaitable[None]]:
    """Return the ASGI application of the WebSockets, for `ProtocolTypeRouter`.

    A browser may only connect from an allowed host. The database work of one socket does not
    wait for that of another.
    """
    consumer: Any = Consumer.as_asgi(schema=schema, connection_init_wait_timeout=_INIT_TIMEOUT)
    routes: list[Any] = [path(route, consumer)]
    routed = Origins(CookieMiddleware(Sessions(URLRouter(routes))), _allowed_hosts())

    async def application(scope: Any, receive: Any, send: Any) -> None:
        connections.begin()
        metrics.open_now["sockets"] += 1
        async with ThreadSensitiveContext():
            try:
                await routed(scope, receive, send)
            finally:
                metrics.open_now["sockets"] -= 1
                await connections.give_back()

    return application
