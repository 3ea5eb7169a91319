"""Editors: who watches a draft on any worker, with what in focus, is told to the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer, channel_layers
from django.db.models import Model
from redis import Redis

from gql_cluster.domain.error import InvalidChangeError, NotFoundError
from gql_cluster.service.caller import Caller
from gql_cluster.service.engine import Engine
from gql_cluster.service.presence import editors_of, set_focus
from gql_cluster.service.view import View
from gql_cluster.service.watch import EditorsChanged, Event, Notice, watch
from gql_cluster.store.keys import Keys
from schema.bands.models import BandMember
from tests.integration.service.conftest import (
    ANN,
    BOB,
    MakeEngine,
    admit,
    beatles,
    counted_queries,
    rename,
    take,
    watcher,
)

pytestmark = pytest.mark.once

SELDOM = 60.0
"""Seconds; what comes sooner came by a wake-up."""

Told = AsyncGenerator[Event | Notice, None]


class Dropping(InMemoryChannelLayer):
    """A channel layer that loses every message."""

    async def group_send(self, group: str, message: Any) -> None:
        """Lose it."""


@pytest.fixture
async def one(make_engine: MakeEngine) -> Engine:
    """A worker that beats and looks so seldom that only wake-ups can tell it anything."""
    return make_engine(PRESENCE_BEAT=SELDOM, PRESENCE_TTL=2 * SELDOM, POLL_INTERVAL=SELDOM)


@pytest.fixture
async def two(make_engine: MakeEngine) -> Engine:
    """Another one."""
    return make_engine(PRESENCE_BEAT=SELDOM, PRESENCE_TTL=2 * SELDOM, POLL_INTERVAL=SELDOM)


@pytest.fixture
async def view(one: Engine, redis_client: Redis) -> View:
    """Ann's draft, which Bob may see, too."""
    view = await beatles(one)
    admit(redis_client, view, "bob")
    return view


def watching(
    engine: Engine, view: View, caller: Caller = ANN, *, after: int | None = None
) -> aclosing[Told]:
    """Watch a draft."""
    return aclosing(watch(engine, caller, view.draft.id, after=after))


async def editors(told: AsyncIterator[Event | Notice]) -> list[tuple[str, str | None, str | None]]:
    """Return the editors that are told next, with their focus."""
    [notice] = await take(told, 1)
    assert isinstance(notice, EditorsChanged)
    return [(editor.session, editor.key, editor.field) for editor in notice.editors]


async def sessions(told: AsyncIterator[Event | Notice]) -> list[str]:
    """Return the sessions that are told next."""
    return [session for session, _, _ in await editors(told)]


async def focus(
    engine: Engine,
    view: View,
    key: str | None,
    field: str | None = None,
    *,
    caller: Caller = ANN,
) -> bool:
    """Move a caller's focus; a band's fields are known by three names, a member's by two."""

    def fields_of(model: type[Model]) -> set[str]:
        return {"name", "joined"} if model is BandMember else {"name", "formed", "members"}

    return await set_focus(engine, caller, view.draft.id, key, field, fields_of=fields_of)


async def test_who_comes_is_in_its_own_snapshot_and_told_to_others(
    one: Engine, two: Engine, view: View
) -> None:
    """At once, on another worker; and so is who leaves."""
    async with watching(one, view) as anns:
        await take(anns, 1)
        assert [e.session for e in await editors_of(two, view.draft.id)] == ["ann"]
        async with watching(two, view, BOB) as bobs:
            [snapshot] = await take(bobs, 1)
            assert isinstance(snapshot, Event)
            assert [e.session for e in await editors_of(two, view.draft.id)] == ["ann", "bob"]
            assert await sessions(anns) == ["ann", "bob"]
            await rename(one, view, "For both")
            for told in (anns, bobs):  # and of its own arrival nobody is told
                [event] = await take(told, 1)
                assert isinstance(event, Event)
        assert await sessions(anns) == ["ann"]


async def test_who_comes_back_is_told_who_is_there(one: Engine, two: Engine, view: View) -> None:
    """Right behind the events that it has missed: it may have missed others, too."""
    for name in ("One", "Two"):
        await rename(one, view, name)
    async with watching(two, view, BOB) as bobs, watching(one, view, after=0) as anns:
        await take(bobs, 1)
        for version in (1, 2):
            [event] = await take(anns, 1)
            assert isinstance(event, Event)
            assert event.entry is not None
            assert event.entry.version == version
        assert await sessions(anns) == ["bob", "ann"]
    async with watching(one, view, after=99) as anns:
        [snapshot] = await take(anns, 1)
        assert isinstance(snapshot, Event)
        await rename(two, view, "Three")
        [event] = await take(anns, 1)
        assert isinstance(event, Event)


