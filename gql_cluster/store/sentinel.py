"""The master of a service that Sentinels watch: each new connection asks them which it is."""

from __future__ import annotations

from typing import Any

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError  # noqa: A004 - redis names it so

from gql_cluster.store.node import Node, packed
from gql_cluster.store.urls import Place

MASTER = b"master"


class _Sure(AbstractConnection):
    """A connection that makes sure of its master, as the guidelines for clients of Sentinel say.

    A Sentinel that was cut off may name the one before, and that would be read from.
    """

    async def on_connect_check_health(self, check_health: bool = True) -> None:  # noqa: FBT001, FBT002
        """Begin, and ask for the role."""
        await super().on_connect_check_health(check_health)
        await self.send_command("ROLE", check_health=False)
        role, *_ = await self.read_response()
        if role not in (MASTER, MASTER.decode()):
            raise ConnectionError("What the Sentinels name is no master as yet.")


class MasterConnection(_Sure, SentinelManagedConnection):
    """A connection of a pool that asks the Sentinels."""


class SecureMasterConnection(_Sure, SentinelManagedSSLConnection):
    """The same over TLS."""


class FoundConnection(_Sure, Connection):
    """A connection that asks the Sentinels itself, in any pool, and holds none to them."""

    def __init__(self, *, place: Place, sentinel_kwargs: dict[str, Any], **options: Any) -> None:
        """Take which service it is of, and the options of connections to its Sentinels."""
        self._place = place
        self._sentinel_kwargs = sentinel_kwargs
        super().__init__(**options)

    async def _connect(self) -> None:
        own = self._sentinel_kwargs
        sentinels: Any = Sentinel(self._place.hosts, sentinel_kwargs=own)  # type: ignore[no-untyped-call]
        try:
            self.host, self.port = await sentinels.discover_master(self._place.service)
        finally:
            await sentinels.aclose()
        await super()._connect()  # type: ignore[no-untyped-call]


class SecureFoundConnection(FoundConnection, SSLConnection):
    """The same over TLS."""


class _Pool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to the master: so many, and then there is a wait."""

    async def aclose(self) -> None:
        """Close them, and those to the Sentinels."""
        await super().aclose()
        await self.sentinel_manager.aclose()


def sentinel_options(place: Place, *, timeout: float, connect_timeout: float) -> dict[str, Any]:
    """Return the options of the connections to the Sentinels.

    Those that are dead take a half of the timeout at most, all together: else a call would never
    come to ask the one that is alive.
    """
    share = min(connect_timeout, timeout / (4 * len(place.hosts)))
    return {
        "ssl": place.is_secure,
        "socket_timeout": share,
        "socket_connect_timeout": share,
        "retry": Retry(NoBackoff(), 0),
        **place.sentinel_options,
    }


def make_master(
    place: Place, options: dict[str, Any], *, timeout: float, connect_timeout: float
) -> Node:
    """Return a client of whichever is the master of the service; the options are its pool's."""
    own = sentinel_options(place, timeout=timeout, connect_timeout=connect_timeout)
    manager = Sentinel(place.hosts, sentinel_kwargs=own)  # type: ignore[no-untyped-call]
    kind = SecureMasterConnection if place.is_secure else MasterConnection
    found = {**options, "connection_class": packed(kind)}
    pool = _Pool(place.service, manager, **found)  # type: ignore[no-untyped-call]
    return Node(pool, timeout=timeout)
