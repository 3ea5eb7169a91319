"""How often each saved root was saved."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from datetime import timedelta

import pytest
from redis import Redis as SyncRedis

from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.store.blocking import make_sync_client
from gql_cluster.store.client import Client
from gql_cluster.store.keys import Keys
from gql_cluster.store.stamps import Stamps, count_saves
from tests.integration.store.conftest import Server

TTL = timedelta(minutes=5)
ROOTS = ("bands.Band:1", "bands.Band:11", "bands.Band:}{:é")


@pytest.fixture
def stamps(client: Client, keys: Keys) -> Stamps:
    """The counts, as a worker asks for them."""
    return Stamps(client, ttl=TTL, keys=keys)


async def saved(client: SyncRedis, keys: Keys, roots: Sequence[str]) -> list[str]:
    """Count a save as a transaction does, in a thread."""
    return await asyncio.to_thread(count_saves, client, keys, roots)


async def test_each_save_of_a_root_is_one_more(
    stamps: Stamps, redis_client: SyncRedis, keys: Keys
) -> None:
    """Of that root alone, also where its name is like the key's own punctuation."""
    before = [await stamps.get(root) for root in ROOTS]
    assert [await stamps.get(root) for root in ROOTS] == before
    assert await saved(redis_client, keys, ROOTS[:2]) == [*ROOTS[:2]]
    assert await saved(redis_client, keys, ROOTS[1:]) == [*ROOTS[1:]]
    after = [await stamps.get(root) for root in ROOTS]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 2, 1]


async def test_the_saves_of_a_root_that_nobody_edits_are_not_counted(
    stamps: Stamps, redis_client: SyncRedis, client: Client, keys: Keys
) -> None:
    """Nothing is kept of it."""
    await stamps.get(ROOTS[0])
    assert await saved(redis_client, keys, ROOTS) == [ROOTS[0]]
    assert [await client.exists(keys.stamp(root)) for root in ROOTS] == [1, 0, 0]


async def test_a_count_that_was_lost_begins_with_another_number(
    stamps: Stamps, redis_client: SyncRedis, client: Client, keys: Keys
) -> None:
    """A draft that knows an earlier one does not take it for that."""
    seen = {await stamps.get(ROOTS[0])}
    for _ in range(3):
        await saved(redis_client, keys, ROOTS[:1])
        seen.add(await stamps.get(ROOTS[0]))
    await client.delete(keys.stamp(ROOTS[0]))
    # Wait by Redis' own clock: one save a millisecond is more than there can be.
    await client.blpop([f"{keys.prefix}:nothing"], timeout=0.05)
    assert await stamps.get(ROOTS[0]) > max(seen)


async def test_a_count_outlives_the_drafts_that_may_ask_for_it(
    stamps: Stamps, client: Client, keys: Keys
) -> None:
    """A day longer; it is put off where less than a draft's life is left, and by no save."""
    key = keys.stamp(ROOTS[0])
    await stamps.get(ROOTS[0])
    day = timedelta(days=1) // timedelta(milliseconds=1)
    assert day < await client.pttl(key) <= day + 300_000
    await client.pexpire(key, 299_000)
    await stamps.get(ROOTS[0])
    assert day < await client.pttl(key) <= day + 300_000
    await client.pexpire(key, 400_000)
    await stamps.get(ROOTS[0])
    assert await client.pttl(key) <= 400_000


async def test_a_count_is_not_guessed_where_redis_is_away(
    own_server: Server, own_client: Client
) -> None:
    """Neither is a save forgotten in silence."""
    stamps, keys = Stamps(own_client, ttl=TTL), Keys()
    with SyncRedis.from_url(own_server.url, retry=None) as client:
        await stamps.get(ROOTS[0])
        assert await saved(client, keys, ROOTS[:1]) == [ROOTS[0]]
        await asyncio.to_thread(own_server.stop)
        with pytest.raises(StoreUnavailableError):
            await stamps.get(ROOTS[0])
        with pytest.raises(StoreUnavailableError):
            await saved(client, keys, ROOTS[:1])


@pytest.mark.once
@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:{port}",
        "redis+sentinel://127.0.0.1:{port}/drafts",
        "redis+cluster://127.0.0.1:{port},localhost:{port}",
    ],
)
def test_a_save_is_told_in_one_way_that_nobody_answers(url: str, keys: Keys) -> None:
    """Whatever the library raises then: what has been saved does not fail by it."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        place = url.format(port=mute.getsockname()[1])
        with pytest.raises(StoreUnavailableError):
            count_saves(make_sync_client(place, timeout=20, connect_timeout=20), keys, ROOTS)
