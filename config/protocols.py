"""uvicorn's two protocols, with the limits of time and size that it has none of.

A client has `BODY_TIMEOUT` for the head of a request, too, which may have 64 KiB, and has to take
what it is sent: where nothing more can be sent to it for `SEND_TIMEOUT`, the connection is cut. So
neither a slow nor a mute client holds memory for long. A proxy in front does the same.
"""

from __future__ import annotations

import asyncio
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gql_cluster import conf

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent

HEAD_BYTES: Final = 64 * 1024

limits = cache(conf.load)  # asked for each connection, and the same for all


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 by httptools, which counts neither the bytes of a head nor its seconds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take what uvicorn gives."""
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._head: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the head of the first request."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._end_head()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take some bytes."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head is not None and self._head_bytes > HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Wait for the head of a request."""
        super().on_message_begin()
        if self._head is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """Have a head."""
        self._end_head()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """Give the client some time to read."""
        super().pause_writing()
        self._stalled = self.loop.call_later(limits().SEND_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
            super().resume_writing()

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._head = self.loop.call_later(
            limits().BODY_TIMEOUT, self._refuse, HTTPStatus.REQUEST_TIMEOUT
        )

    def _end_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _refuse(self, status: HTTPStatus) -> None:
        self._end_head()
        if not self.transport.is_closing():
            end = b"connection: close\r\ncontent-length: 0\r\n\r\n"
            self.transport.write(STATUS_LINE[status] + end)
            self.transport.close()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """WebSockets by websockets; what a client sends is not read while it does not read itself.

    Else it could have pongs by the million written into memory.
    """

    _stalled: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._end_stall()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Give the client some time to read."""
        super().pause_writing()
        self._stalled = self.loop.call_later(limits().SEND_TIMEOUT, self.transport.abort)
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        self._end_stall()
        super().resume_writing()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    async def receive(self) -> ASGIReceiveEvent:
        """Return what came; more is read only of a client that reads, too."""
        message = await super().receive()
        if not self.writable.is_set() and not self.transport.is_closing():
            self.transport.pause_reading()
        return message

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Cut the connection in the end, also where its client never takes what is left."""
        super().on_task_complete(task)
        if not self.disconnected:
            self.loop.call_later(limits().SEND_TIMEOUT, self.transport.abort)

    def _end_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
