"""Django's ASGI handler, without a thread where nothing blocks.

Django calls every hook of its middleware, its signals and the end of each response in a thread,
and starts one for it: eleven calls for a request whose view needs none. What its own middleware
does then is computing, which is done in place here. All else is Django's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any
from weakref import ReferenceType

from asgiref.sync import SyncToAsync, sync_to_async
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import signals
from django.core.cache import close_caches
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import reset_urlconf
from django.db import close_old_connections, reset_queries
from django.dispatch import Signal
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware
from django.urls import set_script_prefix

from gql_cluster import conf
from gql_cluster.transport.body import Body, refused
from gql_cluster.transport.refusal import Refusal

_COMPUTES = {
    AuthenticationMiddleware,
    CommonMiddleware,
    CsrfViewMiddleware,
    SecurityMiddleware,
    SessionMiddleware,
    XFrameOptionsMiddleware,
}
# What Django itself does at both ends of a request, in the thread of it.
_HOUSEKEEPING = {close_caches, close_old_connections, reset_queries, reset_urlconf}


class Handler(ASGIHandler):
    """Serves all of a Django project over HTTP, as `get_asgi_application()` does.

    Middleware that is not Django's own runs as ever, in a thread where it has no async form; so
    do receivers of `request_started` and `request_finished`.
    """

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's
        """Load the middleware, and take the threads out of it."""
        super().load_middleware(is_async)
        layer: Any = vars(self)["_middleware_chain"]
        while (middleware := getattr(layer, "__wrapped__", None)) is not None:
            if _computes(middleware):
                middleware.__acall__ = partial(_call, middleware)
            layer = getattr(middleware, "get_response", None)
        hooks = vars(self)["_view_middleware"]
        hooks[:] = [_view_hook(hook) for hook in hooks]
        engine = conf.load()
        self._limits = engine.MAX_BODY_BYTES, engine.BODY_TIMEOUT

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request; what it does in a thread is in one of its own."""
        reading = Body(scope, *self._limits)
        try:
            body = await reading.read(receive)
        except RequestAborted:
            return
        except Refusal as exc:
            await self.send_response(refused(exc), partial(_unfinished, send))
            await reading.linger(receive)
            await send({"type": "http.response.body"})
            return
        set_script_prefix(get_script_prefix(scope))
        if _has_others(signals.request_started):
            await signals.request_started.asend(sender=type(self), scope=scope)
        made: tuple[Any, Any] = self.create_request(scope, body)
        request, refusal = made
        if request is None:
            body.close()
            await self.send_response(refusal, send)
            await sync_to_async(refusal.close)()
            return
        responding = asyncio.create_task(self._respond(request, send))
        listening = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({responding, listening}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            listening.cancel()
            if not responding.done():  # the client is gone
                responding.cancel()
            await asyncio.wait({responding, listening})
            body.close()
        if responding.cancelled():
            await signals.request_finished.asend(sender=type(self))
        else:
            await _close(responding.result())

    async def _respond(self, request: HttpRequest, send: Any) -> HttpResponseBase:
        response: HttpResponseBase = await self.run_get_response(request)
        with suppress(asyncio.CancelledError):  # the client is gone; the response is closed as ever
            await self.send_response(response, send)
        return response


async def _unfinished(send: Any, message: Any) -> None:
    """Send a message of a response, and leave its end open."""
    await send({**message, "more_body": True} if "body" in message else message)


async def _gone(receive: Any) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _computes(middleware: object) -> bool:
    """Tell whether the hooks of a middleware only compute, whatever the request."""
    kind = type(middleware)
    return kind in _COMPUTES and not (kind is CsrfViewMiddleware and settings.CSRF_USE_SESSIONS)


async def _call(middleware: Any, request: HttpRequest) -> HttpResponseBase:
    response: Any = None
    if hasattr(middleware, "process_request"):
        response = middleware.process_request(request)
    if response is None:
        response = await middleware.get_response(request)
    if hasattr(middleware, "process_response"):
        if isinstance(middleware, SessionMiddleware) and _is_to_be_saved(request):
            response = await sync_to_async(middleware.process_response)(request, response)
        else:
            response = middleware.process_response(request, response)
    answer: HttpResponseBase = response
    return answer


def _is_to_be_saved(request: HttpRequest) -> bool:
    session = getattr(request, "session", None)  # a view may have thrown it away
    return bool(settings.SESSION_SAVE_EVERY_REQUEST or getattr(session, "modified", False))


def _view_hook(hook: Any) -> Any:
    """Return a `process_view` that returns at once where the view has no need of it."""
    middleware = getattr(getattr(hook, "func", None), "__self__", None)
    if not (isinstance(hook, SyncToAsync) and type(middleware) is CsrfViewMiddleware):
        return hook

    async def process_view(
        request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]
    ) -> HttpResponseBase | None:
        is_exempt = getattr(view, "csrf_exempt", False)
        return None if is_exempt else await hook(request, view, args, kwargs)

    return process_view


def _has_others(signal: Signal) -> bool:
    """Tell whether a signal of Django's has receivers that are not Django's own."""
    return any(_alive(row[1]) not in _HOUSEKEEPING for row in signal.receivers)


def _alive(receiver: Any) -> Any:
    return receiver() if isinstance(receiver, ReferenceType) else receiver


def _has_thread() -> bool:
    """Tell whether something of this request ran in its thread, and may have left a connection."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    return context is None or context in SyncToAsync.context_to_thread_executor


async def _close(response: HttpResponseBase) -> None:
    # One closer is the request's own. What else is to be closed may ask the database for it.
    has_more = len(vars(response)["_resource_closers"]) > 1
    if (
        has_more
        or type(response).close is not HttpResponseBase.close
        or _has_thread()
        or _has_others(signals.request_finished)
    ):
        await sync_to_async(response.close)()
    else:
        response.close()
