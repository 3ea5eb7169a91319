"""Drafts on a Redis Cluster: on every node, one of them gone, and slots that move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import TypeAlias, TypeVar

import pytest
from redis.crc import key_slot
from redis.exceptions import RedisError

from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.service.engine import Engine
from gql_cluster.service.open import open_new
from gql_cluster.service.view import View
from gql_cluster.service.watch import Event, watch
from gql_cluster.store.blocking import make_sync_client
from gql_cluster.store.client import Client, make_client
from gql_cluster.store.drafts import DraftStore
from gql_cluster.store.keys import Keys
from gql_cluster.store.presence import PresenceStore, Watcher
from gql_cluster.store.results import Accepted, Skip
from gql_cluster.store.sessions import SessionIndex
from gql_cluster.store.sharing import Joining, Sharing
from gql_cluster.store.stamps import Stamps, count_saves
from tests.integration.service.conftest import (
    ANN,
    BAND,
    MakeEngine,
    beatles,
    new,
    numbered,
    rename,
    take,
)
from tests.integration.store.band import (
    ROOT,
    OpeningStore,
    add_member,
    band_nodes,
    new_draft,
    put,
    read,
    stage,
)
from tests.integration.store.band import rename as renaming
from tests.integration.topologies.conftest import layer_of
from tests.topologies import Cluster, Member, has_all, name_of, until

pytestmark = pytest.mark.once

T = TypeVar("T")

WakeBy: TypeAlias = Callable[[str], None]

MINUTES = timedelta(minutes=5)
KEYS = Keys()
DEADLINE = 60.0


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[Client]:
    """A client that is patient: the machine is shared."""
    client = make_client(cluster.url, timeout=20, connect_timeout=20)
    yield client
    await client.aclose()


@pytest.fixture
async def hasty(cluster: Cluster) -> AsyncIterator[Client]:
    """A client that waits one second."""
    client = make_client(cluster.url, timeout=1, connect_timeout=1)
    yield client
    await client.aclose()


def store_of(client: Client) -> DraftStore:
    """Return a store."""
    return OpeningStore(client, ttl=MINUTES, closed_ttl=MINUTES, log_length=1000, keys=KEYS)


def names(cluster: Cluster, key: Callable[[str], str]) -> dict[Member, str]:
    """Return a name for each master whose key lies there."""
    found: dict[Member, str] = {}
    for number in count():
        name = f"n{number}"
        found.setdefault(cluster.owner(key(name)), name)
        if len(found) == len(cluster.masters):
            return found
    raise AssertionError


def sessions_of(cluster: Cluster) -> dict[Member, str]:
    """Return a session for each master."""
    return names(cluster, KEYS.session_roots)


async def test_drafts_lie_on_every_node_and_no_call_needs_two(
    cluster: Cluster, client: Client
) -> None:
    """Each part of the store, for names that lie anywhere."""
    store = store_of(client)
    sharing, presence = Sharing(client), PresenceStore(client, ttl=MINUTES)
    places: set[Member] = set()
    while len(places) < len(cluster.masters):
        draft = await store.create(new_draft(), band_nodes())
        places.add(cluster.owner(KEYS.draft(draft.id)[0]))
        now, _ = await stage(store, draft, renaming("Wings"), add_member("denny"))
        assert (await read(store, draft)).draft == now
        assert [entry.version for entry in await store.entries(draft.id, 0, 10)] == [1]
        assert await sharing.share(draft.id, "nonce") == "nonce"
        assert await sharing.join(draft.id, "bob", "nonce", most=1) is Joining.JOINED
        bob = Watcher(id="w", session="bob", since=datetime.now(UTC))
        assert (await presence.beat(draft.id, [bob])).changed
        await store.delete(draft.id)
        assert await store.read(draft.id, ROOT) is None
    index = SessionIndex(client, ttl=MINUTES)
    for session in sessions_of(cluster).values():
        await asyncio.gather(*(index.claim(session, "Band:1", f"d{i}") for i in range(10)))
        found = await index.find(session, "Band:1")
        assert found is not None
        await index.add(session, found, datetime.now(UTC))
        assert [each.draft_id for each in await index.drafts(session, 10)] == [found]
        await index.release(session, "Band:1", found)
        await index.forget(session, [found])
        assert not await index.drafts(session, 10)
    await store.ping()


async def test_saves_are_counted_on_every_node(cluster: Cluster, client: Client) -> None:
    """Of several roots at once, by code without a loop."""
    stamps = Stamps(client, ttl=MINUTES)
    roots = [*names(cluster, KEYS.stamp).values()]
    before = [await stamps.get(root) for root in roots]
    plain = make_sync_client(cluster.url, timeout=20, connect_timeout=20)
    told = await asyncio.to_thread(count_saves, plain, KEYS, [*roots, "unheard of"])
    assert told == roots
    assert [await stamps.get(root) for root in roots] == [each + 1 for each in before]


async def test_more_calls_than_connections_wait_for_one(cluster: Cluster) -> None:
    """None is refused."""
    client = make_client(cluster.url, timeout=20, connect_timeout=20, max_connections=2)
    index = SessionIndex(client, ttl=MINUTES)
    assert set(await asyncio.gather(*(index.find("s", "r") for _ in range(300)))) == {None}
    await client.aclose()


async def test_a_node_that_hangs_is_not_the_others(cluster: Cluster, hasty: Client) -> None:
    """What lies there fails, at once from the second call on; all else goes on without a wait."""
    index = SessionIndex(hasty, ttl=MINUTES)
    sessions = sessions_of(cluster)
    *_, away = cluster.masters
    gone = sessions.pop(away)
    for session in (*sessions.values(), gone):
        await index.claim(session, "Band:1", "d")
    with away.hanging():
        with pytest.raises(StoreUnavailableError):
            await index.find(gone, "Band:1")
        began = time.monotonic()
        spans = []
        for _ in range(20):
            outcomes = await asyncio.gather(
                *(index.find(session, "Band:1") for session in sessions.values())
            )
            assert outcomes == ["d"] * len(sessions)
            tried = time.monotonic()
            with pytest.raises(StoreUnavailableError):
                await index.find(gone, "Band:1")
            spans.append(time.monotonic() - tried)
        assert sorted(spans)[len(spans) // 2] < 0.5  # but for a trial now and then
        assert time.monotonic() - began < 20
        await store_of(hasty).ping()
    assert await answered(partial(index.find, gone, "Band:1")) == "d"


async def test_a_client_that_begins_while_a_node_hangs_finds_the_others(
    cluster: Cluster, hasty: Client
) -> None:
    """Whichever it asks first who has what."""
    sessions = sessions_of(cluster)
    first, *_ = cluster.masters
    with first.hanging():
        index = SessionIndex(hasty, ttl=MINUTES)
        for place, session in sessions.items():
            if place is not first:
                found = await answered(partial(index.find, session, "none"))
                assert found is None


async def answered(call: Callable[[], Awaitable[str | None]]) -> str | None:
    """Call until there is an answer."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                return await call()
            except StoreUnavailableError:
                await asyncio.sleep(0)