async def test_two_tabs_are_one_editor(one: Engine, two: Engine, view: View) -> None:
    """The second to come and the first to go are not told of, and take no focus away."""
    async with watching(two, view, BOB) as bobs:
        await take(bobs, 1)
        async with watching(two, view) as tab:
            await take(tab, 1)
            assert await sessions(bobs) == ["bob", "ann"]
            await focus(one, view, "root")
            assert (await editors(bobs))[1] == ("ann", "root", None)
            other_tab = watch(one, ANN, view.draft.id, after=None)
            await take(other_tab, 1)
        await focus(one, view, "root", "name")
        assert (await editors(bobs))[1] == ("ann", "root", "name")
        await other_tab.aclose()
        assert await sessions(bobs) == ["bob"]


async def test_a_focus_is_told_on_every_worker(one: Engine, two: Engine, view: View) -> None:
    """To its own session too, wherever it was set; clearing it as well."""
    member = f"BandMember:{await BandMember.objects.values_list('pk', flat=True).afirst()}"
    async with watching(one, view) as anns, watching(two, view, BOB) as bobs:
        await take(anns, 1)
        await take(bobs, 1)
        await sessions(anns)
        for engine, key, field in (
            (one, "root", "formed"),
            (two, member, "joined"),
            (one, member, None),
            (two, None, None),
        ):
            assert await focus(engine, view, key, field)
            for told in (anns, bobs):
                assert await editors(told) == [("ann", key, field), ("bob", None, None)]


async def test_the_focus_of_one_who_does_not_watch_is_not_kept(
    one: Engine, two: Engine, view: View
) -> None:
    """It is told so."""
    assert not await focus(one, view, "root", "name")
    async with watching(one, view) as anns:
        await take(anns, 1)
        assert not await focus(two, view, "root", caller=BOB)
        assert await focus(two, view, "root", "name")
    async with asyncio.timeout(20):
        while await editors_of(two, view.draft.id):  # noqa: ASYNC110 - until all know that she left
            await asyncio.sleep(0.01)
    async with watching(one, view, after=0) as anns:
        assert await editors(anns) == [("ann", None, None)]


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("nobody", None),
        ("root", "joined"),
        ("root", "__typename"),
        ("", None),
        ("x" * 301, None),
        (None, "name"),
    ],
)
async def test_a_focus_on_what_is_not_there_is_refused(
    one: Engine, view: View, key: str | None, field: str | None
) -> None:
    """An unknown node, and a field that the node has not."""
    async with watching(one, view) as anns:
        await take(anns, 1)
        await focus(one, view, "root", "name")
        assert await editors(anns) == [("ann", "root", "name")]
        with pytest.raises(InvalidChangeError):
            await focus(one, view, key, field)
        [ann] = await editors_of(one, view.draft.id)
        assert (ann.key, ann.field) == ("root", "name")


async def test_nobody_sets_a_focus_in_anothers_draft(one: Engine, view: View) -> None:
    """It is not there for them."""
    with pytest.raises(NotFoundError):
        await focus(one, view, "root", caller=Caller(session="eve"))


@pytest.mark.one_redis
async def test_a_focus_asks_no_database_and_redis_twice(
    one: Engine, view: View, redis_client: Redis
) -> None:
    """Once to see that the node is there, and once to keep it."""
    await one.parts.presence.beat(view.draft.id, [watcher("ann")])
    await focus(one, view, "root")
    redis_client.config_resetstat()
    async with counted_queries() as queries:
        assert await focus(one, view, "root", "name")
    assert queries == []
    counts: Any = redis_client.info("commandstats")
    assert counts["cmdstat_evalsha"]["calls"] == 2


async def test_a_focus_that_races_is_told_at_a_sensible_rate(
    one: Engine, two: Engine, view: View
) -> None:
    """Ten times a second at most; the last always arrives."""
    async with watching(two, view, BOB) as bobs, watching(one, view) as anns:
        await take(bobs, 1)
        await take(anns, 1)
        assert await sessions(bobs) == ["bob", "ann"]
        enough = asyncio.Event()
        began = time.monotonic()
        moving = asyncio.create_task(_race(one, view, enough))
        told = 0
        while (await editors(bobs))[1] != ("ann", "root", "members"):
            told += 1
            if told == 3:
                enough.set()
        assert await moving > told
        assert told <= (time.monotonic() - began) / 0.1 + 1


