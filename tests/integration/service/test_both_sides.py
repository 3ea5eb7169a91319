"""What both sides have done, and what has come back: where one of them is easily forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from gql_cluster.domain.change import (
    AddNodes,
    Change,
    EditNode,
    End,
    MoveNode,
    NewNode,
    RemoveNodes,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.delta import Added, key_of, told
from gql_cluster.domain.error import ConflictError, ConflictKind, ConflictPolicy
from gql_cluster.service.caller import Caller
from gql_cluster.service.commit import commit
from gql_cluster.service.dry_run import draft_conflicts, draft_errors
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.open import open_saved
from gql_cluster.service.outcome import Committed, Outcome
from gql_cluster.service.read import draft_changes, get_draft
from gql_cluster.service.rebase import rebase
from gql_cluster.service.revert import revert
from gql_cluster.service.undo import undo
from gql_cluster.service.view import View
from schema.bands.models import Album, Band, BandMember, Song
from tests.integration.service.conftest import ANN, BAND, BOB, new

FAIL, MINE, THEIRS = ConflictPolicy.FAIL, ConflictPolicy.MINE, ConflictPolicy.THEIRS
GIVEN: dict[str, Any] = {"expected_version": None, "change_id": None}


@pytest.fixture
async def engine(
    transactional_db: None,  # noqa: ARG001 - a mark has no effect on a fixture
) -> AsyncIterator[Engine]:
    """An engine over an empty database; a small band is enough."""
    engine = Engine({"Band": BAND})
    yield engine
    await engine.aclose()


def save_band() -> Band:
    """Save a band with the members a, b, c, and the albums A and B, with two songs each."""
    band = Band.objects.create(name="New")
    for number, name in enumerate("abc", start=1):
        BandMember.objects.create(band=band, name=name, instrument="drums", position=number)
    for title in "AB":
        album = Album.objects.create(band=band, title=title, released="2000-01-01")
        for number in (1, 2):
            Song.objects.create(album=album, title=f"{title}{number}", position=number)
    return band


@pytest.fixture
async def band(engine: Engine) -> Band:  # noqa: ARG001 - it has the database
    """Return a small saved band."""
    return await sync_to_async(save_band)()


async def draft_of(engine: Engine, band: Band, caller: Caller = ANN) -> View:
    """Open a draft."""
    return await open_saved(engine, caller, BAND, str(band.pk), resume=True)


async def stage(engine: Engine, view: View, *changes: Change, caller: Caller = ANN) -> Outcome:
    """Stage changes."""
    return await edit(engine, caller, BAND, view.draft.id, changes, **GIVEN)


async def save(
    engine: Engine,
    view: View,
    policy: ConflictPolicy = FAIL,
    *,
    caller: Caller = ANN,
    keep_open: bool = False,
) -> Committed:
    """Commit a draft."""
    draft = view.draft.id
    return await commit(engine, caller, BAND, draft, policy=policy, keep_open=keep_open, **GIVEN)


async def bring_up(engine: Engine, view: View, policy: ConflictPolicy = FAIL) -> Outcome:
    """Rebase a draft."""
    return await rebase(engine, ANN, view.draft.id, policy, **GIVEN)


async def member(name: str) -> str:
    """Return the key of a saved member."""
    return f"BandMember:{(await BandMember.objects.aget(name=name)).pk}"


async def numbered(band: Band) -> list[tuple[str, int]]:
    """Return the names and numbers of a band's members, in order."""
    rows = BandMember.objects.filter(band=band).values_list("name", "position")
    return [row async for row in rows]


def update(key: str, **values: Any) -> UpdateNode:
    """Return a change of a member."""
    return UpdateNode(relation="members", key=key, values=values)


def remove(key: str) -> RemoveNodes:
    """Return the removal of a member."""
    return RemoveNodes(relation="members", keys=(key,))


def move(key: str, end: End = End.FIRST) -> MoveNode:
    """Return a move of a member."""
    return MoveNode(relation="members", key=key, place=end)


def add(key: str, name: str) -> AddNodes:
    """Return the addition of a member."""
    return AddNodes(
        relation="members", nodes=(new("BandMember", key, name=name, instrument="bass"),)
    )


