"""The connection: errors at its border, and one client a loop."""

from __future__ import annotations

import asyncio
import time
from asyncio import StreamReader, StreamWriter
from datetime import timedelta

import pytest
from redis import Redis as SyncRedis
from redis.exceptions import ResponseError

from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.store.client import Client, make_client
from gql_cluster.store.keys import Keys
from gql_cluster.store.loops import PerLoop
from gql_cluster.store.sessions import SessionIndex
from tests.integration.store.band import ROOT, band_nodes, new_draft
from tests.integration.store.conftest import MakeStore, Server

HOLDER = "a commit"


async def test_a_redis_that_is_away_is_told_at_once_and_found_when_back(
    own_server: Server, own_client: Client, make_store: MakeStore
) -> None:
    """Without a restart of the worker, and from the first call on."""
    store = make_store(client=own_client)
    draft = new_draft()
    await asyncio.gather(*(store.read(draft.id, ROOT) for _ in range(5)))
    await asyncio.to_thread(own_server.stop)
    began = time.monotonic()
    with pytest.raises(StoreUnavailableError) as caught:
        await store.read(draft.id, ROOT)
    assert time.monotonic() - began < 1
    assert caught.value.__cause__ is not None
    with pytest.raises(StoreUnavailableError):
        await store.create(draft, band_nodes())
    await asyncio.to_thread(own_server.start)
    await store.create(draft, band_nodes())
    assert await store.read(draft.id, ROOT) is not None


async def test_a_redis_that_hangs_is_given_up_and_asked_once(own_server: Server) -> None:
    """The call is not repeated: it may have been applied."""
    asked: list[bytes] = []

    async def swallow(reader: StreamReader, writer: StreamWriter) -> None:
        """Stand between: what follows a ZREM is lost, as by a Redis that hangs."""
        path = own_server.url.removeprefix("unix://")
        answers, onward = await asyncio.open_unix_connection(path)
        try:
            while (sent := await reader.read(65536)) and b"ZREM" not in sent:
                onward.write(sent)
                writer.write(await answers.read(65536))
            asked.append(sent)
            await reader.read()
        finally:
            onward.close()
            writer.close()

    async with await asyncio.start_server(swallow, "127.0.0.1", 0) as between:
        port = between.sockets[0].getsockname()[1]
        hasty = make_client(f"redis://127.0.0.1:{port}", timeout=0.2)
        sessions = SessionIndex(hasty, ttl=timedelta(minutes=5))
        with pytest.raises(StoreUnavailableError):
            await sessions.forget("ringo", ["d1"])
        await hasty.aclose()
    assert len(asked) == 1


async def test_a_redis_that_takes_no_writes_is_unavailable_and_nothing_is_half_written(
    own_client: Client, make_store: MakeStore
) -> None:
    """Full memory and a read-only replica alike, in a script and outside of one."""
    store = make_store(client=own_client)
    draft = await store.create(new_draft(), band_nodes())
    for option, value, back in (("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")):
        await own_client.config_set(option, value)
        with pytest.raises(StoreUnavailableError):
            await store.create(new_draft(), band_nodes())
        with pytest.raises(StoreUnavailableError):
            await store.lock(draft.id, version=None, token=HOLDER, lease=timedelta(minutes=1))
        await own_client.config_set(option, back)
    found = await store.read(draft.id, ROOT)
    assert found is not None
    assert found.draft == draft


async def test_a_redis_that_has_become_a_replica_is_left(
    own_server: Server, own_client: Client, make_store: MakeStore
) -> None:
    """All connections to it, for its name may lead elsewhere by now; a script tells it, too."""
    store = make_store(client=own_client)
    await asyncio.gather(*(store.ping() for _ in range(10)))
    with SyncRedis.from_url(own_server.url) as plain:
        assert len(plain.client_list()) > 5
        plain.replicaof("127.0.0.1", "1")
        with pytest.raises(StoreUnavailableError):
            await store.create(new_draft(), band_nodes())
        async with asyncio.timeout(20):
            while len(plain.client_list()) > 1:  # noqa: ASYNC110 - until it has noticed
                await asyncio.sleep(0.01)


async def test_a_fault_of_our_own_is_not_called_unavailable(
    client: Client, keys: Keys, sessions: SessionIndex
) -> None:
    """What is wrong must be seen as wrong."""
    await client.set(keys.session_roots("ringo"), "not a hash")
    with pytest.raises(ResponseError):
        await sessions.find("ringo", "Band:1")


def test_each_loop_has_one_client_which_ends_with_it(redis_url: str) -> None:
    """No client outlives its loop, and none is left unclosed: warnings are errors."""
    closed: list[Client] = []

    async def close(client: Client) -> None:
        await client.aclose()
        closed.append(client)

    clients = PerLoop(lambda: make_client(redis_url), close)

    async def use() -> Client:
        assert clients.get() is clients.get()
        await clients.get().ping()
        return clients.get()

    used = [asyncio.run(use()) for _ in range(3)]
    assert closed == used
    assert len(set(map(id, used))) == 3

    async def close_early() -> None:
        first = await use()
        await clients.close()
        assert closed[-1] is first
        assert await use() is not first

    asyncio.run(close_early())
    assert len(closed) == 5
