"""The connection to Redis, and the border where its errors become ours."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar, assert_never

from redis.asyncio import BlockingConnectionPool
from redis.exceptions import (
    ClusterDownError,
    ConnectionError,  # noqa: A004 - redis names it so
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,  # noqa: A004 - redis names it so
    TryAgainError,
)

from gql_cluster import metrics
from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.store.circuit import CircuitOpenError
from gql_cluster.store.cluster import Cluster
from gql_cluster.store.node import Node, pool_options
from gql_cluster.store.sentinel import make_master
from gql_cluster.store.urls import Address, Topology, parse

Client: TypeAlias = Node | Cluster
P = ParamSpec("P")
T = TypeVar("T")

_AWAY = (
    builtins.TimeoutError,
    CircuitOpenError,
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    TimeoutError,
    TryAgainError,
)
# What a script fails with reaches us as text, with these words in it.
_REFUSALS = ("-OOM ", "OOM command", "READONLY", "MISCONF", "NOREPLICAS", "BUSY ", "MASTERDOWN")


def make_client(
    url: str,
    *,
    timeout: float = 2,
    connect_timeout: float = 1,
    max_connections: int = 64,
) -> Client:
    """Return a client for what a URL names, see `store/urls.py`; times in seconds.

    It never repeats a call by itself: one that timed out may have been applied, and its
    connection is dropped. Past `max_connections` to a node a call waits for a connection,
    `connect_timeout` at most. Close it with `aclose()`. Raises `ValueError` for what is no URL.
    """
    place = parse(url)
    options = pool_options(place, connect_timeout=connect_timeout, max_connections=max_connections)
    match place.topology:
        case Topology.ONE:
            return Node(BlockingConnectionPool(**options), timeout=timeout)
        case Topology.SENTINEL:
            return make_master(place, options, timeout=timeout, connect_timeout=connect_timeout)
        case Topology.CLUSTER:

            def make(address: Address) -> Node:
                host, port = address
                pool = BlockingConnectionPool(**{**options, "host": host, "port": port})
                return Node(pool, timeout=timeout)

            return Cluster(place.hosts, make, timeout=timeout)
        case _:
            assert_never(place.topology)


class _HasClient(Protocol):
    _client: Client


S = TypeVar("S", bound=_HasClient)


def guarded(
    call: Callable[Concatenate[S, P], Awaitable[T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Make a method raise `StoreUnavailableError` where Redis is away or refuses to write.

    It ends within the client's timeout, and at once while the circuit is open of the node that it
    needs. A guarded method calls the client once.
    """
    timing = metrics.call_timing(call.__qualname__)

    @wraps(call)
    async def guarded_call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        began = metrics.now()
        try:
            with _cancellable():
                return await call(self, *args, **kwargs)
        except _AWAY as exc:
            metrics.failed_calls[call.__qualname__] += 1
            raise StoreUnavailableError.of("The draft store does not answer.") from exc
        except ResponseError as exc:
            if any(word in str(exc) for word in _REFUSALS):
                metrics.failed_calls[call.__qualname__] += 1
                raise StoreUnavailableError.of("The draft store takes no changes now.") from exc
            raise
        finally:
            timing.take(metrics.now() - began)

    return guarded_call


@contextmanager
def _cancellable() -> Iterator[None]:
    """Raise `CancelledError` where the task was cancelled in the block, and that was lost.

    redis-py sends by `asyncio.wait_for`, which loses a cancellation that comes just when it is
    done, up to Python 3.11 (python/cpython#86296). A subscriber that is gone would stay for ever.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    finally:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError
