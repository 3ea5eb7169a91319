"""Committing a draft: the whole cluster in one transaction, by the models' own methods."""

from __future__ import annotations

from dataclasses import replace

import pytest
from asgiref.sync import sync_to_async

from gql_cluster.domain.change import (
    AddNodes,
    AddToSet,
    Before,
    Change,
    EditNode,
    End,
    MoveNode,
    RemoveNodes,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.error import ClosedError, ConflictError, ValidationFailedError
from gql_cluster.domain.tree import Want
from gql_cluster.models import Receipt
from gql_cluster.service.caller import Caller
from gql_cluster.service.commit import commit
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.outcome import Committed, Outcome
from gql_cluster.service.view import View
from schema.bands.models import Album, Band, BandMember, Genre, Song
from tests.integration.service.conftest import ANN, BAND, beatles, new, root_pk


async def stage(engine: Engine, view: View, *changes: Change, caller: Caller = ANN) -> Outcome:
    """Stage changes."""
    return await edit(
        engine, caller, BAND, view.draft.id, changes, expected_version=None, change_id=None
    )


async def save(engine: Engine, view: View, change_id: str | None = None) -> Committed:
    """Commit a draft."""
    return await commit(
        engine, ANN, BAND, view.draft.id, expected_version=None, change_id=change_id
    )


async def test_commit_saves_every_kind_of_change(engine: Engine) -> None:
    """A root, children and grandchildren that were added, changed, moved and removed."""
    view = await beatles(engine)
    skiffle = await Genre.objects.acreate(name="skiffle revival")
    album = replace(
        new("Album", "anthology", title="Anthology 1", released="1995-11-20"),
        children={
            "songs": tuple(new("Song", f"s{i}", title=f"Take {i}") for i in range(1, 5)),
        },
    )
    help_ = await Album.objects.aget(title="Help!")
    songs = [song async for song in help_.songs.all()]
    await stage(
        engine,
        view,
        SetFields(values={"name": "The Quarrymen"}),
        AddNodes(
            relation="members", nodes=(new("BandMember", "eric", name="E", instrument="drums"),)
        ),
        AddNodes(relation="albums", nodes=(album,)),
        EditNode(
            relation="albums",
            key=f"Album:{help_.pk}",
            changes=(MoveNode(relation="songs", key=f"Song:{songs[-1].pk}", place=End.FIRST),),
        ),
        AddToSet(name="genres", pks=(skiffle.pk,)),
    )
    saved = await save(engine, view)
    band = await Band.objects.aget(pk=root_pk(view))
    assert band.name == "The Quarrymen"
    assert await band.genres.filter(pk=skiffle.pk).aexists()
    eric = await BandMember.objects.aget(band=band, name="E")
    assert eric.position == 7
    made = await Album.objects.aget(band=band, title="Anthology 1")
    takes = [(song.position, song.title) async for song in made.songs.all()]
    assert takes == [(1, "Take 1"), (2, "Take 2"), (3, "Take 3"), (4, "Take 4")]
    after = [song.pk async for song in help_.songs.all()]
    assert after == [songs[-1].pk, *(song.pk for song in songs[:-1])]
    assert [s.position async for s in help_.songs.all()] == list(range(1, len(songs) + 1))
    keys = saved.receipt.keys
    assert keys["root"] == band.pk
    assert keys["eric"] == eric.pk
    assert keys["anthology"] == made.pk
    assert {f"s{i}" for i in range(1, 5)} <= keys.keys()
    assert await Receipt.objects.aget(draft_id=view.draft.id) == saved.receipt


async def test_commit_swaps_unique_names(engine: Engine) -> None:
    """Two members exchange names that are unique within the band."""
    view = await beatles(engine)
    john = await BandMember.objects.aget(name="John Lennon")
    paul = await BandMember.objects.aget(name="Paul McCartney")
    await stage(
        engine,
        view,
        UpdateNode(relation="members", key=f"BandMember:{john.pk}", values={"name": paul.name}),
        UpdateNode(relation="members", key=f"BandMember:{paul.pk}", values={"name": john.name}),
    )
    await save(engine, view)
    assert (await BandMember.objects.aget(pk=john.pk)).name == "Paul McCartney"
    assert (await BandMember.objects.aget(pk=paul.pk)).name == "John Lennon"


async def test_commit_reuses_the_name_of_a_removed_child(engine: Engine) -> None:
    """A member is removed and another of the same name is added."""
    view = await beatles(engine)
    pete = await BandMember.objects.aget(name="Pete Best")
    await stage(
        engine,
        view,
        RemoveNodes(relation="members", keys=(f"BandMember:{pete.pk}",)),
        AddNodes(
            relation="members",
            nodes=(new("BandMember", "again", name="Pete Best", instrument="drums"),),
        ),
    )
    await save(engine, view)
    again = await BandMember.objects.aget(name="Pete Best")
    assert again.pk != pete.pk


async def test_commit_refuses_what_is_not_valid_and_saves_nothing(engine: Engine) -> None:
    """A child's own clean(), a missing value and a duplicate are told with key and field."""
    view = await beatles(engine)
    await stage(
        engine,
        view,
        SetFields(values={"name": "Changed"}),
        AddNodes(
            relation="members",
            nodes=(
                new("BandMember", "dup", name="John Lennon", instrument="drums"),
                new("BandMember", "early", name="X", instrument="drums", joined=1970, left=1960),
                new("BandMember", "none", name=""),
            ),
        ),
    )
    with pytest.raises(ValidationFailedError) as info:
        await save(engine, view)
    found = {(problem.key, problem.field) for problem in info.value.problems}
    assert found == {("dup", "name"), ("early", "left"), ("none", "name"), ("none", "instrument")}
    assert await Band.objects.filter(name="The Beatles").aexists()
    assert not await Receipt.objects.aexists()
    # The draft goes on.
    await stage(engine, view, RemoveNodes(relation="members", keys=("dup", "early", "none")))
    await save(engine, view)
    assert await Band.objects.filter(name="Changed").aexists()


async def test_commit_refuses_when_both_changed_a_field(engine: Engine) -> None:
    """The conflict names what both sides made of the field."""
    view = await beatles(engine)
    await stage(engine, view, SetFields(values={"name": "Mine"}))
    await Band.objects.filter(pk=root_pk(view)).aupdate(name="Theirs", origin="Elsewhere")
    with pytest.raises(ConflictError) as info:
        await save(engine, view)
    [conflict] = info.value.conflicts
    assert (conflict.field, conflict.base, conflict.theirs, conflict.mine) == (
        "name",
        "The Beatles",
        "Theirs",
        "Mine",
    )


async def test_commit_keeps_what_others_saved_elsewhere(engine: Engine) -> None:
    """Other fields, other children and children added meanwhile stay as others saved them."""
    view = await beatles(engine)
    await stage(engine, view, SetFields(values={"name": "Mine"}))
    band = await Band.objects.aget(pk=root_pk(view))
    await Band.objects.filter(pk=band.pk).aupdate(origin="Elsewhere")
    await BandMember.objects.acreate(band=band, name="New", instrument="drums", position=99)
    await BandMember.objects.filter(name="Pete Best").adelete()
    await save(engine, view)
    band = await Band.objects.aget(pk=band.pk)
    assert (band.name, band.origin) == ("Mine", "Elsewhere")
    names = {member.name async for member in BandMember.objects.filter(band=band)}
    assert "New" in names
    assert "Pete Best" not in names


async def test_commit_refuses_to_delete_what_others_changed(engine: Engine) -> None:
    """An album is removed in the draft while somebody renames one of its songs."""
    view = await beatles(engine)
    album = await Album.objects.aget(title="Help!")
    await stage(engine, view, RemoveNodes(relation="albums", keys=(f"Album:{album.pk}",)))
    song = await Song.objects.filter(album=album).afirst()
    assert song is not None
    await Song.objects.filter(pk=song.pk).aupdate(title="Renamed")
    with pytest.raises(ConflictError) as info:
        await save(engine, view)
    assert [conflict.key for conflict in info.value.conflicts] == [f"Album:{album.pk}"]
    assert await Album.objects.filter(pk=album.pk).aexists()


async def test_commit_merges_with_what_others_reordered(engine: Engine) -> None:
    """Each side moved another song: both moves are saved."""
    view = await beatles(engine)
    album = await Album.objects.aget(title="Help!")
    songs = [song async for song in album.songs.all()]
    move = MoveNode(
        relation="songs", key=f"Song:{songs[3].pk}", place=Before(key=f"Song:{songs[0].pk}")
    )
    await stage(engine, view, EditNode(relation="albums", key=f"Album:{album.pk}", changes=(move,)))
    await Song.objects.filter(pk=songs[5].pk).aupdate(position=100)
    await save(engine, view)
    found = [song.pk async for song in album.songs.all()]
    rest = [song.pk for song in songs if song not in {songs[3], songs[5]}]
    assert found == [songs[3].pk, *rest, songs[5].pk]


async def test_commit_appends_behind_what_others_appended(engine: Engine) -> None:
    """A song that is appended gets a number that is free now."""
    view = await beatles(engine)
    album = await Album.objects.aget(title="Help!")
    add = AddNodes(relation="songs", nodes=(new("Song", "mine", title="Mine"),))
    await stage(engine, view, EditNode(relation="albums", key=f"Album:{album.pk}", changes=(add,)))
    await Song.objects.acreate(album=album, title="Theirs", position=15)
    await save(engine, view)
    assert (await Song.objects.aget(title="Mine")).position == 16


async def test_a_commit_is_made_once(engine: Engine) -> None:
    """The same change id gives the first outcome; without one the draft is closed."""
    view = await beatles(engine)
    await stage(engine, view, SetFields(values={"name": "Once"}))
    first = await save(engine, view, "c1")
    again = await save(engine, view, "c1")
    assert again.receipt == first.receipt
    assert again.entry == first.entry
    with pytest.raises(ClosedError):
        await save(engine, view)
    with pytest.raises(ClosedError):
        await stage(engine, view, SetFields(values={"name": "Twice"}))
    assert await Receipt.objects.acount() == 1


async def test_a_removed_album_goes_with_its_songs(engine: Engine) -> None:
    """What is below a removed node is deleted by the model's own cascade."""
    view = await beatles(engine)
    album = await Album.objects.aget(title="Help!")
    await stage(engine, view, RemoveNodes(relation="albums", keys=(f"Album:{album.pk}",)))
    await save(engine, view)
    assert not await Song.objects.filter(album_id=album.pk).aexists()


async def test_the_draft_can_be_read_whole(engine: Engine) -> None:
    """Every node is served as an instance whose relations are the draft's."""
    view = await beatles(engine)
    nodes = await view.load_all()
    songs = await Song.objects.filter(album__band=root_pk(view)).acount()
    assert len(nodes) == 1 + 6 + 13 + songs
    root = view.instance(nodes[0])
    members = await sync_to_async(lambda: [m.name for m in root.members.all()])()  # type: ignore[attr-defined]
    assert members[0] == "John Lennon"
    assert not view.snapshot.copy.missing(Want(families=frozenset({("root", "albums")})))
