"""Watching a draft: every event once and in order, whatever happens to the wake-ups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from channels.layers import channel_layers

from gql_cluster.domain.change import SetFields
from gql_cluster.domain.draft import Cause
from gql_cluster.domain.error import NotFoundError
from gql_cluster.service.commit import commit
from gql_cluster.service.discard import discard
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.view import View
from gql_cluster.service.watch import Event, watch
from tests.integration.service.conftest import ANN, BAND, BOB, beatles


async def rename(engine: Engine, view: View, name: str) -> None:
    """Stage one change."""
    await edit(
        engine,
        ANN,
        BAND,
        view.draft.id,
        [SetFields(values={"name": name})],
        expected_version=None,
        change_id=None,
    )


async def take(events: AsyncIterator[Event], count: int) -> list[Event]:
    """Return the next events, which must come soon."""
    async with asyncio.timeout(10):
        return [await anext(events) for _ in range(count)]


async def test_a_watcher_sees_a_snapshot_then_each_event(engine: Engine, other: Engine) -> None:
    """Edits through another worker, then the commit, which ends it."""
    view = await beatles(engine)
    events = watch(other, ANN, view.draft.id, after=None)
    [snapshot] = await take(events, 1)
    assert snapshot.entry is None
    assert snapshot.view.draft.version == 0
    for name in ("One", "Two"):
        await rename(engine, view, name)
    one, two = await take(events, 2)
    assert [e.entry.version for e in (one, two) if e.entry] == [1, 2]
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
    seen: list[int] = []
    for number in range(11):
        worker = (engine, other)[number % 2]
        events = watch(worker, ANN, view.draft.id, after=seen[-1] if seen else 0)
        count = 4 if number < 10 else total - len(seen)
        for event in await take(events, count) if count else ():
            assert event.entry is not None
            seen.append(event.entry.version)
        await events.aclose()  # type: ignore[attr-defined]
    await writing
    assert seen == list(range(1, total + 1))


async def test_events_arrive_without_any_wake_up(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel layer may lose everything: the log is looked at by and by."""
    monkeypatch.setitem(channel_layers.backends, "default", None)
    view = await beatles(engine)
    events = watch(engine, ANN, view.draft.id, after=0)
    first = asyncio.create_task(take(events, 1))
    await rename(engine, view, "Quiet")
    [event] = await first
    assert event.entry is not None


async def test_an_old_place_begins_with_a_snapshot(engine: Engine) -> None:
    """So does a place that the draft has never been at."""
    view = await beatles(engine)
    [event] = await take(watch(engine, ANN, view.draft.id, after=99), 1)
    assert event.entry is None


async def test_a_discard_is_told_and_ends_it(engine: Engine) -> None:
    """The last event says so."""
    view = await beatles(engine)
    events = watch(engine, ANN, view.draft.id, after=0)
    await discard(engine, ANN, view.draft.id)
    [event] = await take(events, 1)
    assert event.entry is not None
    assert event.entry.cause is Cause.DISCARD
    with pytest.raises(StopAsyncIteration):
        await take(events, 1)


async def test_nobody_watches_anothers_draft(engine: Engine) -> None:
    """It is not there for them."""
    view = await beatles(engine)
    with pytest.raises(NotFoundError):
        await take(watch(engine, BOB, view.draft.id, after=None), 1)
