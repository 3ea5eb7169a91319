"""Who is calling: the session that a token or Django's session cookie names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils.crypto import salted_hmac

from gql_cluster import logs
from gql_cluster.domain.error import DatabaseUnavailableError, UnauthenticatedError
from gql_cluster.service.caller import Caller, Identity
from gql_cluster.service.session import read_token
from gql_cluster.transport.identity import ByCookie, ByToken, Found, Visitor, anonymous

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase
    from django.http import HttpRequest

    from gql_cluster.transport.identity import Scope

# Kept in Django's session, and not its key: it outlives a login, and others may see it.
_NAME = "gql_cluster.session"
_LENGTH = 24
_FOUND = "gql_cluster.found"


async def caller_by_http(request: HttpRequest) -> Caller:
    """Return who calls; a token goes before a cookie, also for `request.user`.

    A browser that has a Django session gets an editing session in it, once. Raises
    `UnauthenticatedError` for an `Authorization` that is not a valid token, and
    `DatabaseUnavailableError`.
    """
    authorization = request.headers.get("Authorization")
    address = request.META.get("REMOTE_ADDR")
    if authorization:
        token = _bearer(authorization)
        named = read_token(token)
        caller = Caller(session=named.session, address=address, identity=ByToken(token))
        logs.note(session=named.session)
        user: Any = None if named.user is None else await caller.user()
        request.user = anonymous() if user is None else user
        request.auser = partial(_at_once, request.user)
        return caller
    identity = Found(lambda: request.user) if hasattr(request, "user") else None
    session = getattr(request, "session", None)
    return Caller(session=await _session_in(session), address=address, identity=identity)


async def caller_by_socket(scope: Scope, parameters: object) -> Caller:
    """Return who calls by a WebSocket: the token of `connection_init`, else the cookie.

    The scope's `user` is what is known of the user, brought up to date with each operation and
    each event. Raises as `caller_by_http` does.
    """
    authorization = token_in(parameters)
    address = (scope.get("client") or (None,))[0]
    # The older protocol may begin again: what was found then is not what a middleware has found.
    found = scope.setdefault(_FOUND, scope.get("user"))
    scope["user"] = anonymous()
    if authorization:
        token = _bearer(authorization)
        session = read_token(token).session
        logs.note(session=session)
        caller = Caller(session=session, address=address, identity=ByToken(token, scope))
        await caller.user()
        return caller
    browser = scope.get("session")
    editing = await _session_in(browser)
    identity: Identity | None = None
    if browser is not None and editing is not None and SESSION_KEY in browser:
        identity = ByCookie(browser.session_key, scope)
    elif found is not None:  # by middleware of the project's own
        scope["user"] = found
        identity = Found(lambda: found)
    elif browser is not None and editing is not None:
        identity = Visitor(browser.session_key, scope)
    caller = Caller(session=editing, address=address, identity=identity)
    await caller.user()
    return caller


async def _at_once(user: Any) -> Any:
    return user


async def _session_in(session: SessionBase | None) -> str | None:
    if session is None or session.session_key is None:
        return None
    editing = await browser_session(session)
    logs.note(session=editing)
    return editing


async def browser_session(session: SessionBase) -> str:
    """Return the editing session of a Django session; it is made where there is none yet.

    Requests that come at once find the same one: it follows from the session's key, and stays
    when that key is changed by a login. Raises `DatabaseUnavailableError`.
    """
    try:
        return await sync_to_async(_browser_session)(session)
    except (OperationalError, InterfaceError) as exc:
        raise DatabaseUnavailableError.of("The session can't be read now. Try again.") from exc


def _browser_session(session: SessionBase) -> str:
    try:
        known = session.get(_NAME)
        if known is None:
            if session.session_key is None:
                session.create()
            known = salted_hmac(_NAME, session.session_key or "").hexdigest()[:_LENGTH]
            session[_NAME] = known
            session.save()
    finally:
        # Else each request would hold one while it waits for Redis, and all would wait for those.
        close_old_connections()
    return str(known)


def token_in(parameters: object) -> str | None:
    """Return the `Authorization` that a WebSocket's `connection_init` carries, if any."""
    if not isinstance(parameters, Mapping):
        return None
    for name, value in parameters.items():
        if isinstance(name, str) and name.lower() == "authorization" and isinstance(value, str):
            return value
    return None


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError.of("The authorization has to be “Bearer” and a session token.")
    return token.strip()
