"""Which user a client is, as what it has shown says now, and not as it said at connect."""

from __future__ import annotations

from collections.abc import Callable, Hashable, MutableMapping
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.apps import apps
from django.conf import settings
from django.contrib import auth
from django.db import InterfaceError, OperationalError, close_old_connections
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from gql_cluster import conf
from gql_cluster.domain.error import DatabaseUnavailableError, UnauthenticatedError
from gql_cluster.service.session import Named, read_token

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

Scope = MutableMapping[str, Any]

_MOST = 10_000
# What was found of users, by what they have shown, the oldest first; each for `USER_TTL`.
_known: dict[Hashable, tuple[float, Any]] = {}


class ByToken:
    """Who holds a session token."""

    def __init__(self, token: str, scope: Scope | None = None) -> None:
        """Take a token that was good just now; `scope` is that of a socket, to be told."""
        self._token = token
        self._scope = scope

    async def user(self) -> AbstractBaseUser | None:
        """Return the user who has started the session; raises `UnauthenticatedError`."""
        named = read_token(self._token)
        user = None
        if named.user is not None:
            user = await _looked_up(named, lambda: user_named(named))
            if user is None:
                raise UnauthenticatedError.of("The user of this session token is not valid.")
        _tell(self._scope, user)
        return user


class ByCookie:
    """Who was logged in by a session cookie when the socket was opened."""

    def __init__(self, key: str, scope: Scope) -> None:
        """Take the session's key, and the scope, to be told."""
        self._key = key
        self._scope = scope

    async def user(self) -> AbstractBaseUser | None:
        """Return the user; raises `UnauthenticatedError` behind a logout."""
        user = await _looked_up(("cookie", self._key), lambda: _user_of_session(self._key))
        if user is None:
            raise UnauthenticatedError.of("The session was logged out.")
        _tell(self._scope, user)
        return user


class Found:
    """Who a project's middleware has found, as Django's own does."""

    def __init__(self, find: Callable[[], Any]) -> None:
        """Take how it is asked, which may read the database."""
        self._find = find

    async def user(self) -> AbstractBaseUser | None:
        """Return the user."""
        return await _found(self._find)


def user_named(named: Named) -> AbstractBaseUser | None:
    """Return the user of a token, None where there is none or the password was changed."""
    for backend in auth.get_backends():
        user: AbstractBaseUser | None = backend.get_user(named.user)
        if user is not None:
            return user if named.is_of(user) else None
    return None


def lazily(find: Callable[[], AbstractBaseUser | None]) -> Any:
    """Return a user that is looked up when it is asked for, for `request.user`."""
    return SimpleLazyObject(lambda: find() or anonymous())


def anonymous() -> Any:
    """Return Django's anonymous user, None in a project without Django's users."""
    if not apps.is_installed("django.contrib.auth"):
        return None
    from django.contrib.auth.models import AnonymousUser  # noqa: PLC0415 - models of that app

    return AnonymousUser()


def _tell(scope: Scope | None, user: AbstractBaseUser | None) -> None:
    """Let resolvers see the user as it is now, where Strawberry-Django looks for it."""
    if scope is not None:
        scope["user"] = anonymous() if user is None else user


def _user_of_session(key: str) -> AbstractBaseUser | None:
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    if auth.SESSION_KEY not in request.session:
        return None
    return _real(auth.get_user(request))


async def _looked_up(
    key: Hashable, find: Callable[[], AbstractBaseUser | None]
) -> AbstractBaseUser | None:
    known = _known.get(key)
    if known is not None and monotonic() - known[0] < conf.load().USER_TTL:
        user: AbstractBaseUser | None = known[1]
        return user
    began = monotonic()
    user = await _found(find)
    _known.pop(key, None)
    _known[key] = (began, user)
    while len(_known) > _MOST:
        del _known[next(iter(_known))]
    return user


async def _found(find: Callable[[], Any]) -> AbstractBaseUser | None:
    def work() -> AbstractBaseUser | None:
        try:
            return _real(find())
        finally:
            close_old_connections()

    try:
        return await sync_to_async(work)()
    except (OperationalError, InterfaceError) as exc:
        raise DatabaseUnavailableError.of("The user can't be read now. Try again.") from exc


def _real(user: Any) -> AbstractBaseUser | None:
    """Return a user as it is, whatever lazily stands for it; None for an anonymous one."""
    if user is None or not user.is_authenticated:
        return None
    real: AbstractBaseUser = getattr(user, "_wrapped", user)
    return real
