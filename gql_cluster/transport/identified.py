"""Each request has an id: its log records have it, and its answer.

It is the client's or the proxy's own where that is one (`X-Request-ID`, or the trace of a
`traceparent`), so that their records and ours can be told together.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gql_cluster import logs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_HEADER = b"x-request-id"
# What can't break a line, or a field, of any log.
_ID = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")
# https://www.w3.org/TR/trace-context/#traceparent-header: version, trace, span, flags.
_TRACE = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


def identified(application: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Return the ASGI application with an id for each request and each WebSocket."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        kind = scope["type"]
        if kind not in {"http", "websocket"}:
            await application(scope, receive, send)
            return
        request_id = _given(scope["headers"]) or logs.new_id()
        start = "http.response.start" if kind == "http" else "websocket.accept"
        header = (_HEADER, request_id.encode())

        async def answer(message: Any) -> None:
            if message["type"] == start:
                message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        if kind == "http":
            request = logs.Request(request_id=request_id)
        else:
            request = logs.Request(connection_id=request_id)
        token = logs.begin(request)
        try:
            await application(scope, receive, answer)
        finally:
            logs.end(token)

    return served


def begin_operation(name: str) -> None:
    """Let the running task be an operation of its WebSocket, called as its client chose."""
    request = logs.Request(operation_id=name if _is_id(name) else logs.UNKNOWN)
    socket = logs.current()
    if socket is not None:
        request.connection_id, request.session_id = socket.connection_id, socket.session_id
    logs.begin(request)


def _is_id(text: str) -> bool:
    """Tell whether what a client calls something is fit for a log."""
    return _ID.fullmatch(text) is not None


def _given(headers: Any) -> str | None:
    """Return the id that came with a request, if it is fit for a log."""
    trace = None
    for name, value in headers:
        if name == _HEADER and _is_id(given := value.decode("latin-1")):
            return str(given)
        if name == b"traceparent" and (found := _TRACE.fullmatch(value)):
            trace = found[1].decode()
    return trace
