"""Watching a draft: every event once and in order, whatever happens to the wake-ups."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer, channel_layers
from django.utils.module_loading import import_string
from redis import Redis

from gql_cluster.domain.draft import Cause
from gql_cluster.domain.error import NotFoundError, StoreUnavailableError
from gql_cluster.service.commit import commit
from gql_cluster.service.discard import discard
from gql_cluster.service.engine import Engine
from gql_cluster.service.presence import editors_of
from gql_cluster.service.read import get_draft
from gql_cluster.service.watch import EditorsChanged, Event, Expired, Expiring, watch
from gql_cluster.store.keys import Keys
from gql_cluster.store.presence import Present
from tests.integration.service.conftest import (
    ANN,
    BAND,
    BOB,
    MakeEngine,
    admit,
    beatles,
    numbered,
    rename,
    take,
    watcher,
)
from tests.integration.store.conftest import Server
from tests.topologies import channels

pytestmark = pytest.mark.once

RedisPubSubChannelLayer = import_string("channels_redis.pubsub.RedisPubSubChannelLayer")
SELDOM = 60.0
"""Seconds; what comes sooner came by a wake-up, or by a timer."""


class Dropping(InMemoryChannelLayer):
    """A channel layer that loses every message."""

    async def group_send(self, group: str, message: Any) -> None:
        """Lose it."""


class Noting(InMemoryChannelLayer):
    """A channel layer that counts what it is sent."""

    sent = 0

    async def group_send(self, group: str, message: Any) -> None:
        """Count it."""
        self.sent += 1
        await super().group_send(group, message)


class Hanging(InMemoryChannelLayer):
    """A channel layer that takes no message, and does not say so."""

    def __init__(self) -> None:
        super().__init__()
        self.given_up: asyncio.Queue[str] = asyncio.Queue()

    async def group_send(self, group: str, message: Any) -> None:
        """Hang."""
        del message
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up.put_nowait(group)


@pytest.fixture
def server() -> Iterator[Server]:
    """A Redis for one test, which keeps what it has when it is stopped and started."""
    with TemporaryDirectory(prefix="gqlc-") as folder:
        server = Server(Path(folder), keeps=True)
        server.start()
        yield server
        server.stop()


def versions(told: list[Event]) -> list[int | None]:
    """Return the numbers of events, None for a snapshot."""
    return [event.entry.version if event.entry else None for event in told]


async def test_a_watcher_sees_a_snapshot_then_each_event(engine: Engine, other: Engine) -> None:
    """Edits through another worker, then the commit, which ends it."""
    view = await beatles(engine)
    events = numbered(watch(other, ANN, view.draft.id, after=None))
    [snapshot] = await take(events, 1)
    assert snapshot.entry is None
    assert snapshot.view.draft.version == 0
    for name in ("One", "Two"):
        await rename(engine, view, name)
    one, two = await take(events, 2)
    assert versions([one, two]) == [1, 2]
    root = one.at.snapshot.node("root")
    assert root is not None
    assert root.fields["name"] == "One"
    await commit(engine, ANN, BAND, view.draft.id, expected_version=2, change_id=None)
    [committed] = await take(events, 1)
    assert committed.entry is not None
    assert committed.entry.cause is Cause.COMMIT
    assert committed.entry.keys is not None
    assert committed.entry.keys["root"] == view.draft.pk
    with pytest.raises(StopAsyncIteration):
        await take(events, 1)


async def test_reconnecting_loses_and_repeats_nothing(engine: Engine, other: Engine) -> None:
    """Ten reconnects while forty edits run: every version exactly once."""
    view = await beatles(engine)
    total = 40

    async def write() -> None:
        for number in range(total):
            await rename(engine, view, f"Name {number}")

    writing = asyncio.create_task(write())
    seen: list[int | None] = []
    for number in range(11):
        worker = (engine, other)[number % 2]
        count = 4 if number < 10 else total - len(seen)
        async with aclosing(
            numbered(watch(worker, ANN, view.draft.id, after=seen[-1] if seen else 0))
        ) as events:
            seen += versions(await take(events, count))
    await writing
    assert seen == list(range(1, total + 1))


async def test_an_old_place_begins_with_a_snapshot(engine: Engine) -> None:
    """So does a place that the draft has never been at."""
    view = await beatles(engine)
    for after in (99, -1):
        async with aclosing(watch(engine, ANN, view.draft.id, after=after)) as told:
            [event] = await take(told, 1)
        assert isinstance(event, Event)
        assert event.entry is None


async def test_a_discard_is_told_and_ends_it(engine: Engine) -> None:
    """The last event says so; nothing comes behind it."""
    view = await beatles(engine)
    await discard(engine, ANN, view.draft.id)
    told = [each async for each in watch(engine, ANN, view.draft.id, after=0)]
    [event] = told
    assert isinstance(event, Event)
    assert event.entry is not None
    assert event.entry.cause is Cause.DISCARD


async def test_nobody_watches_anothers_draft(engine: Engine) -> None:
    """It is not there for them."""
    view = await beatles(engine)
    with pytest.raises(NotFoundError):
        await take(watch(engine, BOB, view.draft.id, after=None), 1)


# Lost wake-ups


@pytest.mark.parametrize("layer", [None, Dropping()], ids=["none", "dropping"])
async def test_events_arrive_without_any_wake_up(
    engine: Engine, make_engine: MakeEngine, layer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel layer may lose everything: the log is looked at by and by."""
    monkeypatch.setitem(channel_layers.backends, "default", layer)
    poll = 0.3
    view = await beatles(engine)
    patient = make_engine(POLL_INTERVAL=poll)
    async with aclosing(numbered(watch(patient, ANN, view.draft.id, after=None))) as events:
        await take(events, 1)
        for number in range(1, 4):
            await rename(engine, view, f"Quiet {number}")
            [event] = await take(events, 1)
            assert event.entry is not None
            assert event.entry.version == number
            assert datetime.now(UTC) - event.entry.at < timedelta(seconds=poll + 5)


async def test_who_watches_where_the_edit_is_made_needs_no_wake_up(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single worker tells at once without a channel layer."""
    monkeypatch.setitem(channel_layers.backends, "default", None)
    only = make_engine(POLL_INTERVAL=SELDOM)
    view = await beatles(only)
    async with aclosing(numbered(watch(only, ANN, view.draft.id, after=None))) as events:
        await take(events, 1)
        for version in (1, 2):
            coming = asyncio.create_task(take(events, 1))
            await asyncio.wait({coming}, timeout=0.2)
            assert not coming.done()
            await rename(only, view, f"Here {version}")
            assert versions(await coming) == [version]


async def test_a_channel_layer_that_hangs_holds_no_edit_up(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is given up after a second; that is logged, and not each time."""
    hanging = Hanging()
    monkeypatch.setitem(channel_layers.backends, "default", hanging)
    view = await beatles(engine)
    await engine.parts.presence.beat(view.draft.id, [watcher("bob")])
    for name in ("One", "Two", "Three"):
        await rename(engine, view, name)
    assert hanging.given_up.empty()
    async with asyncio.timeout(20):
        for _ in range(2):  # the one that was under way, and one for all since
            await hanging.given_up.get()
    await engine.parts.hub.aclose()
    assert hanging.given_up.empty()
    lost = [record for record in caplog.records if "wake-up" in record.message]
    assert len(lost) == 1


async def test_where_nobody_watches_no_wake_up_is_sent(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit is one call of Redis; from the first watcher on, on whatever worker, it is told."""
    noting = Noting()
    monkeypatch.setitem(channel_layers.backends, "default", noting)
    view = await beatles(engine)
    for name in ("One", "Two"):
        await rename(engine, view, name)
    assert noting.sent == 0
    await engine.parts.presence.beat(view.draft.id, [watcher("bob")])
    await rename(engine, view, "Three")
    await engine.parts.hub.aclose()
    assert noting.sent == 1


@pytest.mark.parametrize("fails", [False, True])
async def test_what_was_edited_while_a_watcher_came_is_told(
    engine: Engine, make_engine: MakeEngine, *, fails: bool
) -> None:
    """Before the store knows of the watcher an edit wakes nobody: it is looked at once more.

    So it is where the store was away when the watcher came.
    """
    view = await beatles(engine)
    there = make_engine(POLL_INTERVAL=SELDOM, PRESENCE_BEAT=0.5)
    store = there.parts.presence
    plain = store.beat
    steps = iter(("fail", "wait") if fails else ("wait",))

    async def beat(*args: Any, **kwargs: Any) -> Present:
        match next(steps, None):
            case "fail":
                raise StoreUnavailableError.of("Away.")
            case "wait":
                await asyncio.sleep(0.5)  # its group is joined long since, what was then is seen
                await rename(engine, view, "Meanwhile")
        return await plain(*args, **kwargs)

    store.beat = beat  # type: ignore[method-assign]
    async with aclosing(numbered(watch(there, ANN, view.draft.id, after=0))) as events:
        assert versions(await take(events, 1)) == [1]


async def test_a_wake_up_that_is_not_known_is_no_wake_up(
    engine: Engine, make_engine: MakeEngine
) -> None:
    """As a newer release may send it; the next one is taken."""
    view = await beatles(engine)
    there = make_engine(POLL_INTERVAL=SELDOM)
    async with aclosing(numbered(watch(there, ANN, view.draft.id, after=None))) as events:
        await take(events, 1)
        layer: Any = channel_layers["default"]
        group = there.parts.hub._group(view.draft.id)  # noqa: SLF001
        coming = asyncio.create_task(take(events, 1))
        while not coming.done():
            await layer.group_send(group, {"type": "weather.changed"})
            await rename(engine, view, "Known")
            await asyncio.wait({coming}, timeout=0.2)
        assert versions(await coming) == [1]


async def test_a_listener_outlives_its_channel_layers_redis(
    engine: Engine, make_engine: MakeEngine, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Redis of the wake-ups goes away and comes back: they arrive again, by themselves."""
    layer = RedisPubSubChannelLayer(hosts=[server.url])
    monkeypatch.setitem(channel_layers.backends, "default", layer)
    view = await beatles(engine)
    there = make_engine(POLL_INTERVAL=SELDOM, PRESENCE_BEAT=SELDOM)
    async with aclosing(numbered(watch(there, ANN, view.draft.id, after=None))) as events:
        await take(events, 1)
        await rename(engine, view, "Before")
        await take(events, 1)
        await asyncio.to_thread(server.stop)
        await rename(engine, view, "Unheard")
        await asyncio.to_thread(server.start)
        coming = asyncio.create_task(take(events, 1))
        while not coming.done():
            await rename(engine, view, "After")
            await asyncio.wait({coming}, timeout=0.2)
        assert versions(await coming) == [2]


@pytest.mark.parametrize("cached", [0, 10**6])
async def test_watching_goes_on_when_redis_was_away(
    make_engine: MakeEngine, server: Server, cached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drafts and wake-ups are gone for a while: nobody is told, and nothing is missed."""
    layer = RedisPubSubChannelLayer(hosts=[server.url])
    monkeypatch.setitem(channel_layers.backends, "default", layer)
    short = {"POLL_INTERVAL": 0.2, "PRESENCE_BEAT": 0.1, "PRESENCE_TTL": 0.5}
    one, two = (make_engine(REDIS_URL=server.url, CACHE_BYTES=cached, **short) for _ in range(2))
    view = await beatles(one)
    async with aclosing(numbered(watch(two, ANN, view.draft.id, after=None))) as events:
        await take(events, 1)
        await rename(one, view, "Before")
        await take(events, 1)
        await asyncio.to_thread(server.stop)
        coming = asyncio.create_task(take(events, 1))
        await asyncio.wait({coming}, timeout=1)
        assert not coming.done()
        await asyncio.to_thread(server.start)
        await rename(one, view, "After")
        [after] = await coming
        assert after.entry is not None
        root = after.at.snapshot.node("root")
        assert root is not None
        assert root.fields["name"] == "After"
        async with asyncio.timeout(10):  # its session was forgotten, and is an editor again
            while not await editors_of(one, view.draft.id):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


# Slow readers


async def test_a_reader_that_falls_behind_gets_a_snapshot(
    engine: Engine, make_engine: MakeEngine
) -> None:
    """Instead of more than `MAX_BACKLOG` events; then it goes on with the next."""
    view = await beatles(engine)
    there = make_engine(MAX_BACKLOG=10)
    async with aclosing(numbered(watch(there, ANN, view.draft.id, after=None))) as events:
        await take(events, 1)
        for number in range(10):
            await rename(engine, view, f"Name {number}")
        assert versions(await take(events, 10)) == list(range(1, 11))
        for number in range(11):
            await rename(engine, view, f"Name {number}")
        # The worker has heard of them all, as it does soon by itself.
        assert (await get_draft(there, ANN, view.draft.id)).draft.version == 21
        [snapshot] = await take(events, 1)
        assert versions([snapshot]) == [None]
        assert snapshot.view.draft.version == 21
        await rename(engine, view, "Next")
        assert versions(await take(events, 1)) == [22]


async def test_what_happened_before_is_told_however_much_it_is(
    engine: Engine, make_engine: MakeEngine
) -> None:
    """A subscriber that comes back has not been slow."""
    view = await beatles(engine)
    for number in range(20):
        await rename(engine, view, f"Name {number}")
    there = make_engine(MAX_BACKLOG=10)
    async with aclosing(numbered(watch(there, ANN, view.draft.id, after=0))) as events:
        assert versions(await take(events, 1)) == [1]
        await rename(engine, view, "Meanwhile")
        assert versions(await take(events, 20)) == list(range(2, 22))


async def test_watchers_come_and_go_and_leave_nothing(engine: Engine, redis_client: Redis) -> None:
    """Fifty who watch a draft get every event; no task, no group and no editor stays of them."""
    view = await beatles(engine)
    before = asyncio.all_tasks()

    async def look(count: int) -> int:
        async with aclosing(numbered(watch(engine, ANN, view.draft.id, after=0))) as events:
            assert versions(await take(events, count)) == list(range(1, count + 1))
        return count

    watching = [asyncio.create_task(look(1 + number % 3)) for number in range(50)]
    for number in range(3):
        await rename(engine, view, f"Name {number}")
        await look(1)
    assert sum(await asyncio.gather(*watching)) > 50
    await left(engine, before, redis_client, view.draft.id)


async def test_watchers_that_are_cut_off_anywhere_leave_nothing(
    engine: Engine, redis_client: Redis
) -> None:
    """A socket may die before, while and after its session becomes an editor."""
    view = await beatles(engine)
    before = asyncio.all_tasks()

    async def look() -> None:
        async with aclosing(watch(engine, ANN, view.draft.id, after=0)) as told:
            async for _ in told:
                pass

    for ticks in range(40):
        watching = asyncio.create_task(look())
        for _ in range(ticks):
            await asyncio.sleep(0)
        watching.cancel()
        await asyncio.wait({watching})
        assert watching.cancelled()
    await left(engine, before, redis_client, view.draft.id)


async def left(
    engine: Engine, before: set[asyncio.Task[Any]], redis_client: Redis, draft_id: str
) -> None:
    """Wait until nothing of the watchers is left."""

    def ours() -> bool:
        names = ("_follow", "_listen", "_tell_all", "Presence")
        coros = [repr(task.get_coro()) for task in asyncio.all_tasks() - before]
        return any(name in coro for coro in coros for name in names)

    hub = engine.parts.hub
    async with asyncio.timeout(20):
        while ours() or hub._tasks:  # noqa: ASYNC110, SLF001 - nothing tells but the loop
            await asyncio.sleep(0.01)
    assert hub._watches == {}  # noqa: SLF001
    assert not [name for name in channels(redis_client) if b"draft" in name]
    assert redis_client.exists(*Keys().editors(draft_id)) == 0


# Expiry


async def test_expiry_is_told_before_and_then(make_engine: MakeEngine) -> None:
    """By the clock, once each; then it ends."""
    worker = make_engine(DRAFT_TTL=1, EXPIRY_NOTICE=0.5, POLL_INTERVAL=SELDOM)
    view = await beatles(worker)
    async with asyncio.timeout(20):
        told = [each async for each in watch(worker, ANN, view.draft.id, after=None)]
    _, expiring, expired = told
    assert isinstance(expiring, Expiring)
    assert expiring.expires_at == view.draft.expires_at
    assert expiring.time >= view.draft.expires_at - timedelta(seconds=0.5)
    assert isinstance(expired, Expired)
    assert expired.time >= view.draft.expires_at
    assert expired.view.draft.id == view.draft.id
    with pytest.raises(NotFoundError):
        await take(watch(worker, ANN, view.draft.id, after=None), 1)


async def test_who_comes_shortly_before_expiry_is_told_at_once(make_engine: MakeEngine) -> None:
    """Behind the snapshot, or the events that it has missed."""
    worker = make_engine(DRAFT_TTL=600)
    view = await beatles(worker)
    await rename(worker, view, "Late")
    async with aclosing(watch(worker, ANN, view.draft.id, after=None)) as told:
        snapshot, expiring = await take(told, 2)
    assert isinstance(snapshot, Event)
    assert isinstance(expiring, Expiring)
    async with aclosing(watch(worker, ANN, view.draft.id, after=0)) as told:
        assert [type(each) for each in await take(told, 3)] == [Event, EditorsChanged, Expiring]


async def test_an_edit_puts_expiry_off(make_engine: MakeEngine) -> None:
    """And the notice of it: there is one for each time of expiry."""
    worker, elsewhere = (
        make_engine(DRAFT_TTL=3, EXPIRY_NOTICE=2.5, POLL_INTERVAL=SELDOM) for _ in range(2)
    )
    view = await beatles(worker)
    async with aclosing(watch(worker, ANN, view.draft.id, after=None)) as told:
        _, first = await take(told, 2)
        await rename(elsewhere, view, "Later")
        event, second, expired = await take(told, 3)
        with pytest.raises(StopAsyncIteration):
            await take(told, 1)
    assert isinstance(first, Expiring)
    assert isinstance(event, Event)
    assert isinstance(second, Expiring)
    assert second.expires_at == event.view.draft.expires_at > first.expires_at
    assert second.time >= second.expires_at - timedelta(seconds=2.5)
    assert isinstance(expired, Expired)
    assert expired.time >= second.expires_at


async def test_a_draft_that_is_lost_early_has_expired(
    make_engine: MakeEngine, redis_client: Redis
) -> None:
    """As by a Redis that was full, or lost everything; told with the next look at it."""
    worker = make_engine(POLL_INTERVAL=0.1)
    view = await beatles(worker)
    async with aclosing(watch(worker, ANN, view.draft.id, after=None)) as told:
        await take(told, 1)
        redis_client.delete(*Keys().draft(view.draft.id))
        [expired] = await take(told, 1)
        assert isinstance(expired, Expired)
        with pytest.raises(StopAsyncIteration):
            await take(told, 1)


async def test_who_may_not_see_it_any_more_is_told_nothing_more(
    engine: Engine, other: Engine, redis_client: Redis
) -> None:
    """It ends as if the draft were not there, for that session alone."""
    view = await beatles(engine)
    admit(redis_client, view, "bob")
    async with (
        aclosing(numbered(watch(other, ANN, view.draft.id, after=None))) as anns,
        aclosing(numbered(watch(other, BOB, view.draft.id, after=None))) as bobs,
    ):
        await take(anns, 1)
        await take(bobs, 1)
        await rename(engine, view, "For both")
        assert versions(await take(anns, 1) + await take(bobs, 1)) == [1, 1]
        admit(redis_client, view)
        await rename(engine, view, "For Ann")
        with pytest.raises(NotFoundError):
            await take(bobs, 1)
        assert versions(await take(anns, 1)) == [2]
