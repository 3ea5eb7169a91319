"""The connection to Redis, and the border where its errors become ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
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

from gql_cluster.domain.error import StoreUnavailableError

Client: TypeAlias = Redis | RedisCluster
Sent: TypeAlias = str | bytes | int
P = ParamSpec("P")
T = TypeVar("T")

_AWAY = (
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
    timeout: float = 5,
    connect_timeout: float = 2,
    max_connections: int = 64,
) -> Redis:
    """Return a client for a `redis://`, `rediss://` or `unix://` address; times in seconds.

    It never repeats a call by itself: one that timed out may have been applied. Past
    `max_connections` a call waits for a connection, `connect_timeout` at most. Close it with
    `aclose()`.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=connect_timeout,
        socket_timeout=timeout,
        socket_connect_timeout=connect_timeout,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


async def transaction(client: Client, *commands: Sequence[Sent]) -> list[Any]:
    """Run commands on keys of one hash tag as one MULTI; returns what each replied."""
    async with client.pipeline(transaction=True) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        replies: list[Any] = await pipe.execute()
        return replies


def guarded(call: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Make a method raise `StoreUnavailableError` where Redis is away or refuses to write."""

    @wraps(call)
    async def guarded_call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await call(*args, **kwargs)
        except _AWAY as exc:
            raise StoreUnavailableError.of("The draft store does not answer.") from exc
        except ResponseError as exc:
            if any(word in str(exc) for word in _REFUSALS):
                raise StoreUnavailableError.of("The draft store takes no changes now.") from exc
            raise

    return guarded_call