class Move:
    """A slot on its way from its master to another one, and back."""

    def __init__(self, cluster: Cluster, key: str) -> None:
        self._masters = cluster.masters
        self._slot = key_slot(key.encode())
        self.source = cluster.owner(key)
        self.target = next(each for each in self._masters if each is not self.source)

    def begin(self) -> None:
        """Have keys that are not at the source be asked for at the target."""
        self.target.ask("CLUSTER SETSLOT", self._slot, "IMPORTING", name_of(self.source))
        self.source.ask("CLUSTER SETSLOT", self._slot, "MIGRATING", name_of(self.target))

    def carry(self, keys: Iterable[str]) -> None:
        """Move those of some keys that are there."""
        self.source.ask("MIGRATE", "127.0.0.1", self.target.port, "", 0, 5000, "KEYS", *keys)

    def end(self) -> None:
        """Have the slot be the target's; the next move is that back."""
        for master in (self.target, self.source, *self._masters):
            master.ask("CLUSTER SETSLOT", self._slot, "NODE", name_of(self.target))
        self.source, self.target = self.target, self.source


async def test_a_draft_is_found_where_its_slot_has_moved(cluster: Cluster, client: Client) -> None:
    """While its keys may be apart, that is told; behind that it goes on, whoever knew."""
    store = store_of(client)
    draft = await store.create(new_draft(), band_nodes())
    keys = KEYS.draft(draft.id)
    move = Move(cluster, keys[0])
    for outcome in (Skip, Accepted):  # another node's history is another one, as by a failover
        move.begin()
        move.carry(keys[:1])
        with pytest.raises(StoreUnavailableError):
            await read(store, draft)
        move.carry(keys[1:])
        move.end()
        assert (await read(store, draft)).draft == draft
        assert isinstance(await put(store, draft), outcome)


async def test_one_key_is_found_while_its_slot_moves(cluster: Cluster, client: Client) -> None:
    """At the one side or at the other."""
    index = SessionIndex(client, ttl=MINUTES)
    key = KEYS.session_roots("mover")
    assert await index.claim("mover", "Band:1", "d1") == "d1"
    move = Move(cluster, key)
    move.begin()
    assert await index.claim("mover", "Band:1", "d2") == "d1"
    move.carry([key])
    assert await index.claim("mover", "Band:1", "d2") == "d1"
    assert await index.find("mover", "Band:1") == "d1"
    move.end()
    assert await index.find("mover", "Band:1") == "d1"
    move.begin()
    move.carry([key])
    move.end()
    assert await index.claim("mover", "Band:1", "d2") == "d1"


