"""The connection to Redis, and the border where its errors become ours."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import hiredis
from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ClusterDownError,
    ConnectionError,  # noqa: A004 - redis names it so
    ExecAbortError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
    TimeoutError,  # noqa: A004 - redis names it so
    TryAgainError,
)
from redis.maint_notifications import MaintNotificationsConfig

from gql_cluster import metrics
from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.store.circuit import Circuit, CircuitOpenError

Client: TypeAlias = Redis | RedisCluster
Sent: TypeAlias = str | bytes | int
P = ParamSpec("P")
T = TypeVar("T")

_AWAY = (
    builtins.TimeoutError,
    CircuitOpenError,
    ClusterDownError,
    ConnectionError,
    ExecAbortError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
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
) -> Redis:
    """Return a client for a `redis://`, `rediss://` or `unix://` address; times in seconds.

    It never repeats a call by itself: one that timed out may have been applied, and its
    connection is dropped. Past `max_connections` a call waits for a connection,
    `connect_timeout` at most. Close it with `aclose()`.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=connect_timeout,
        socket_timeout=None,  # the circuit's covers the whole call, and takes no task for it
        socket_connect_timeout=connect_timeout,
        retry=Retry(NoBackoff(), 0),
        # With these on, a pooled connection that has died is not noticed before it is used.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    pool.connection_class = _packed(pool.connection_class)
    client: Redis = Redis.from_pool(pool)
    _circuits[client] = Circuit(timeout=timeout)
    return client


def _packed(connection_class: type[AbstractConnection]) -> type[AbstractConnection]:
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


async def transaction(client: Client, *commands: Sequence[Sent]) -> list[Any]:
    """Run commands on keys of one hash tag as one MULTI; returns what each replied."""
    async with client.pipeline(transaction=True) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        replies: list[Any] = await pipe.execute()
        return replies


class _HasClient(Protocol):
    _client: Client


S = TypeVar("S", bound=_HasClient)


def guarded(
    call: Callable[Concatenate[S, P], Awaitable[T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Make a method raise `StoreUnavailableError` where Redis is away or refuses to write.

    It ends within the client's timeout, and at once while the client's circuit is open. A guarded
    method calls no other.
    """
    timing = metrics.call_timing(call.__qualname__)

    @wraps(call)
    async def guarded_call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        began = metrics.now()
        try:
            with _cancellable():
                async with _circuit_of(self._client).call():
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


# One for each client, for as long as that is used.
_circuits: WeakKeyDictionary[Client, Circuit] = WeakKeyDictionary()


def _circuit_of(client: Client) -> Circuit:
    circuit = _circuits.get(client)
    if circuit is None:
        timeout = client.get_connection_kwargs()["socket_timeout"]
        circuit = _circuits[client] = Circuit(timeout=timeout)
    return circuit