async def _race(engine: Engine, view: View, enough: asyncio.Event) -> int:
    moves = 0
    while not enough.is_set():
        await focus(engine, view, "root", ("name", "formed")[moves % 2])
        moves += 1
    await focus(engine, view, "root", "members")
    return moves


async def test_a_slow_reader_is_told_the_newest_only(one: Engine, two: Engine, view: View) -> None:
    """Whatever happened while it did not ask."""
    async with watching(two, view, BOB) as bobs, watching(two, view) as anns:
        await take(bobs, 1)
        await take(anns, 1)
        for field in ("name", "formed", "members"):
            await focus(one, view, "root", field)
            assert (await editors(anns))[1] == ("ann", "root", field)
        assert (await editors(bobs))[1] == ("ann", "root", "members")
        await rename(one, view, "Next")
        [event] = await take(bobs, 1)
        assert isinstance(event, Event)


async def test_many_who_come_and_go_at_once_are_told_in_the_end(
    one: Engine, two: Engine, view: View, redis_client: Redis
) -> None:
    """Each is in its own snapshot; what is told last is who is there."""
    names = [f"s{number}" for number in range(20)]
    admit(redis_client, view, *names)

    async def look(name: str, worker: Engine) -> None:
        async with watching(worker, view, Caller(session=name)) as told:
            await take(told, 1)
            assert name in {e.session for e in await editors_of(worker, view.draft.id)}

    async with watching(one, view) as anns:
        await take(anns, 1)
        for _ in range(3):
            await asyncio.gather(
                *(look(name, (one, two)[number % 2]) for number, name in enumerate(names))
            )
        async with watching(two, view, Caller(session="s1")) as last:
            await take(last, 1)
            async with asyncio.timeout(20):
                while await sessions(anns) != ["ann", "s1"]:
                    pass


@pytest.fixture
async def quick(make_engine: MakeEngine) -> Engine:
    """A worker that beats often, and forgets who is silent for two seconds."""
    return make_engine(PRESENCE_BEAT=0.1, PRESENCE_TTL=2, POLL_INTERVAL=SELDOM)


async def test_the_watchers_of_a_worker_that_died_are_forgotten(quick: Engine, view: View) -> None:
    """It was killed after one beat: the others are told, then that it is silent."""
    async with watching(quick, view) as anns:
        await take(anns, 1)
        await quick.parts.presence.beat(view.draft.id, [watcher("bob")])
        assert await sessions(anns) == ["ann", "bob"]
        assert await sessions(anns) == ["ann"]


async def test_presence_needs_no_wake_up(
    quick: Engine, one: Engine, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found out with the next beat."""
    monkeypatch.setitem(channel_layers.backends, "default", Dropping())
    async with watching(quick, view) as anns:
        await take(anns, 1)
        async with watching(one, view, BOB) as bobs:
            await take(bobs, 1)
            assert await sessions(anns) == ["ann", "bob"]
            await focus(one, view, "root", caller=BOB)
            assert (await editors(anns))[1] == ("bob", "root", None)
        assert await sessions(anns) == ["ann"]


async def test_a_loss_of_presence_alone_heals(
    quick: Engine, view: View, redis_client: Redis
) -> None:
    """A beat brings an editor back, since when it was there; its focus is lost."""
    async with watching(quick, view, after=0) as anns:
        [first] = await take(anns, 1)
        await focus(quick, view, "root")
        assert await editors(anns) == [("ann", "root", None)]
        redis_client.delete(*Keys().editors(view.draft.id))
        [after] = await take(anns, 1)
        assert isinstance(first, EditorsChanged)
        assert isinstance(after, EditorsChanged)
        assert after.editors == first.editors


async def test_a_worker_that_ends_lets_its_watchers_go(
    one: Engine, two: Engine, view: View, redis_client: Redis
) -> None:
    """Without waiting until they are silent for long."""
    async with watching(one, view) as anns:
        await take(anns, 1)
        bobs = watch(two, BOB, view.draft.id, after=None)
        await take(bobs, 1)
        assert await sessions(anns) == ["ann", "bob"]
        await two.parts.hub.aclose()
        assert await sessions(anns) == ["ann"]
        await bobs.aclose()
    async with asyncio.timeout(10):
        while redis_client.exists(*Keys().editors(view.draft.id)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