async def test_edits_and_events_go_on_through_a_failover(
    cluster: Cluster, make_engine: MakeEngine, wake_by: WakeBy
) -> None:
    """One that is asked for: the replica lacks the scripts, and nothing is lost."""
    wake_by(cluster.url)
    one, two = (make_engine(REDIS_URL=cluster.url, POLL_INTERVAL=0.5) for _ in range(2))
    view = await on(cluster, cluster.masters[0], one)
    async with aclosing(numbered(watch(two, ANN, view.draft.id, after=None))) as events:
        await take(events, 1)
        await rename(one, view, "Before")
        await asyncio.to_thread(cluster.promote, cluster.replicas[0])
        await rename(one, view, "Behind")
        assert names_told(await take(events, 2)) == ["Before", "Behind"]
        await asyncio.to_thread(cluster.promote, cluster.masters[0])
        await rename(two, view, "Back")
        assert names_told(await take(events, 1)) == ["Back"]


async def test_edits_go_on_where_a_replica_took_a_dead_masters_place(
    cluster: Cluster, make_engine: MakeEngine, wake_by: WakeBy
) -> None:
    """Until then they fail at once, and drafts elsewhere are edited; nobody restarts a worker."""
    wake_by(cluster.url)
    one, two = (make_engine(REDIS_URL=cluster.url, POLL_INTERVAL=0.5) for _ in range(2))
    master, replica = cluster.masters[0], cluster.replicas[0]
    view = await on(cluster, master, one)
    elsewhere = await on(cluster, cluster.masters[1], one)
    async with aclosing(numbered(watch(two, ANN, view.draft.id, after=None))) as events:
        await take(events, 1)
        await rename(one, view, "Before")
        until(lambda: has_all(replica, master))
        await asyncio.to_thread(master.kill)
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            await rename(one, view, "Never")
        assert time.monotonic() - began < 5
        await rename(one, elsewhere, "Meanwhile")
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    await rename(one, view, "Behind")
                    break
                except StoreUnavailableError:
                    await rename(one, elsewhere, "Meanwhile")
        assert names_told(await take(events, 2)) == ["Before", "Behind"]
    await asyncio.to_thread(master.start)


async def on(cluster: Cluster, place: Member, engine: Engine) -> View:
    """Open a draft that lies on a master."""
    while True:
        view = await open_new(engine, ANN, BAND, new("Band", name="New"))
        if cluster.owner(KEYS.draft(view.draft.id)[0]) is place:
            return view


def names_told(events: list[Event]) -> list[object]:
    """Return the names that the draft was given."""
    roots = [event.at.snapshot.node("root") for event in events]
    return [None if root is None else root.fields["name"] for root in roots]


async def test_of_many_edits_at_once_each_is_one_version(
    cluster: Cluster, make_engine: MakeEngine
) -> None:
    """By two workers, as on one Redis."""
    one, two = (make_engine(REDIS_URL=cluster.url) for _ in range(2))
    view = await beatles(one)
    await asyncio.gather(*(rename((one, two)[i % 2], view, f"Name {i}") for i in range(30)))
    entries = await one.parts.store.entries(view.draft.id, 0, 100)
    assert [entry.version for entry in entries] == [*range(1, 31)]


async def test_wake_ups_pass_between_nodes_and_by_one_that_hangs(cluster: Cluster) -> None:
    """A worker listens at one node and another publishes at a second; either may hang."""
    one, *others = (layer_of(cluster.url) for _ in range(3))
    channel = await one.new_channel()
    await one.group_add("group", channel)
    for other in others:
        await other.group_send("group", {"type": "news"})
        async with asyncio.timeout(DEADLINE):
            assert await one.receive(channel) == {"type": "news"}
    heard = asyncio.create_task(one.receive(channel))
    listening = next(each for each in cluster.masters if each.ask("PUBSUB CHANNELS"))
    hanging = next(each for each in cluster.masters if each is not listening)
    with hanging.hanging():
        async with asyncio.timeout(DEADLINE):
            while not heard.done():
                for other in others:
                    with suppress(RedisError, OSError):
                        await other.group_send("group", {"type": "news"})
                await asyncio.wait({heard}, timeout=0.1)
    assert await heard == {"type": "news"}
    for layer in (one, *others):
        await layer.flush()


async def test_wake_ups_begin_where_a_node_hangs(cluster: Cluster) -> None:
    """The first that the URL names, too: whoever got no answer there goes to another."""
    one, other = (layer_of(cluster.url) for _ in range(2))
    with cluster.masters[0].hanging():
        async with asyncio.timeout(DEADLINE):
            channel = await heeded(one.new_channel)
            await heeded(partial(one.group_add, "group", channel))
            await heeded(partial(other.group_send, "group", {"type": "news"}))
            assert await one.receive(channel) == {"type": "news"}
    for layer in (one, other):
        await layer.flush()


async def heeded(call: Callable[[], Awaitable[T]]) -> T:
    """Call a channel layer until it does as it is told."""
    while True:
        with suppress(RedisError, OSError):
            return await call()
