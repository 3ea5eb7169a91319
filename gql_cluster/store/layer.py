"""The channel layer for the wake-ups, on the Redis that has the drafts.

It is channels_redis' own for Pub/Sub; what is made here is its configuration.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError  # noqa: A004 - redis names it so

from gql_cluster.store.node import connection_class
from gql_cluster.store.sentinel import (
    FoundConnection,
    SecureFoundConnection,
    sentinel_options,
)
from gql_cluster.store.urls import Address, Topology, parse

_TIMEOUT = 1.0


def channel_layer(url: str) -> dict[str, Any]:
    """Return the value of `CHANNEL_LAYERS["default"]` for the URL of a draft store.

    It fails within a second or two where Redis hangs, and finds a new master by itself. On a
    cluster each worker is connected to any node of the URL that answers, because the nodes pass on
    to each other what is published. Raises `ValueError` for what is no URL.
    """
    place = parse(url)
    host: dict[str, Any] = {
        "connection_class": connection_class(place),
        "socket_connect_timeout": _TIMEOUT,
        "socket_timeout": _TIMEOUT,
        # By default ten times: a Redis that hangs would hang its caller for a minute.
        "retry": Retry(NoBackoff(), 1, (ConnectionError,)),
        **place.options,
    }
    host.pop("timeout", None)  # of a pool that waits
    match place.topology:
        case Topology.SENTINEL:
            own = sentinel_options(place, timeout=2 * _TIMEOUT, connect_timeout=_TIMEOUT)
            found = SecureFoundConnection if place.is_secure else FoundConnection
            # channels_redis' own way leaves the connections to the Sentinels open.
            host |= {"connection_class": found, "place": place, "sentinel_kwargs": own}
        case Topology.CLUSTER:
            any_of = SecureAnyConnection if place.is_secure else AnyConnection
            host |= {"connection_class": any_of, "nodes": place.hosts}
        case Topology.ONE:
            pass
    return {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [host]},
    }


class AnyConnection(Connection):
    """A connection to any of some nodes that takes it."""

    def __init__(self, *, nodes: tuple[Address, ...], **options: Any) -> None:
        """Take where the nodes are."""
        self._nodes = nodes
        super().__init__(**options)

    async def _connect(self) -> None:
        *first, last = random.sample(self._nodes, len(self._nodes))
        for self.host, self.port in first:
            with suppress(OSError):  # a timeout is one, too
                await super()._connect()  # type: ignore[no-untyped-call]
                return
        self.host, self.port = last
        await super()._connect()  # type: ignore[no-untyped-call]


class SecureAnyConnection(AnyConnection, SSLConnection):
    """The same over TLS."""
