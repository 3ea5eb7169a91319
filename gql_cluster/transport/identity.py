"""Which user a client is, as what it has shown says now, and not as it said at connect."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.apps import apps
from django.conf import settings
from django.contrib import auth
from django.db import InterfaceError, OperationalError, close_old_connections
from django.http import HttpRequest

from gql_cluster import conf
from gql_cluster.domain.error import DatabaseUnavailableError, UnauthenticatedError
from gql_cluster.service.session import Named, read_token

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

Scope = MutableMapping[str, Any]

_MOST = 10_000
# What was found of users, by what they have shown, the oldest first; each for `USER_TTL`.
_known: dict[str, tuple[float, Any]] = {}


class _Kept:
    """Who has shown something that is looked up again when the answer is `USER_TTL` old."""

    def __init__(self, shown: str, scope: Scope | None) -> None:
        """Take what was shown; `scope` is that of a socket, whose resolvers find the user in it."""
        self._shown = shown
        self._scope = scope
        self._ttl = conf.load().USER_TTL

    async def user(self) -> AbstractBaseUser | None:
        """Return the user; raises `UnauthenticatedError` where what was shown is good no more."""
        known = _known.get(self._shown)
        began = monotonic()
        if known is None or began - known[0] >= self._ttl:
            known = began, await self._look_up()
            _known.pop(self._shown, None)
            _known[self._shown] = known
            while len(_known) > _MOST:
                del _known[next(iter(_known))]
        user: AbstractBaseUser | None = known[1]
        if self._scope is not None:
            _tell(self._scope, user)
        return user

    async def _look_up(self) -> AbstractBaseUser | None:
        raise NotImplementedError


class ByToken(_Kept):
    """Who holds a session token: the user who has started the session, if one has."""

    def __init__(self, token: str, scope: Scope | None = None) -> None:
        """Take a token that was good just now."""
        super().__init__(token, scope)

    async def _look_up(self) -> AbstractBaseUser | None:
        named = read_token(self._shown)
        if named.user is None:
            return None
        user = await _found(lambda: _user_named(named))
        if user is None:
            raise UnauthenticatedError.of("The user of this session token is not valid.")
        return user


class ByCookie(_Kept):
    """Who was logged in by the session of a cookie when a socket was opened."""

    async def _look_up(self) -> AbstractBaseUser | None:
        user = await _found(lambda: _user_of_session(self._shown))
        if user is None:
            raise UnauthenticatedError.of("The session was logged out.")
        return user


class Visitor(_Kept):
    """Who has opened a socket with the cookie of a session that nobody was logged in by.

    A login takes the key away, so that a socket which somebody else has opened with it hears of
    nothing that is done behind that.
    """

    def __init__(self, key: str, scope: Scope) -> None:
        """Take the session's key; it is looked at each `USER_RECHECK` seconds."""
        super().__init__(f"visitor {key}", scope)
        self._key = key
        self._ttl = conf.load().USER_RECHECK

    async def _look_up(self) -> None:
        sessions = import_module(settings.SESSION_ENGINE).SessionStore
        if not await _asked(lambda: sessions().exists(self._key)):
            raise UnauthenticatedError.of("The session has ended.")


class Found:
    """Who a project's middleware has found, as Django's own does."""

    def __init__(self, find: Callable[[], Any]) -> None:
        """Take how it is asked, which may read the database."""
        self._find = find

    async def user(self) -> AbstractBaseUser | None:
        """Return the user."""
        return await _found(self._find)


def _user_named(named: Named) -> AbstractBaseUser | None:
    """Return the user of a token, None where there is none or the password was changed."""
    for backend in auth.get_backends():
        user: AbstractBaseUser | None = backend.get_user(named.user)
        if user is not None:
            return user if named.is_of(user) else None
    return None


def anonymous() -> Any:
    """Return Django's anonymous user, None in a project without Django's users."""
    if not apps.is_installed("django.contrib.auth"):
        return None
    from django.contrib.auth.models import AnonymousUser  # noqa: PLC0415 - models of that app

    return AnonymousUser()


def _tell(scope: Scope, user: AbstractBaseUser | None) -> None:
    """Let resolvers see the user as it is now, where Strawberry-Django looks for it."""
    if user is not None:
        scope["user"] = user
    elif getattr(scope.get("user"), "pk", None) is not None:  # of who began the socket before
        scope["user"] = anonymous()


def _user_of_session(key: str) -> AbstractBaseUser | None:
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    if auth.SESSION_KEY not in request.session:
        return None
    return _real(auth.get_user(request))


async def _found(find: Callable[[], Any]) -> AbstractBaseUser | None:
    user: AbstractBaseUser | None = await _asked(lambda: _real(find()))
    return user


async def _asked(find: Callable[[], Any]) -> Any:
    def work() -> Any:
        try:
            return find()
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
