"""GraphQL over WebSocket: `graphql-transport-ws`, and the older `graphql-ws`."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from asgiref.sync import ThreadSensitiveContext
from channels.consumer import get_handler_name
from channels.routing import URLRouter
from channels.sessions import CookieMiddleware
from django.conf import settings
from django.urls import path
from strawberry.channels import GraphQLWSConsumer
from strawberry.channels.handlers.ws_handler import ChannelsWebSocketAdapter
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import WebSocketDisconnected

from gql_cluster import conf, metrics
from gql_cluster.domain.error import DatabaseUnavailableError, UnauthenticatedError
from gql_cluster.transport import connections
from gql_cluster.transport.caller import caller_by_socket
from gql_cluster.transport.encoding import encode
from gql_cluster.transport.messages import MalformedMessageError, Message, decoded
from gql_cluster.transport.origins import Origins
from gql_cluster.transport.protocols import INVALID_MESSAGE, TransportWs, Ws
from gql_cluster.transport.sockets import (
    TooManySocketsError,
    address_of,
    counted,
    session_key,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    from strawberry.schema import BaseSchema

logger = logging.getLogger("gql_cluster")

_TOO_BIG = 1009
_INTERNAL_ERROR = 1011
_TRY_AGAIN_LATER = 1013
_MAX_REASON = 123  # bytes, by RFC 6455, section 5.5
_WAITING = 16
"""How many messages may wait to be taken; behind that the client has to."""


class Adapter(ChannelsWebSocketAdapter):
    """Gives a protocol the messages of a socket until that is closed, from whichever side."""

    async def iter_json(
        self, *, ignore_parsing_errors: bool = False
    ) -> AsyncGenerator[object, None]:
        """Yield each message."""
        del ignore_parsing_errors
        consumer: Any = self.ws_consumer
        while (message := await consumer.inbox.get()) is not None and not consumer.is_closed:
            yield message


class Consumer(GraphQLWSConsumer[dict[str, Any], None]):
    """One WebSocket; who calls is settled by its `connection_init`."""

    # No layer: what a socket hears of comes from the hub, and opening and closing one must not
    # wait for Redis.
    channel_layer_alias = ""
    websocket_adapter_class = Adapter
    graphql_transport_ws_handler_class = TransportWs
    graphql_ws_handler_class = Ws

    def __init__(self, schema: BaseSchema) -> None:
        """Take what is served; the limits are those of now."""
        self.settings = conf.load()
        super().__init__(
            schema=schema,
            connection_init_wait_timeout=timedelta(seconds=self.settings.INIT_TIMEOUT),
            max_subscriptions_per_connection=self.settings.MAX_SUBSCRIPTIONS,
        )
        self.inbox: asyncio.Queue[Message | None] = asyncio.Queue(_WAITING)
        self.is_closed = False
        self._held = ExitStack()
        self._serving: asyncio.Task[Any] | None = None

    def is_websocket_origin_allowed(self, request: Any, origin: str) -> bool:
        """Tell whether a page may connect: `Origins` has asked already."""
        del request, origin
        return True

    async def dispatch(self, message: Any) -> None:
        """Take what the server says.

        Channels would have a thread look for old database connections each time; a socket that
        has none needs no thread, and what it has is given back when a message is sent.
        """
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        """Begin to serve the socket."""
        self._serving = asyncio.current_task()
        self.run_task = asyncio.create_task(self._serve())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take a message; one that is not of the protocol's shape closes the socket with 4400.

        Strawberry would stumble over it and leave the socket open and mute. Where messages come
        faster than they are taken, this waits, and with it the client.
        """
        del bytes_data
        if self.is_closed:
            return
        if text_data is None:
            await self.close(code=INVALID_MESSAGE, reason="A message has to be text.")
        elif _is_longer(text_data, self.settings.MAX_MESSAGE_BYTES):
            await self.close(code=_TOO_BIG, reason="The message is too large.")
        else:
            try:
                message = decoded(text_data)
            except MalformedMessageError as exc:
                await self.close(code=INVALID_MESSAGE, reason=str(exc))
            else:
                await self.inbox.put(message)

    async def disconnect(self, code: int) -> None:
        """End with the client."""
        del code
        self._end()
        if self.run_task is not None:
            with self._patience():
                await self.run_task

    async def close(self, code: Any = None, reason: str | None = None) -> None:
        """Close the socket; what runs on it ends, and nothing that comes behind is taken."""
        if not self.is_closed:
            self._end()
            with self._patience(), suppress(OSError):
                await super().close(code=code, reason=_cut(reason))

    def encode_json(self, data: object) -> str:
        """Encode a message."""
        return encode(data)

    async def send(self, *args: Any, **kwargs: Any) -> None:
        """Send a message; what an operation needed of the database for it is free again."""
        if not self.is_closed:
            # OSError is ASGI's word for a client that is gone; channels ends its work.
            with self._patience(), suppress(OSError):
                await super().send(*args, **kwargs)
        await connections.let_go()

    async def on_ws_connect(self, context: dict[str, Any]) -> Any:
        """Take the token of `connection_init`, or else the cookie of the handshake."""
        try:
            scope: Any = self.scope
            context["caller"] = await caller_by_socket(scope, context.get("connection_params"))
            session = session_key(context["caller"].session)
            self._held.close()  # the older protocol may begin again
            self._held.enter_context(counted(session, self.settings.MAX_SOCKETS_PER_SESSION))
        except UnauthenticatedError as exc:
            raise ConnectionRejectionError({"code": exc.code.value, "message": str(exc)}) from exc
        except DatabaseUnavailableError as exc:
            await self.close(code=_TRY_AGAIN_LATER, reason=str(exc))
            raise WebSocketDisconnected from exc
        except TooManySocketsError as exc:
            await self.close(code=_TRY_AGAIN_LATER, reason="Too many sockets of this session.")
            raise WebSocketDisconnected from exc
        return await super().on_ws_connect(context)

    async def _serve(self) -> None:
        try:
            with self._held:
                served: Any = self
                await self.run(served)
        except Exception:
            logger.exception("A WebSocket ends")
            await self.close(code=_INTERNAL_ERROR)

    @contextmanager
    def _patience(self) -> Iterator[None]:
        """Give the client up where it keeps the body waiting: it takes nothing of what is sent."""
        timer = asyncio.get_running_loop().call_later(self.settings.SEND_TIMEOUT, self._give_up)
        try:
            yield
        finally:
            timer.cancel()

    def _give_up(self) -> None:
        self._end()
        scope: Any = self.scope
        scope["gql_cluster.given_up"].set()
        for task in (self.run_task, self._serving):
            if task is not None:
                task.cancel()

    def _end(self) -> None:
        """Let the messages end, at once where nobody waits for one."""
        self.is_closed = True
        with suppress(asyncio.QueueFull):  # then the next one that is taken tells it
            self.inbox.put_nowait(None)


