"""Saves underneath: drafts of a cluster are told of it, whoever saved it, and none is missed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import InMemoryChannelLayer, channel_layers
from django.conf import settings as django_settings
from django.db import connection, transaction
from redis import Redis

from gql_cluster.domain.change import SetFields
from gql_cluster.domain.draft import Cause
from gql_cluster.domain.error import ConflictKind, ConflictPolicy
from gql_cluster.service.commit import commit
from gql_cluster.service.dry_run import draft_conflicts
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine, root_name
from gql_cluster.service.news import root_group
from gql_cluster.service.open import open_new, open_saved
from gql_cluster.service.read import get_draft
from gql_cluster.service.rebase import rebase
from gql_cluster.service.view import View
from gql_cluster.service.watch import BaseChanged, Event, Notice, watch
from gql_cluster.store.client import Client
from gql_cluster.store.keys import Keys
from gql_cluster.store.results import Acquired
from gql_cluster.store.stamps import Stamps
from schema.bands.models import Band, BandMember
from tests.integration.service.conftest import (
    ANN,
    BAND,
    BOB,
    MakeEngine,
    beatles,
    new,
    rename,
    root_pk,
    take,
)
from tests.topologies import channels

SELDOM = 60.0
"""Seconds; what comes sooner came by a wake-up."""
SOON = 0.3

Told = AsyncGenerator[Event | Notice, None]


class Dropping(InMemoryChannelLayer):
    """A channel layer that loses every message."""

    async def group_send(self, group: str, message: Any) -> None:
        """Lose it."""


class Hanging(InMemoryChannelLayer):
    """A channel layer that takes a message in ten minutes at the earliest."""

    asked = 0

    async def group_send(self, group: str, message: Any) -> None:  # noqa: ARG002 - the layer's
        """Wait."""
        self.asked += 1
        await asyncio.sleep(600)


class Slow(Stamps):
    """Counts that are known only when they may be."""

    def __init__(self, client: Client, *, ttl: timedelta) -> None:
        super().__init__(client, ttl=ttl)
        self.may_be_known, self.known = asyncio.Event(), asyncio.Event()
        self.may_be_known.set()

    async def get(self, root: str) -> int:
        """Return the count when it may be known."""
        await self.may_be_known.wait()
        count = await super().get(root)
        self.known.set()
        return count


@pytest.fixture
async def one(make_engine: MakeEngine) -> Engine:
    """A worker that looks so seldom that only wake-ups can tell it anything."""
    return make_engine(PRESENCE_BEAT=SELDOM, PRESENCE_TTL=2 * SELDOM, POLL_INTERVAL=SELDOM)


@pytest.fixture
async def two(make_engine: MakeEngine) -> Engine:
    """Another one."""
    return make_engine(PRESENCE_BEAT=SELDOM, PRESENCE_TTL=2 * SELDOM, POLL_INTERVAL=SELDOM)


@pytest.fixture
async def view(one: Engine) -> View:
    """Ann's draft."""
    return await beatles(one)


def watching(engine: Engine, view: View, *, after: int | None = None) -> aclosing[Told]:
    """Watch Ann's draft, without what is told of its editors."""
    return aclosing(_based(watch(engine, ANN, view.draft.id, after=after)))


async def _based(told: Told) -> Told:
    async with aclosing(told):
        async for each in told:
            if isinstance(each, Event | BaseChanged):
                yield each


async def changed(told: AsyncIterator[Event | Notice]) -> BaseChanged:
    """Return what is told next: that the base has changed."""
    [notice] = await take(told, 1)
    assert isinstance(notice, BaseChanged)
    return notice


async def edited(told: AsyncIterator[Event | Notice], engine: Engine, view: View) -> Event:
    """Return what is told of an edit that is made now: nothing else is told before it."""
    coming = asyncio.create_task(take(told, 1))
    await rename(engine, view, "Marked")
    [event] = await coming
    assert isinstance(event, Event)
    assert event.entry is not None
    return event


async def everything(told: AsyncIterator[Event | Notice]) -> list[Event | Notice]:
    """Return all that is told up to the end."""
    return [each async for each in told]


async def save(pk: int, origin: str = "There") -> None:
    """Save a band past the API."""
    band = await Band.objects.aget(pk=pk)
    band.origin = origin
    await band.asave()


async def save_by_draft(engine: Engine, pk: int, **values: str) -> None:
    """Save a band through the API, as Bob."""
    draft_id = (await open_saved(engine, BOB, BAND, str(pk), resume=False)).draft.id
    changes = [SetFields(values={**values})]
    await edit(engine, BOB, BAND, draft_id, changes, expected_version=None, change_id=None)
    await commit(engine, BOB, BAND, draft_id, expected_version=None, change_id=None)


async def heard(redis_client: Redis, view: View, *, by_anybody: bool = True) -> None:
    """Return when somebody, or nobody, listens for saves of a draft's root."""
    group = root_group("gqlc", root_name(BAND, view.draft.pk)).encode()
    async with asyncio.timeout(20):
        while by_anybody is not any(  # noqa: ASYNC110 - nothing tells but Redis
            group in name for name in channels(redis_client)
        ):
            await asyncio.sleep(0.01)


# Who saves


async def test_a_commit_of_another_draft_is_told_at_once(
    one: Engine, two: Engine, view: View
) -> None:
    """On every worker, with what it has come to."""
    await rename(one, view, "Mine")
    async with watching(one, view, after=1) as here, watching(two, view, after=1) as there:
        both = [asyncio.create_task(changed(told)) for told in (here, there)]
        await save_by_draft(two, root_pk(view), name="Theirs")
        for engine, notice in zip((one, two), await asyncio.gather(*both), strict=True):
            assert notice.view.draft.version == 1
            [conflict] = await draft_conflicts(engine, notice.view)
            assert (conflict.kind, conflict.field) == (ConflictKind.FIELD, "name")
            assert (conflict.mine, conflict.theirs) == ("Mine", "Theirs")


async def in_a_thread(pk: int) -> None:
    """Save as a command or a task queue does: in a thread that no event loop knows of."""
    thread = threading.Thread(target=_save_in_thread, args=(pk,))
    thread.start()
    await asyncio.to_thread(thread.join)


def _save_in_thread(pk: int) -> None:
    Band.objects.get(pk=pk).save()
    connection.close()  # this thread's


async def in_a_worker(pk: int) -> None:
    """Save as a synchronous view does, in a transaction."""

    def work() -> None:
        with transaction.atomic():
            Band.objects.get(pk=pk).save()
            BandMember.objects.filter(band=pk)[0].save()

    await sync_to_async(work)()


async def in_the_loops_own_thread(pk: int) -> None:
    """Save as asynchronous code must not, but may be made to."""
    Band.objects.get(pk=pk).save()
    connection.close()


async def in_an_asynchronous_view(pk: int) -> None:
    """Save by the ORM's asynchronous face, something below the root."""
    member = await BandMember.objects.filter(band=pk).afirst()
    assert member is not None
    await member.adelete()


