"""A view stays at its version and can be read, whatever becomes of the copies meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from gql_cluster.domain.change import AddNodes, Change, End, MoveNode, RemoveNodes, SetFields
from gql_cluster.domain.delta import key_of
from gql_cluster.domain.tree import Want
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.read import draft_changes, get_draft
from gql_cluster.service.view import View
from gql_cluster.service.watch import watch
from tests.integration.service.conftest import ANN, BAND, beatles, new, numbered

pytestmark = pytest.mark.once

MEMBERS = ("root", "members")


async def stage(engine: Engine, view: View, *changes: Change) -> None:
    """Stage changes."""
    await edit(engine, ANN, BAND, view.draft.id, changes, expected_version=None, change_id=None)


async def rename(engine: Engine, view: View, number: int) -> None:
    """Stage one change."""
    await stage(engine, view, SetFields(values={"name": f"Name {number}"}))


def root_name(view: View) -> object:
    """Return the root's name."""
    root = view.snapshot.node("root")
    assert root is not None
    return root.fields["name"]


async def test_a_view_is_read_on_when_its_copy_was_forgotten(engine: Engine) -> None:
    """The worker forgot the draft, kept it anew, and it was changed in between."""
    view = await beatles(engine)
    engine.parts.cache.forget(view.draft.id)
    await stage(engine, view, AddNodes(relation="members", nodes=(new("BandMember", "m1"),)))
    await rename(engine, view, 1)
    await view.load(Want(families=frozenset({MEMBERS})))
    assert len(view.children(*MEMBERS)) == 6
    assert root_name(view) == "The Beatles"
    assert view.draft.version == 0


async def test_a_view_stays_at_its_version_over_any_number_of_edits(engine: Engine) -> None:
    """More of them than a copy keeps for itself."""
    view = await beatles(engine)
    await view.load(Want(families=frozenset({MEMBERS})))
    first = view.children(*MEMBERS)[0].key
    await stage(engine, view, MoveNode(relation="members", key=first, place=End.LAST))
    await stage(engine, view, RemoveNodes(relation="members", keys=(first,)))
    for number in range(300):
        await rename(engine, view, number)
    assert root_name(view) == "The Beatles"
    assert view.children(*MEMBERS)[0].key == first


async def test_a_draft_can_be_viewed_as_it_was_opened(engine: Engine) -> None:
    """Version 0 is a version."""
    view = await beatles(engine)
    await rename(engine, view, 1)
    now = await get_draft(engine, ANN, view.draft.id)
    assert root_name(engine.view_at(now, 0)) == "The Beatles"
    assert engine.view_at(now).draft.version == 1


async def test_a_replayed_event_shows_the_draft_as_it_was_after_it(
    engine: Engine, other: Engine
) -> None:
    """On a worker that did not see it happen, and further back than a copy keeps by itself."""
    view = await beatles(engine)
    add = AddNodes(relation="members", nodes=(new("BandMember", "m1", name="M"),))
    await stage(engine, view, add)
    await stage(engine, view, RemoveNodes(relation="members", keys=("m1",)))
    for number in range(3, 301):
        await rename(engine, view, number)
    seen = 0
    async with (
        asyncio.timeout(30),
        aclosing(numbered(watch(other, ANN, view.draft.id, after=0))) as events,
    ):
        async for event in events:
            assert event.entry is not None
            seen += 1
            assert event.entry.version == event.at.draft.version == seen
            if seen <= 2:
                [delta] = event.entry.deltas
                await event.at.load(Want(keys=frozenset({key_of(delta)})))
                node = event.at.snapshot.node(key_of(delta))
                assert node is not None
                assert node.removed == (seen == 2)
            else:
                assert root_name(event.at) == f"Name {seen}"
            if seen == 300:
                break


async def test_what_many_ask_for_is_made_once_and_survives_one_of_them(engine: Engine) -> None:
    """One of two who wait for a plan is cancelled; the other gets it."""
    view = await beatles(engine)
    await rename(engine, view, 1)
    view = await get_draft(engine, ANN, view.draft.id)
    one = asyncio.create_task(draft_changes(engine, view))
    two = asyncio.create_task(draft_changes(engine, view))
    await asyncio.sleep(0)
    one.cancel()
    assert len(await two) == 1
    assert one.cancelled() or one.done()