def _is_longer(text: str, limit: int) -> bool:
    """Tell whether a text has more bytes; a character has four at most."""
    return len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit)


def _cut(reason: str | None) -> str | None:
    """Return as much of a reason as a closing frame can hold."""
    return reason and reason.encode()[:_MAX_REASON].decode(errors="ignore")


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


def websocket_application(
    schema: BaseSchema, route: str = "graphql"
) -> Callable[..., Awaitable[None]]:
    """Return the ASGI application of the WebSockets, for `ProtocolTypeRouter`.

    A browser may only connect from an allowed host. The database work of one socket does not
    wait for that of another.
    """
    consumer: Any = Consumer.as_asgi(schema=schema)
    routes: list[Any] = [path(route, consumer)]
    routed = Origins(CookieMiddleware(Sessions(URLRouter(routes))))

    async def application(scope: Any, receive: Any, send: Any) -> None:
        address = address_of(scope.get("client"))
        try:
            with counted(address, conf.load().MAX_SOCKETS_PER_ADDRESS):
                await _served(routed, scope, receive, send)
        except TooManySocketsError:
            await receive()
            await send({"type": "websocket.close", "code": _TRY_AGAIN_LATER})  # 403 to the client

    return application


async def _served(routed: Any, scope: Any, receive: Any, send: Any) -> None:
    connections.begin()
    metrics.open_now["sockets"] += 1
    given_up = asyncio.Event()
    async with ThreadSensitiveContext():
        try:
            await routed({**scope, "gql_cluster.given_up": given_up}, receive, send)
        except asyncio.CancelledError:
            if not given_up.is_set():
                raise
        finally:
            metrics.open_now["sockets"] -= 1
            await connections.give_back()