@pytest.mark.parametrize(
    "act", [in_a_thread, in_a_worker, in_the_loops_own_thread, in_an_asynchronous_view]
)
async def test_a_save_by_other_code_is_told_at_once(
    one: Engine,
    view: View,
    act: Callable[[int], Awaitable[None]],
    redis_client: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wherever that runs, and each time: the first may have been found by the first look."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    async with watching(one, view) as told:
        await take(told, 1)
        await heard(redis_client, view)
        for _ in range(2):
            coming = asyncio.create_task(changed(told))
            await act(root_pk(view))
            assert (await coming).view.draft.version == 0


async def test_others_saves_are_not_told(one: Engine, view: View) -> None:
    """Of another band, or one that was rolled back."""

    def fail() -> None:
        with transaction.atomic():
            Band.objects.get(pk=root_pk(view)).save()
            raise ZeroDivisionError

    async with watching(one, view) as told:
        await take(told, 1)
        other = await Band.objects.exclude(pk=root_pk(view)).afirst()
        assert other is not None
        await other.asave()
        with pytest.raises(ZeroDivisionError):
            await sync_to_async(fail)()
        await edited(told, one, view)


async def test_a_deleted_root_is_told(one: Engine, view: View) -> None:
    """There is nothing left to commit to."""
    async with watching(one, view) as told:
        await take(told, 1)
        await rename(one, view, "Mine")
        await take(told, 1)
        coming = asyncio.create_task(changed(told))
        await (await Band.objects.aget(pk=root_pk(view))).adelete()
        [conflict] = await draft_conflicts(one, (await coming).view)
        assert (conflict.kind, conflict.key) == (ConflictKind.DELETED, "root")


# When it is told


async def test_who_comes_later_is_told_once(one: Engine, view: View) -> None:
    """Behind the snapshot, or the events that it has missed; however often it was saved."""
    for number in range(3):
        await save(root_pk(view), f"Town {number}")
    await rename(one, view, "Away")
    async with watching(one, view) as told:
        snapshot, notice = await take(told, 2)
        assert isinstance(snapshot, Event)
        assert isinstance(notice, BaseChanged)
        await edited(told, one, view)
    async with watching(one, view, after=0) as told:
        events = await take(told, 3)
        assert [type(each) for each in events] == [Event, Event, BaseChanged]
        await edited(told, one, view)


async def test_each_save_is_told_to_who_has_been_told_of_the_last(one: Engine, view: View) -> None:
    """A subscriber that looks away is told of the newest alone."""
    async with watching(one, view) as told:
        await take(told, 1)
        for number in range(3):
            coming = asyncio.create_task(changed(told))
            await save(root_pk(view), f"Town {number}")
            await coming
        for number in range(3):
            await save(root_pk(view), f"City {number}")
        watched = one.parts.hub._watches[view.draft.id]  # noqa: SLF001 - until it has heard of all
        async with asyncio.timeout(20):
            while watched.stamp != await one.stamp(BAND, view.draft.pk):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await changed(told)
        await edited(told, one, view)


async def test_a_rebase_is_up_to_date(one: Engine, two: Engine, view: View) -> None:
    """Whoever watches since is told of the next save."""
    await save(root_pk(view))
    async with watching(two, view) as told:
        await take(told, 2)
        await rebase(
            one, ANN, view.draft.id, ConflictPolicy.FAIL, expected_version=None, change_id=None
        )
        [event] = await take(told, 1)
        assert isinstance(event, Event)
        assert event.view.draft.stamp == await one.stamp(BAND, view.draft.pk)
        async with watching(one, view) as later:
            await take(later, 1)
            marked = [asyncio.create_task(take(each, 1)) for each in (told, later)]
            await rename(one, view, "Marked")
            for [event] in await asyncio.gather(*marked):
                assert isinstance(event, Event)
            coming = [asyncio.create_task(changed(each)) for each in (told, later)]
            await save(root_pk(view), "Again")
            await asyncio.gather(*coming)


async def test_a_draft_is_not_told_of_its_own_commits(one: Engine, two: Engine, view: View) -> None:
    """Neither where it stays open, nor before the commit that closes it; others' are told."""
    other = await open_saved(one, BOB, BAND, str(root_pk(view)), resume=True)
    async with (
        watching(one, view, after=0) as here,
        watching(two, view, after=0) as there,
        aclosing(_based(watch(two, BOB, other.draft.id, after=0))) as bobs,
    ):
        all_told = [asyncio.create_task(everything(told)) for told in (here, there)]
        for number in range(10):
            await rename(one, view, f"Name {number}")
            await commit(
                one,
                ANN,
                BAND,
                view.draft.id,
                expected_version=None,
                change_id=None,
                keep_open=number < 9,
            )
            assert isinstance(await changed(bobs), BaseChanged)
        for events in await asyncio.gather(*all_told):
            causes = [each.entry.cause for each in events if isinstance(each, Event) and each.entry]
            assert len(causes) == len(events)
            assert causes == [Cause.EDIT, Cause.COMMIT] * 10


async def test_a_commit_that_ends_while_it_is_looked_at_is_its_own(
    one: Engine, two: Engine, view: View
) -> None:
    """Between a look at the draft and one at the count of the saves."""
    stamps = one.parts.stamps
    plain, commits = stamps.get, 0

    async def get(root: str) -> int:
        nonlocal commits
        commits += 1
        if commits == 2:
            await rename(two, view, "Kept")
            await commit(
                two, ANN, BAND, view.draft.id, expected_version=1, change_id=None, keep_open=True
            )
        return await plain(root)

    stamps.get = get  # type: ignore[method-assign]
    async with watching(one, view) as told:
        await take(told, 1)
        coming = asyncio.create_task(take(told, 2))
        one.parts.hub.wake(view.draft.id)
        assert [isinstance(each, Event) for each in await coming] == [True, True]
        assert (await edited(told, two, view)).at.draft.version == 3


async def test_a_count_that_is_behind_the_draft_tells_nothing(one: Engine, view: View) -> None:
    """As where a worker has heard of the draft's own commit, and not yet of the count."""
    counts = Slow(one.parts.client, ttl=timedelta(hours=1))
    one.parts.hub._stamps = counts  # noqa: SLF001
    async with watching(one, view) as told:
        await take(told, 1)
        await counts.known.wait()
        counts.may_be_known.clear()
        await rename(one, view, "Kept")
        await commit(
            one, ANN, BAND, view.draft.id, expected_version=1, change_id=None, keep_open=True
        )
        assert [isinstance(each, Event) for each in await take(told, 2)] == [True, True]
        marked = asyncio.create_task(take(told, 1))
        await rename(one, view, "Marked")
        counts.may_be_known.set()
        assert isinstance((await marked)[0], Event)


async def test_a_commit_that_holds_the_draft_is_waited_for(
    make_engine: MakeEngine, engine: Engine
) -> None:
    """What others save meanwhile is told when it has ended, as by a refusal."""
    worker = make_engine(POLL_INTERVAL=SOON)
    view = await beatles(engine)
    store = worker.parts.store
    async with watching(worker, view) as told:
        await take(told, 1)
        lease = timedelta(minutes=1)
        locking = await store.lock(view.draft.id, version=None, token="t", lease=lease)  # noqa: S106
        assert isinstance(locking, Acquired)
        coming = asyncio.create_task(changed(told))
        await save(root_pk(view))
        await asyncio.wait({coming}, timeout=3 * SOON)
        assert not coming.done()
        await store.unlock(view.draft.id, "t")
        await coming


async def test_a_new_cluster_is_followed_as_soon_as_it_is_saved(one: Engine) -> None:
    """Its draft goes on behind its first commit."""
    view = await open_new(one, ANN, BAND, new("Band", name="Wings"))
    async with watching(one, view) as told:
        await take(told, 1)
        committed = await commit(
            one, ANN, BAND, view.draft.id, expected_version=None, change_id=None, keep_open=True
        )
        await take(told, 1)
        await edited(told, one, view)
        coming = asyncio.create_task(changed(told))
        await save(int(committed.receipt.root_pk))
        await coming


# Losses


@pytest.mark.parametrize("layer", [None, Dropping(), Hanging()], ids=["none", "drops", "hangs"])
async def test_without_wake_ups_it_is_told_by_and_by(
    make_engine: MakeEngine, layer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count of the saves is looked at every `POLL_INTERVAL`; a save is held up a second."""
    monkeypatch.setitem(channel_layers.backends, "default", layer)
    worker = make_engine(POLL_INTERVAL=SOON)
    view = await beatles(worker)
    async with watching(worker, view) as told:
        await take(told, 1)
        async with asyncio.timeout(20):
            for number in range(2):
                await save(root_pk(view), f"Town {number}")
                await changed(told)


async def test_a_store_that_is_away_holds_no_save_up(
    one: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and not each time; the conflict is found at commit all the same."""
    view = await beatles(one)
    await rename(one, view, "Mine")
    with monkeypatch.context() as patch:
        given = {**django_settings.GQL_CLUSTER, "REDIS_URL": "redis://127.0.0.1:1/0"}
        patch.setattr(django_settings, "GQL_CLUSTER", given)
        for number in range(3):
            band = await Band.objects.aget(pk=root_pk(view))
            band.name = f"Theirs {number}"
            await band.asave()
    lost = [record for record in caplog.records if "are not told of it" in record.message]
    assert len(lost) == 1
    assert (await Band.objects.aget(pk=root_pk(view))).name == "Theirs 2"
    [conflict] = await draft_conflicts(one, await get_draft(one, ANN, view.draft.id))
    assert conflict.theirs == "Theirs 2"


async def test_a_count_that_was_lost_is_told_in_doubt(
    one: Engine, view: View, redis_client: Redis
) -> None:
    """Once; it can't be known whether somebody saved meanwhile."""
    name = root_name(BAND, root_pk(view))
    assert redis_client.delete(Keys().stamp(name)) == 1
    await save(root_pk(view))  # nobody counts it
    async with watching(one, view) as told:
        await take(told, 1)
        await changed(told)
        await edited(told, one, view)


# What it costs


async def test_a_transaction_counts_once(one: Engine, view: View) -> None:
    """However much it saves."""
    before = await one.stamp(BAND, view.draft.pk)

    def work() -> None:
        with transaction.atomic():
            for _ in range(3):
                Band.objects.get(pk=root_pk(view)).save()
                BandMember.objects.filter(band=root_pk(view))[0].save()

    await sync_to_async(work)()
    assert await one.stamp(BAND, view.draft.pk) == before + 1


@pytest.mark.one_redis
@pytest.mark.usefixtures("engine")
async def test_where_nobody_has_a_draft_nothing_is_counted_or_sent(
    redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A save costs one question to Redis, and leaves nothing there."""
    pk = await Band.objects.values_list("pk", flat=True).afirst()
    assert pk is not None
    hanging = Hanging()
    monkeypatch.setitem(channel_layers.backends, "default", hanging)

    def asked() -> int:
        calls = redis_client.info("commandstats").get("cmdstat_eval", {"calls": 0})["calls"]
        assert isinstance(calls, int)
        return calls

    before = asked()
    await save(pk)
    assert (asked(), hanging.asked) == (before + 1, 0)
    assert not redis_client.exists(Keys().stamp(f"{BAND.label}:{pk}"))


async def test_who_no_longer_watches_listens_to_no_root(
    one: Engine, view: View, redis_client: Redis
) -> None:
    """As long as anybody does there is one listener a draft."""
    async with watching(one, view) as told:
        await take(told, 1)
        async with watching(one, view) as again:
            await take(again, 1)
            await heard(redis_client, view)
        await heard(redis_client, view)
        assert len(one.parts.hub._tasks) == 4  # noqa: SLF001
    await heard(redis_client, view, by_anybody=False)
