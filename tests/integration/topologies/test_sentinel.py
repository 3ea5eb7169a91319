"""Drafts at a master that Sentinels watch: another takes its place, and everything goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import TypeAlias

import pytest
from redis.exceptions import RedisError, ResponseError

from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.service.watch import watch
from gql_cluster.store.blocking import make_sync_client
from gql_cluster.store.client import Client, make_client
from gql_cluster.store.keys import Keys
from gql_cluster.store.node import Node
from gql_cluster.store.sessions import SessionIndex
from gql_cluster.store.stamps import Stamps, count_saves
from tests.integration.service.conftest import ANN, MakeEngine, beatles, numbered, rename, take
from tests.integration.topologies.conftest import layer_of
from tests.integration.topologies.test_cluster import names_told
from tests.topologies import PASSWORD, SERVICE, Watched, has_all, is_replica_in_step, until

pytestmark = pytest.mark.once

WakeBy: TypeAlias = Callable[[str], None]

MINUTES = timedelta(minutes=5)
DEADLINE = 60.0


@pytest.fixture
async def client(watched: Watched) -> AsyncIterator[Client]:
    """A client that is patient: the machine is shared."""
    client = make_client(watched.url, timeout=20, connect_timeout=20)
    yield client
    await client.aclose()


async def test_the_master_is_what_is_read_and_written(watched: Watched, client: Client) -> None:
    """In the database that the URL names, with the password of each side."""
    index = SessionIndex(client, ttl=MINUTES)
    assert await index.claim("ann", "Band:1", "d1") == "d1"
    master = await asyncio.to_thread(lambda: watched.master)
    assert int(master.ask("INFO", "keyspace")["db1"]["keys"]) == 1
    assert isinstance(client, Node)
    roles = [await client.role() for _ in range(5)]
    assert {role[0] for role in roles} == {b"master"}


async def test_a_replica_that_sentinels_take_for_the_master_is_not_asked(watched: Watched) -> None:
    """It might be behind, and what is read there old."""
    replica = watched.other_than(watched.master)
    for sentinel in watched.sentinels:
        sentinel.ask("SENTINEL MONITOR", "stray", "127.0.0.1", replica.port, 3)
        sentinel.ask("SENTINEL SET", "stray", "auth-pass", PASSWORD)
    client = make_client(watched.url.replace(SERVICE + "/", "stray/"), timeout=20)
    with pytest.raises(StoreUnavailableError) as caught:
        await SessionIndex(client, ttl=MINUTES).find("ann", "Band:1")
    assert "no master" in str(caught.value.__cause__)
    await client.aclose()
    for sentinel in watched.sentinels:
        sentinel.ask("SENTINEL REMOVE", "stray")


async def test_edits_and_events_go_on_at_the_master_that_the_sentinels_choose(
    watched: Watched, make_engine: MakeEngine, wake_by: WakeBy
) -> None:
    """As soon as they have: what was there before is kept, and nobody restarts a worker."""
    wake_by(watched.url)
    one, two = (make_engine(REDIS_URL=watched.url, POLL_INTERVAL=0.5) for _ in range(2))
    view = await beatles(one)
    plain = make_sync_client(watched.url, timeout=20, connect_timeout=20)
    stamps = Stamps(one.parts.client, ttl=MINUTES)
    before = await stamps.get("Band:1")
    master = watched.master
    async with aclosing(numbered(watch(two, ANN, view.draft.id, after=None))) as events:
        await take(events, 1)
        await rename(one, view, "Before")
        until(lambda: has_all(watched.other_than(master), master))
        await asyncio.to_thread(master.kill)
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            await rename(one, view, "Never")
        assert time.monotonic() - began < 5
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    await rename(one, view, "Behind")
                    break
                except StoreUnavailableError:
                    await asyncio.sleep(0.01)
        assert names_told(await take(events, 2)) == ["Before", "Behind"]
    assert await asyncio.to_thread(count_saves, plain, Keys(), ["Band:1"]) == ["Band:1"]
    assert await stamps.get("Band:1") == before + 1
    await asyncio.to_thread(watched.bring_back, master)


async def test_a_master_that_steps_down_is_left_for_the_new_one(
    watched: Watched, client: Client
) -> None:
    """Whatever connections there were to the old one; who listened there listens at the new one."""
    index = SessionIndex(client, ttl=MINUTES)
    await asyncio.gather(*(index.claim("ann", f"Band:{number}", "d") for number in range(30)))
    one, other = (layer_of(watched.url) for _ in range(2))
    channel = await one.new_channel()
    await one.group_add("group", channel)
    await other.group_send("group", {"type": "before"})
    async with asyncio.timeout(DEADLINE):
        assert await one.receive(channel) == {"type": "before"}
    await asyncio.to_thread(fail_over, watched)
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                claims = (index.claim("ann", f"Band:{number}", "e") for number in range(30))
                assert set(await asyncio.gather(*claims)) == {"d"}
                break
            except StoreUnavailableError:
                await asyncio.sleep(0.01)
        heard = asyncio.create_task(one.receive(channel))
        while not heard.done():
            with suppress(RedisError, OSError):
                await other.group_send("group", {"type": "behind"})
            await asyncio.wait({heard}, timeout=0.1)
    assert await heard == {"type": "behind"}
    for layer in (one, other):
        await layer.flush()


def fail_over(watched: Watched) -> None:
    """Have the Sentinels put the replica in its master's place."""
    master = watched.master

    def begun() -> bool:
        try:
            watched.sentinels[0].ask("SENTINEL FAILOVER", SERVICE)
        except ResponseError:  # they have not heard of the replica as yet, or of the last failover
            return False
        return True

    until(begun)
    until(lambda: watched.master is not master)
    until(lambda: is_replica_in_step(master))
