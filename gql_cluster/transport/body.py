"""Reading the body of a request: no more of it, and no longer, than it may take.

Django reads whatever comes before anybody is asked.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from http import HTTPStatus
from typing import IO, Any, Final

from django.conf import settings
from django.core.exceptions import RequestAborted
from django.http import JsonResponse
from django.urls import Resolver404, resolve

from gql_cluster.transport.http import GraphQLView
from gql_cluster.transport.parameters import too_large
from gql_cluster.transport.refusal import LIMIT_EXCEEDED, Refusal

_NO_LIMIT: Final = 1 << 62
_LINGER: Final = 1.0  # seconds
_MORE: Final = 4  # times what a body may have


class Body:
    """A body that is being read; raises `Refusal` at a limit, and `RequestAborted`.

    What is sent to a view of the project's own has Django's limits and no other.
    """

    def __init__(self, scope: Any, max_bytes: int, seconds: float) -> None:
        """Take whose body it is, and its limits."""
        self._scope = scope
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - it is given away
            max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE, mode="w+b"
        )

    async def read(self, receive: Any) -> IO[bytes]:
        """Return all of it as a file."""
        try:
            if _announced(self._scope) > self._max_bytes:
                self._refuse(too_large())
            await self._fill_in_time(receive)
        except BaseException:
            self._file.close()
            raise
        self._file.seek(0)
        return self._file

    async def linger(self, receive: Any) -> None:
        """Let a client that still sends see what it was told, for a second and some limits more.

        Closed at once, its connection would be reset, and the answer lost with it.
        """
        left, has_more = _MORE * self._max_bytes, True
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while has_more and left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    has_more = message.get("more_body", False)

    async def _fill_in_time(self, receive: Any) -> None:
        """Read all of it; where that may take its time, no waiting is ever broken off."""
        task, is_late = asyncio.current_task(), False

        def give_up() -> None:
            nonlocal is_late
            if task is not None and not _is_of_the_project(self._scope):
                is_late = task.cancel()

        timer = asyncio.get_running_loop().call_later(self._seconds, give_up)
        try:
            await self._fill(receive)
        except asyncio.CancelledError:
            if task is None or not is_late or task.uncancel():
                raise
            raise _too_slow() from None
        finally:
            timer.cancel()

    async def _fill(self, receive: Any) -> None:
        has_more = True
        while has_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RequestAborted
            self._file.write(message.get("body", b""))
            has_more = message.get("more_body", False)
            if self._file.tell() > self._max_bytes:
                self._refuse(too_large())

    def _refuse(self, refusal: Refusal) -> None:
        """Raise the refusal, unless a view of the project's own is to decide."""
        if not _is_of_the_project(self._scope):
            raise refusal
        self._max_bytes = _NO_LIMIT


def refused(refusal: Refusal) -> JsonResponse:
    """Return the response to a body that was not read."""
    response = JsonResponse(refusal.body, status=refusal.status, headers=dict(refusal.headers))
    response["Content-Length"] = str(len(response.content))
    return response


def _announced(scope: Any) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


def _is_of_the_project(scope: Any) -> bool:
    """Tell whether a view at this address is neither the engine's nor missing."""
    try:
        view = resolve(scope["path"].removeprefix(scope.get("root_path", ""))).func
    except Resolver404:
        return False
    kind = getattr(view, "view_class", None)
    is_ours = isinstance(kind, type) and issubclass(kind, GraphQLView)
    return not (is_ours or view.__module__.startswith("gql_cluster."))


def _too_slow() -> Refusal:
    return Refusal(
        HTTPStatus.REQUEST_TIMEOUT,
        "The request body took too long to arrive.",
        code=LIMIT_EXCEEDED,
        headers={"Connection": "close"},
    )
