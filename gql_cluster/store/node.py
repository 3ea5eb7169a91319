"""One Redis and the connections to it; also the master of a service, whichever that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import hiredis
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from gql_cluster.store.circuit import Circuit
from gql_cluster.store.urls import Place

Sent: TypeAlias = str | bytes | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A Lua script, and the digest that Redis knows it by once it has it."""

    text: bytes
    digest: str


class Node(Redis):
    """A client of one Redis, behind a circuit of its own.

    It never repeats a call by itself: one that timed out may have been applied, and its
    connection is dropped. A Redis that turns out to be a replica by now loses its connections:
    the next ones go where the name, or the Sentinels, lead to then.
    """

    def __init__(self, pool: ConnectionPool, *, timeout: float) -> None:
        """Take the connections, which are closed with it, and how long a call may take."""
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self.circuit = Circuit(timeout=timeout)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a command."""
        async with self.circuit.call():
            return await self._once(*args, **options)

    async def script(self, script: Script, keys: Sequence[str], args: Sequence[Sent]) -> Any:
        """Run a script: by digest, and sent where this Redis lacks it, as behind a failover."""
        async with self.circuit.call():
            try:
                return await self._once("EVALSHA", script.digest, len(keys), *keys, *args)
            except NoScriptError:
                return await self._once("EVAL", script.text, len(keys), *keys, *args)

    async def ask(self, *args: Sent) -> Any:
        """Run a command on a slot that is being moved here."""
        async with self.circuit.call(), self.pipeline(transaction=False) as pipe:
            pipe.execute_command("ASKING")
            pipe.execute_command(*args)
            _, reply = await pipe.execute()
            return reply

    async def _once(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except ResponseError as exc:
            # In a script it has no class of its own.
            if "READONLY" in str(exc):
                await self.connection_pool.disconnect(inuse_connections=False)
            raise


def pool_options(
    place: Place, *, connect_timeout: float, max_connections: int = 64
) -> dict[str, Any]:
    """Return what a pool of connections is made of; the URL's own options count more."""
    return {
        "max_connections": max_connections,
        "timeout": connect_timeout,
        "socket_timeout": None,  # the circuit's covers the whole call, and takes no task for it
        "socket_connect_timeout": connect_timeout,
        "retry": Retry(NoBackoff(), 0),
        # With these on, a pooled connection that has died is not noticed before it is used.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        "connection_class": packed(connection_class(place)),
        **place.options,
    }


def connection_class(place: Place) -> type[AbstractConnection]:
    """Return the class of connections to one Redis."""
    if "path" in place.options:
        return UnixDomainSocketConnection
    return SSLConnection if place.is_secure else Connection


def packed(connection_class: type[AbstractConnection]) -> type[AbstractConnection]:
    """Return the class of connections that packs what is sent by hiredis.

    redis-py reads by hiredis and writes in Python, which takes longer than all else of a call with
    many arguments.
    """

    def pack_command(_: AbstractConnection, name: str, *args: Sent) -> list[bytes]:
        command: Any = (*name.split(), *args)  # some are called by two words
        return [hiredis.pack_command(command)]

    made: type[AbstractConnection] = type(
        connection_class.__name__, (connection_class,), {"pack_command": pack_command}
    )
    return made
