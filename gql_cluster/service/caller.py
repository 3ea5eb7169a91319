"""Who asks: an editing session, and the user behind it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from gql_cluster.domain.error import UnauthenticatedError

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.db.models import Model


class Identity(Protocol):
    """What a client has shown of who it is: a cookie, a token, or what a middleware has found."""

    async def user(self) -> AbstractBaseUser | None:
        """Return the user, None for an anonymous one; what is known is `USER_TTL` old at most.

        Raises `UnauthenticatedError` where what was shown is good no more: the token has
        expired, the user has logged out, changed the password, or was deactivated.
        """


class Sight(Protocol):
    """Which saved rows a request may see, where the types it asks hide some."""

    def hides(self, model: type[Model]) -> bool:
        """Tell whether some rows of a model are hidden from somebody."""

    async def visible(self, model: type[Model], pks: Collection[Any]) -> set[Any]:
        """Return those of some primary keys whose rows are seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. Without a session nothing but saved objects can be seen.

    `address` is the network address that it asks from, where the transport tells one. `sight` is
    None where nothing is hidden from anybody.
    """

    session: str | None
    address: str | None = None
    identity: Identity | None = None
    sight: Sight | None = None

    def required_session(self) -> str:
        """Return the session; raises `UnauthenticatedError` where there is none."""
        if self.session is None:
            raise UnauthenticatedError.of(
                "This needs a session: the mutation startSession gives a token for one."
            )
        return self.session

    async def user(self) -> AbstractBaseUser | None:
        """Return the user, None for an anonymous one; raises `UnauthenticatedError`.

        It may read the database.
        """
        return None if self.identity is None else await self.identity.user()