def add_album(title: str) -> AddNodes:
    """Return the addition of an album with one song."""
    album = new("Album", "album", title=title, released="2000-01-01")
    song: tuple[NewNode, ...] = (new("Song", "song", title="one"),)
    return AddNodes(relation="albums", nodes=(replace(album, children={"songs": song}),))


# What both did to one node


async def test_what_both_removed_is_removed(engine: Engine, band: Band) -> None:
    """An album and a member that are gone already are no conflict and no error."""
    view = await draft_of(engine, band)
    album = await Album.objects.aget(title="A")
    gone = RemoveNodes(relation="albums", keys=(f"Album:{album.pk}",))
    await stage(engine, view, gone, remove(await member("a")))
    await album.adelete()
    await BandMember.objects.filter(name="a").adelete()
    now = await get_draft(engine, ANN, view.draft.id)
    assert await draft_conflicts(engine, now) == []
    assert await draft_errors(engine, now) == []
    await save(engine, view)
    assert await numbered(band) == [("b", 2), ("c", 3)]


async def test_a_move_among_siblings_of_which_others_deleted_one(
    engine: Engine, band: Band
) -> None:
    """The order is merged and numbered anew, without the one that is gone."""
    view = await draft_of(engine, band)
    await stage(engine, view, move(await member("c")))
    await BandMember.objects.filter(name="b").adelete()
    now = await get_draft(engine, ANN, view.draft.id)
    assert await draft_conflicts(engine, now) == []
    await save(engine, view)
    assert await numbered(band) == [("c", 1), ("a", 2)]


async def test_a_deleted_root_comes_back_with_children_in_another_order(
    engine: Engine, band: Band
) -> None:
    """`MINE` saves all of it again, under the same primary keys."""
    view = await draft_of(engine, band)
    await stage(engine, view, move(await member("c")))
    pk = band.pk
    await band.adelete()
    await save(engine, view, MINE)
    again = await Band.objects.aget(pk=pk)
    assert await numbered(again) == [("c", 1), ("a", 2), ("b", 3)]
    assert await Song.objects.filter(album__band=again).acount() == 4


async def test_what_two_drafts_bring_back_is_merged(engine: Engine, band: Band) -> None:
    """The second one finds it saved again: fields that differ are a conflict, not a refusal."""
    ann, bob = await draft_of(engine, band), await draft_of(engine, band, BOB)
    album = await Album.objects.aget(title="A")
    key = f"Album:{album.pk}"
    anns = UpdateNode(relation="albums", key=key, values={"label": "Ann's"})
    bobs = UpdateNode(relation="albums", key=key, values={"label": "Bob's"})
    await stage(engine, ann, anns)
    await stage(engine, bob, bobs, caller=BOB)
    await album.adelete()
    await bring_up(engine, ann, MINE)
    await save(engine, bob, MINE, caller=BOB)
    now = await get_draft(engine, ANN, ann.draft.id)
    found = [(each.kind, each.key, each.field) for each in await draft_conflicts(engine, now)]
    assert found == [(ConflictKind.FIELD, key, "label")]
    with pytest.raises(ConflictError):
        await save(engine, ann)
    await save(engine, ann, MINE)
    [saved] = [each async for each in Album.objects.filter(title="A")]
    assert (f"Album:{saved.pk}", saved.label) == (key, "Ann's")
    assert await Song.objects.filter(album=saved).acount() == 2


async def test_a_child_that_others_took_elsewhere_is_put_back_and_saved(
    engine: Engine, band: Band
) -> None:
    """Beside siblings that the draft has put into another order."""
    view = await draft_of(engine, band)
    one, two = [song async for song in Song.objects.filter(album__title="A")]
    other = await Album.objects.aget(title="B")
    first = MoveNode(relation="songs", key=f"Song:{two.pk}", place=End.FIRST)
    await stage(
        engine, view, EditNode(relation="albums", key=f"Album:{one.album_id}", changes=(first,))
    )
    await Song.objects.filter(pk=two.pk).aupdate(album=other, position=3)
    await bring_up(engine, view, MINE)
    await save(engine, view)
    songs = [song.pk async for song in Song.objects.filter(album__title="A")]
    assert sorted(songs) == [one.pk, two.pk]
    assert await Song.objects.filter(album=other).acount() == 2


