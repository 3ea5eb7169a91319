"""The way to Redis for code that has no event loop."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias, assert_never

from redis import Connection, ConnectionPool, Redis, SSLConnection, UnixDomainSocketConnection
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisClusterException, RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.store.urls import Place, Topology, parse

SyncClient: TypeAlias = Redis | RedisCluster

AWAY = (RedisError, RedisClusterException)
"""What such a client raises: where no node of a cluster answers, it is none of the others."""


@cache
def make_sync_client(url: str, *, timeout: float, connect_timeout: float) -> SyncClient:
    """Return this process's client for what a URL names; times in seconds.

    Threads may share it, and a fork connects anew. Raises `StoreUnavailableError` where no node of
    a cluster answers, and `ValueError` for what is no URL.
    """
    place = parse(url)
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": connect_timeout,
        "retry": Retry(NoBackoff(), 0),
        **place.options,
    }
    options.pop("timeout", None)  # of a pool that waits
    match place.topology:
        case Topology.ONE:
            kind = _connection_class(place)
            return Redis.from_pool(ConnectionPool(connection_class=kind, **options))
        case Topology.SENTINEL:
            share = timeout / (2 * len(place.hosts))
            own = {
                "ssl": place.is_secure,
                "socket_timeout": share,
                "socket_connect_timeout": share,
                "retry": Retry(NoBackoff(), 0),
                **place.sentinel_options,
            }
            found: Any = Sentinel(place.hosts, sentinel_kwargs=own)  # type: ignore[no-untyped-call]
            client: Redis = found.master_for(place.service, ssl=place.is_secure, **options)
            return client
        case Topology.CLUSTER:
            nodes = [ClusterNode(host, port) for host, port in place.hosts]  # type: ignore[no-untyped-call]
            try:
                return RedisCluster(startup_nodes=nodes, ssl=place.is_secure, **options)
            except AWAY as exc:
                raise StoreUnavailableError.of("The draft store does not answer.") from exc
        case _:
            assert_never(place.topology)


def _connection_class(place: Place) -> type[Any]:
    if "path" in place.options:
        return UnixDomainSocketConnection
    return SSLConnection if place.is_secure else Connection
