"""Who is calling: the session that a token or Django's session cookie names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils.crypto import salted_hmac

from gql_cluster import logs
from gql_cluster.domain.error import DatabaseUnavailableError, UnauthenticatedError
from gql_cluster.service.engine import Caller
from gql_cluster.service.session import session_of

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase

# Kept in Django's session, and not its key: it outlives a login, and others may see it.
_NAME = "gql_cluster.session"
_LENGTH = 24


async def caller_of(authorization: str | None, session: SessionBase | None) -> Caller:
    """Return who calls; a token goes before a cookie.

    A browser that has a Django session gets an editing session in it, once. Raises
    `UnauthenticatedError` for an `Authorization` that is not a valid token, and
    `DatabaseUnavailableError`.
    """
    if authorization:
        return _known(session_of(_bearer(authorization)))
    if session is None or session.session_key is None:
        return Caller(session=None)
    return _known(await browser_session(session))


def _known(session: str) -> Caller:
    logs.note(session=session)
    return Caller(session=session)


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