# Values that only one may have


@pytest.mark.parametrize("also", ["changed", "moved"])
async def test_a_name_that_both_took_is_a_conflict_whatever_else_is_written(
    engine: Engine, band: Band, also: str
) -> None:
    """The draft changes their node in another field, or numbers all of them anew."""
    view = await draft_of(engine, band)
    key = await member("b")
    change = update(key, joined=1960) if also == "changed" else move(key)
    await stage(engine, view, add("mine", "Twin"), change)
    await BandMember.objects.filter(name="b").aupdate(name="Twin")
    with pytest.raises(ConflictError) as info:
        await save(engine, view)
    [conflict] = info.value.conflicts
    assert (conflict.kind, conflict.key, conflict.field) == (ConflictKind.UNIQUE, "mine", "name")
    await save(engine, view, MINE)
    assert {name for name, _ in await numbered(band)} == {"a", "b", "c", "Twin"}


async def test_a_node_that_gives_way_to_mine_is_gone_on_every_worker(
    engine: Engine, other: Engine, band: Band
) -> None:
    """Also where one of them had looked for it before it was in the draft."""
    view = await draft_of(engine, band)
    await stage(engine, view, add("mine", "Twin"))
    theirs = await BandMember.objects.acreate(band=band, name="Twin", instrument="bass", position=4)
    for each in (engine, other):
        now = await get_draft(each, ANN, view.draft.id)
        assert [c.kind for c in await draft_conflicts(each, now)] == [ConflictKind.UNIQUE]
    await bring_up(engine, view, MINE)
    for each in (engine, other):
        now = await get_draft(each, ANN, view.draft.id)
        changed = {(type(d).__name__, key_of(d)) for d in await draft_changes(each, now)}
        assert changed == {("Added", "mine"), ("Removed", f"BandMember:{theirs.pk}")}
    await save(other, view)
    assert [name for name, _ in await numbered(band)] == ["a", "b", "c", "Twin"]


# Numbers


async def test_numbers_are_right_though_others_have_numbered_anew(
    engine: Engine, band: Band
) -> None:
    """They changed the numbers and not the order, so there is nothing to merge."""
    for number, name in enumerate("cba"):
        await BandMember.objects.filter(name=name).aupdate(position=4 - number)
    view = await draft_of(engine, band)
    await stage(engine, view, move(await member("b")))
    for number, name in enumerate("abc", start=1):
        await BandMember.objects.filter(name=name).aupdate(position=number)
    await save(engine, view)
    assert await numbered(band) == [("b", 1), ("a", 2), ("c", 3)]


async def test_a_new_child_does_not_count_on_from_a_removed_one(engine: Engine, band: Band) -> None:
    """It gets the number that the draft shows."""
    view = await draft_of(engine, band)
    outcome = await stage(engine, view, remove(await member("c")), add("d", "d"))
    await outcome.view.load_all()
    node = outcome.view.snapshot.node("d")
    assert node is not None
    instance: Any = outcome.view.instance(node)
    assert instance.position == 3
    await save(engine, view)
    assert await numbered(band) == [("a", 1), ("b", 2), ("d", 3)]


# What comes back


async def test_what_comes_back_behind_a_kept_commit_is_saved_whole(
    engine: Engine, band: Band
) -> None:
    """Undoing the removal of an album brings its songs into the changes, too."""
    view = await draft_of(engine, band)
    album = await Album.objects.aget(title="A")
    await stage(engine, view, RemoveNodes(relation="albums", keys=(f"Album:{album.pk}",)))
    await save(engine, view, keep_open=True)
    outcome = await undo(engine, ANN, view.draft.id, **GIVEN)
    shown = [node.key for node in await outcome.view.load_all()]
    await save(engine, view)
    saved = [f"Song:{pk}" async for pk in Song.objects.values_list("pk", flat=True)]
    assert {key for key in shown if key.startswith("Song")} == set(saved)
    assert await Album.objects.filter(title="A").aexists() is (f"Album:{album.pk}" in shown)


