"""Who may act with a browser's cookies: the pages of this site, and of those that it trusts.

A browser sends cookies along with whatever any page asks for. So where a request comes with
cookies and without a token, it has to come from a page of ours; a token is sent by no browser
by itself.
"""

from __future__ import annotations

from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from gql_cluster.transport.refusal import FORBIDDEN, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PREFLIGHT_HEADER = "GraphQL-Require-Preflight"
"""Sent by script alone, and by that of another origin only with leave."""


class _Rules(CsrfViewMiddleware):
    """Django's own rules of origins."""

    def allow(self, request: HttpRequest) -> bool:
        """Tell whether the request's `Origin` is its own, or one of `CSRF_TRUSTED_ORIGINS`."""
        return bool(self._origin_verified(request))  # type: ignore[attr-defined]  # not in the stubs


def require_own_page(request: HttpRequest) -> None:
    """Raise `Refusal` (403) for what a foreign page may have had a browser send with cookies.

    Where a browser says nothing of the page, as very old ones and programs don't, the header
    `GraphQL-Require-Preflight` is asked for.
    """
    headers = request.headers
    is_token = headers.get("Authorization", "").lower().startswith("bearer ")
    if is_token or not request.COOKIES:
        return
    site = headers.get("Sec-Fetch-Site")
    if site == "same-origin" or (site == "none" and request.method == "GET"):
        return
    if "Origin" in headers:
        if _may(request):
            return
    elif site is None and PREFLIGHT_HEADER in headers:
        return
    raise Refusal(
        HTTPStatus.FORBIDDEN,
        "With cookies, a request has to come from a page of this site, or of one in "
        f"CSRF_TRUSTED_ORIGINS; a program sends a token, or the header {PREFLIGHT_HEADER}.",
        code=FORBIDDEN,
    )


def _may(request: HttpRequest) -> bool:
    return _Rules(_unused).allow(request)


def _unused(request: HttpRequest) -> HttpResponse:
    raise NotImplementedError


class Origins:
    """Lets WebSockets in from the same pages, and whatever sends no Origin: no browser does.

    The page's scheme, host and port have to be those of the address that it connects to, which
    has to be one of `ALLOWED_HOSTS`. With DEBUG, any page of this machine may.
    """

    def __init__(self, inner: Callable[..., Awaitable[None]]) -> None:
        """Take what is served."""
        self._inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one WebSocket, or refuse its handshake (403)."""
        if _is_welcome(scope):
            await self._inner(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})


def _is_welcome(scope: Any) -> bool:
    if not any(name == b"origin" for name, _ in scope["headers"]):
        return True
    scheme = "https" if scope.get("scheme") == "wss" else "http"
    like: Any = {**scope, "type": "http", "method": "GET", "scheme": scheme}
    request = ASGIRequest(like, BytesIO())
    try:
        return _may(request) or (settings.DEBUG and _is_local(request.META["HTTP_ORIGIN"]))
    except (DisallowedHost, ValueError):
        return False


def _is_local(origin: str) -> bool:
    return urlsplit(origin).hostname in {"localhost", "127.0.0.1", "::1"}
