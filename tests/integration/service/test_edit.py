"""Editing a draft: all or nothing, once, in order, and without the database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from redis import Redis

from gql_cluster.domain.change import (
    AddNodes,
    AddToSet,
    Change,
    EditNode,
    End,
    MoveNode,
    RemoveNodes,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.delta import Added, Updated
from gql_cluster.domain.error import (
    ClusterError,
    InvalidChangeError,
    NotFoundError,
    StaleVersionError,
    UnauthenticatedError,
)
from gql_cluster.domain.tree import Want
from gql_cluster.service.caller import Caller
from gql_cluster.service.discard import discard
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.open import open_saved
from gql_cluster.service.outcome import Outcome
from gql_cluster.service.read import draft_changes, get_draft
from gql_cluster.service.view import View
from schema.bands.models import Album, Band, Song
from tests.integration.service.conftest import (
    ANN,
    BAND,
    BOB,
    beatles,
    counted_queries,
    new,
    root_pk,
)


async def stage(  # noqa: PLR0913 - a request, said whole
    engine: Engine,
    view: View,
    changes: Sequence[Change],
    *,
    caller: Caller = ANN,
    expected: int | None = None,
    change_id: str | None = None,
) -> Outcome:
    """Stage a change set."""
    return await edit(
        engine,
        caller,
        BAND,
        view.draft.id,
        changes,
        expected_version=expected,
        change_id=change_id,
    )


def named(name: str) -> list[Change]:
    """Give the root a name."""
    return [SetFields(values={"name": name})]


async def test_an_edit_is_staged_and_nothing_is_saved(engine: Engine) -> None:
    """The draft shows the change, its version is one more, the database is as it was."""
    view = await beatles(engine)
    outcome = await stage(engine, view, named("Silver Beetles"))
    assert outcome.view.draft.version == 1
    assert outcome.entry is not None
    assert [type(delta) for delta in outcome.entry.deltas] == [Updated]
    root = outcome.view.snapshot.node("root")
    assert root is not None
    assert root.fields["name"] == "Silver Beetles"
    assert await Band.objects.filter(name="The Beatles").aexists()


async def test_a_wrong_change_stages_nothing_of_its_request(engine: Engine) -> None:
    """Five changes with the fourth wrong: its index, key and field are told."""
    view = await beatles(engine)
    changes: list[Change] = [
        *named("One"),
        AddNodes(relation="members", nodes=(new("BandMember", "m1", name="M"),)),
        SetFields(values={"origin": "Two"}),
        UpdateNode(relation="members", key="m1", values={"instrument": "drums", "nope": 1}),
        SetFields(values={"origin": "Five"}),
    ]
    with pytest.raises(InvalidChangeError) as info:
        await stage(engine, view, changes)
    [problem] = info.value.problems
    assert (problem.change, problem.key, problem.field) == (3, "m1", "nope")
    assert problem.path == ("members", "m1", "nope")
    now = await get_draft(engine, ANN, view.draft.id)
    assert now.draft.version == 0
    assert await draft_changes(engine, now) == []


async def test_the_same_change_id_is_applied_once(engine: Engine, other: Engine) -> None:
    """Sent twice to one worker, and to two workers at once: one version, one entry."""
    view = await beatles(engine)
    add = [AddNodes(relation="members", nodes=(new("BandMember", "m1", name="M"),))]
    first = await stage(engine, view, add, change_id="a")
    again = await stage(engine, view, add, change_id="a")
    assert again.entry == first.entry
    both = await asyncio.gather(
        *(stage(each, view, named("Two"), change_id="b") for each in (engine, other) * 5)
    )
    assert all(outcome.entry == both[0].entry for outcome in both)
    now = await get_draft(engine, ANN, view.draft.id)
    assert now.draft.version == 2


async def test_a_change_id_names_one_request(engine: Engine) -> None:
    """The same change id with other changes is refused."""
    view = await beatles(engine)
    await stage(engine, view, named("One"), change_id="a")
    with pytest.raises(InvalidChangeError):
        await stage(engine, view, named("Two"), change_id="a")


async def test_a_stale_version_stages_nothing(engine: Engine, other: Engine) -> None:
    """A client that expects an older version is told, whichever worker it asks."""
    view = await beatles(engine)
    await stage(engine, view, named("One"), expected=0)
    for worker in (engine, other):
        with pytest.raises(StaleVersionError):
            await stage(worker, view, named("Two"), expected=0)
    assert (await get_draft(engine, ANN, view.draft.id)).draft.version == 1


async def test_concurrent_edits_make_consecutive_versions(engine: Engine, other: Engine) -> None:
    """Fifty edits over two workers, all applied; the log replayed is what is stored."""
    view = await beatles(engine)
    album = await Album.objects.aget(title="Help!")
    songs = [song.pk async for song in Song.objects.filter(album=album)]

    def change(number: int) -> list[Change]:
        if number % 2:
            move = MoveNode(relation="songs", key=f"Song:{songs[number % 7]}", place=End.FIRST)
            return [EditNode(relation="albums", key=f"Album:{album.pk}", changes=(move,))]
        key = f"n{number}"
        return [AddNodes(relation="members", nodes=(new("BandMember", key, name=key),))]

    outcomes = await asyncio.gather(
        *(stage((engine, other)[i % 2], view, change(i)) for i in range(50))
    )
    versions = sorted(o.entry.version for o in outcomes if o.entry is not None)
    assert versions == list(range(1, 51))
    fresh = Engine(engine.clusters)
    try:
        stored = await get_draft(fresh, ANN, view.draft.id)
        expected = {node.key: node for node in await stored.load_all()}
    finally:
        await fresh.aclose()
    for worker in (engine, other):
        seen = await get_draft(worker, ANN, view.draft.id)
        assert {node.key: node for node in await seen.load_all()} == expected
        place = (f"Album:{album.pk}", "songs")
        assert seen.snapshot.siblings(*place) == stored.snapshot.siblings(*place)


async def test_a_view_stays_at_its_version(engine: Engine) -> None:
    """What a request began to read does not change while others edit."""
    view = await beatles(engine)
    place = ("root", "members")
    await stage(
        engine, view, [MoveNode(relation="members", key=await _first(view), place=End.LAST)]
    )
    await stage(engine, view, [RemoveNodes(relation="members", keys=(await _first(view),))])
    await stage(
        engine, view, [AddNodes(relation="members", nodes=(new("BandMember", "m1", name="M"),))]
    )
    await view.load(Want(families=frozenset({place})))
    names = [node.fields["name"] for node in view.children(*place)]
    assert names[0] == "John Lennon"
    assert len(names) == 6
    now = await get_draft(engine, ANN, view.draft.id)
    await now.load_family(*place)
    assert [n.fields["name"] for n in now.children(*place)][-1] == "M"


async def _first(view: View) -> str:
    await view.load_family("root", "members")
    return view.children("root", "members")[0].key


@pytest.mark.one_redis
async def test_an_edit_costs_one_round_trip_and_no_query(
    engine: Engine, redis_client: Redis
) -> None:
    """Adding a child to 5,000 others: one script call, a bounded number of bytes."""
    band = await Band.objects.acreate(name="Many")
    album = await Album.objects.acreate(band=band, title="Long", released="2000-01-01")
    await Song.objects.abulk_create(
        [Song(album=album, title=f"Song {i}", position=i) for i in range(1, 5001)]
    )
    view = await open_saved(engine, ANN, BAND, str(band.pk), resume=False)
    key = f"Album:{album.pk}"

    def add(name: str) -> list[Change]:
        inner = AddNodes(relation="songs", nodes=(new("Song", name, title=name),))
        return [EditNode(relation="albums", key=key, changes=(inner,))]

    await stage(engine, view, add("warm"))
    redis_client.config_resetstat()
    # Queries run in the thread of sync_to_async, and are refused in the event loop's own.
    async with counted_queries() as queries:
        outcome = await stage(engine, view, add("measured"))
    stats = redis_client.info("commandstats")
    assert not queries
    assert stats["cmdstat_evalsha"]["calls"] == 1
    assert stats["cmdstat_hset"]["calls"] <= 3
    assert "cmdstat_hgetall" not in stats
    assert outcome.entry is not None
    assert [type(delta) for delta in outcome.entry.deltas] == [Added]
    assert outcome.view.snapshot.copy.size < 20_000


async def test_one_child_is_read_without_its_siblings(engine: Engine, other: Engine) -> None:
    """A worker that never saw the draft loads the child and what is above it."""
    view = await beatles(engine)
    song = await Song.objects.select_related("album").afirst()
    assert song is not None
    seen = await get_draft(other, ANN, view.draft.id)
    node = await seen.load_line(f"Song:{song.pk}")
    assert node is not None
    assert seen.snapshot.copy.size < 3_000


@pytest.mark.parametrize("caller", [BOB, Caller(session=None)])
async def test_a_draft_is_its_sessions_own(engine: Engine, caller: Caller) -> None:
    """Another session can't tell it from one that is not there; nobody has none."""
    view = await beatles(engine)
    refused = UnauthenticatedError if caller.session is None else NotFoundError
    with pytest.raises(refused):
        await stage(engine, view, named("Theirs"), caller=caller)
    with pytest.raises(refused):
        await get_draft(engine, caller, view.draft.id)
    with pytest.raises(refused):
        await discard(engine, caller, view.draft.id)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([], "No changes"),
        ([UpdateNode(relation="members", key="nobody", values={})], "no node"),
        ([RemoveNodes(relation="albums", keys=("BandMember:1",))], "no node|not in"),
        ([MoveNode(relation="albums", key="{album}", place=End.FIRST)], "no order"),
        ([AddNodes(relation="nope", nodes=())], "no relation"),
        ([AddNodes(relation="members", nodes=(new("BandMember", "a b"),))], "can't be a key"),
        ([AddNodes(relation="members", nodes=(new("BandMember", "x"),) * 2)], "used already"),
        ([AddNodes(relation="members", nodes=(new("BandMember", "root"),))], "used already"),
        ([SetFields(values={"name": None})], "can't be null"),
        ([SetFields(values={"created_at": "2000-01-01"})], "read-only"),
        ([AddToSet(name="genres", pks=(987654,))], "no genre with"),
    ],
)
async def test_bad_changes_are_refused(engine: Engine, changes: list[Change], words: str) -> None:
    """Each with words that say what is wrong, and nothing staged."""
    view = await beatles(engine)
    album = await Album.objects.filter(band=root_pk(view)).afirst()
    assert album is not None
    changes = [
        MoveNode(relation=c.relation, key=f"Album:{album.pk}", place=c.place)
        if isinstance(c, MoveNode)
        else c
        for c in changes
    ]
    with pytest.raises(InvalidChangeError, match=words):
        await stage(engine, view, changes)
    assert (await get_draft(engine, ANN, view.draft.id)).draft.version == 0


async def test_a_key_is_never_given_twice(engine: Engine) -> None:
    """A removed node's key stays its own."""
    view = await beatles(engine)
    add = [AddNodes(relation="members", nodes=(new("BandMember", "m1", name="M"),))]
    await stage(engine, view, add)
    await stage(engine, view, [RemoveNodes(relation="members", keys=("m1",))])
    with pytest.raises(ClusterError, match="used already"):
        await stage(engine, view, add)