@pytest.mark.parametrize("keep_open", [False, True])
async def test_what_was_added_and_removed_comes_back_whole(
    engine: Engine, band: Band, *, keep_open: bool
) -> None:
    """The undo of a removal over a rebase, or a kept commit, loses no song of a new album."""
    view = await draft_of(engine, band)
    await stage(engine, view, add_album("C"))
    await stage(engine, view, RemoveNodes(relation="albums", keys=("album",)))
    if keep_open:
        await save(engine, view, keep_open=True)
    else:
        await bring_up(engine, view)
    outcome = await undo(engine, ANN, view.draft.id, **GIVEN)
    shown = {node.key for node in await outcome.view.load_all()}
    await save(engine, view)
    assert await Album.objects.filter(title="C").aexists() is ("album" in shown)
    assert await Song.objects.filter(album__title="C").aexists() is ("song" in shown)
    assert ("album" in shown) is ("song" in shown)


@pytest.mark.parametrize("by", ["rebase", "commit"])
async def test_what_others_keep_is_told_with_all_below_it(
    engine: Engine, band: Band, by: str
) -> None:
    """An album that the draft had removed and `THEIRS` gives back, and its songs."""
    view = await draft_of(engine, band)
    album = await Album.objects.aget(title="A")
    key = f"Album:{album.pk}"
    await stage(engine, view, RemoveNodes(relation="albums", keys=(key,)))
    await Album.objects.filter(pk=album.pk).aupdate(label="Theirs")
    if by == "rebase":
        entry = (await bring_up(engine, view, THEIRS)).entry
    else:
        entry = (await save(engine, view, THEIRS, keep_open=True)).entry
    assert entry is not None
    songs = [f"Song:{pk}" async for pk in album.songs.values_list("pk", flat=True)]
    assert [key_of(each) for each in told(entry.deltas) if isinstance(each, Added)] == [key, *songs]


async def test_a_dropped_node_is_dropped_for_good(engine: Engine, band: Band) -> None:
    """After a rebase gave it up with all that the draft did below it, another one finds nothing."""
    view = await draft_of(engine, band)
    album = await Album.objects.aget(title="A")
    song = AddNodes(relation="songs", nodes=(new("Song", "song", title="one"),))
    await stage(engine, view, EditNode(relation="albums", key=f"Album:{album.pk}", changes=(song,)))
    await album.adelete()
    await bring_up(engine, view, THEIRS)
    outcome = await bring_up(engine, view)
    assert await draft_changes(engine, outcome.view) == []


async def test_what_others_bring_back_stands_once_among_its_siblings(
    engine: Engine, other: Engine, band: Band
) -> None:
    """Though it had been in the draft at another place, before it was deleted."""
    ann, bob = await draft_of(engine, band), await draft_of(other, band, BOB)
    one, two = [song async for song in Song.objects.filter(album__title="A")]
    key = f"Album:{one.album_id}"
    first = MoveNode(relation="songs", key=f"Song:{two.pk}", place=End.FIRST)
    await stage(other, bob, EditNode(relation="albums", key=key, changes=(first,)), caller=BOB)
    await (await get_draft(engine, ANN, ann.draft.id)).load_all()
    await Album.objects.filter(title="A").adelete()
    await bring_up(engine, ann)
    await save(other, bob, MINE, caller=BOB)
    await bring_up(engine, ann)
    for each in (engine, Engine(engine.clusters)):
        now = await get_draft(each, ANN, ann.draft.id)
        await now.load_all()
        found = [node.key for node in now.children(key, "songs")]
        assert found == [f"Song:{two.pk}", f"Song:{one.pk}"]
    await each.aclose()


async def test_a_worker_that_is_behind_takes_a_retry_of_what_brought_a_node_back(
    engine: Engine, other: Engine, band: Band
) -> None:
    """Its copy, at the version before, knows that there was a node."""
    view = await draft_of(engine, band)
    album = await Album.objects.aget(title="A")
    await stage(engine, view, RemoveNodes(relation="albums", keys=(f"Album:{album.pk}",)))
    await get_draft(other, ANN, view.draft.id)
    given: dict[str, Any] = {"expected_version": None, "change_id": "c"}
    first = await revert(engine, ANN, view.draft.id, 0, **given)
    again = await revert(other, ANN, view.draft.id, 0, **given)
    assert again.entry == first.entry
    await stage(engine, view, SetFields(values={"name": "Later"}))
