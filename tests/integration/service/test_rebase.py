"""Rebasing, and commits that decide conflicts: a draft laid over what others have saved."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db.models import F

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
from gql_cluster.domain.draft import Cause, DraftState
from gql_cluster.domain.error import ConflictError, ConflictKind, ConflictPolicy
from gql_cluster.domain.undo import KeptReason
from gql_cluster.service.caller import Caller
from gql_cluster.service.commit import commit
from gql_cluster.service.dry_run import draft_conflicts, draft_errors
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.outcome import Committed, Outcome
from gql_cluster.service.read import draft_changes, get_draft
from gql_cluster.service.rebase import rebase
from gql_cluster.service.undo import undo
from gql_cluster.service.view import View
from schema.bands.models import Album, Band, BandMember, Genre, Song
from tests.integration.service.conftest import ANN, BAND, BOB, beatles, new, root_pk

FAIL, MINE, THEIRS = ConflictPolicy.FAIL, ConflictPolicy.MINE, ConflictPolicy.THEIRS


async def stage(engine: Engine, view: View, *changes: Change, caller: Caller = ANN) -> Outcome:
    """Stage changes."""
    return await edit(
        engine, caller, BAND, view.draft.id, changes, expected_version=None, change_id=None
    )


async def save(
    engine: Engine,
    view: View,
    policy: ConflictPolicy = FAIL,
    *,
    caller: Caller = ANN,
    keep_open: bool = False,
) -> Committed:
    """Commit a draft."""
    return await commit(
        engine,
        caller,
        BAND,
        view.draft.id,
        expected_version=None,
        change_id=None,
        policy=policy,
        keep_open=keep_open,
    )


async def bring_up(engine: Engine, view: View, policy: ConflictPolicy = FAIL) -> View:
    """Rebase a draft."""
    outcome = await rebase(
        engine, ANN, view.draft.id, policy, expected_version=None, change_id=None
    )
    return outcome.view


def key(row: Any) -> str:
    """Return the key that a row has in a draft."""
    return f"{type(row).__name__}:{row.pk}"


async def member(name: str) -> BandMember:
    """Return a saved member of The Beatles."""
    return await BandMember.objects.aget(name=name, band__name="The Beatles")


async def names(band_pk: int) -> list[str]:
    """Return the names of a saved band's members, in order."""
    return [each.name async for each in BandMember.objects.filter(band_id=band_pk)]


async def staged_names(view: View) -> list[str]:
    """Return the names of a draft's members, in order."""
    await view.load_family("root", "members")
    return [str(node.fields["name"]) for node in view.children("root", "members")]


async def test_rebase_brings_in_what_others_saved_and_keeps_the_changes(engine: Engine) -> None:
    """Other fields, children added and deleted, set members; nothing is left in conflict."""
    view = await beatles(engine)
    john, pete = await member("John Lennon"), await member("Pete Best")
    rock = await Genre.objects.acreate(name="mersey rock")
    await stage(
        engine,
        view,
        SetFields(values={"name": "The Quarrymen"}),
        UpdateNode(relation="members", key=key(john), values={"left": 1969}),
        AddNodes(
            relation="members", nodes=(new("BandMember", "eric", name="E", instrument="drums"),)
        ),
    )
    band = await Band.objects.aget(pk=root_pk(view))
    band.formed = 1957
    await band.asave()
    await Band.genres.through.objects.acreate(band=band, genre=rock)
    await pete.adelete()
    await BandMember.objects.filter(pk=john.pk).aupdate(joined=1957)
    await BandMember.objects.acreate(band=band, name="Jimmie Nicol", instrument="drums", position=7)

    view = await bring_up(engine, view)
    root = view.snapshot.node("root")
    assert root is not None
    assert (root.fields["name"], root.fields["formed"]) == ("The Quarrymen", 1957)
    assert rock.pk in root.sets["genres"]
    staged = await staged_names(view)
    assert "Pete Best" not in staged
    assert staged[-2:] == ["Jimmie Nicol", "E"]
    node = view.snapshot.node(key(john))
    assert node is not None
    assert (node.fields["joined"], node.fields["left"]) == (1957, 1969)
    changed = {(type(each).__name__) for each in await draft_changes(engine, view)}
    assert changed == {"Updated", "Added"}
    assert len(await draft_changes(engine, view)) == 3
    assert await draft_conflicts(engine, view) == []
    assert await draft_errors(engine, view) == []

    await save(engine, view)
    assert await names(band.pk) == staged
    after = await BandMember.objects.aget(pk=john.pk)
    assert (after.joined, after.left) == (1957, 1969)


async def test_rebase_is_an_event_that_others_follow(engine: Engine, other: Engine) -> None:
    """Another worker's copy, brought up by the log, is what the first one has."""
    view = await beatles(engine)
    await stage(engine, view, SetFields(values={"name": "Mine"}))
    before = await get_draft(other, ANN, view.draft.id)
    await before.load_all()
    await BandMember.objects.acreate(
        band_id=root_pk(view), name="Jimmie Nicol", instrument="drums", position=7
    )
    outcome = await rebase(engine, ANN, view.draft.id, FAIL, expected_version=None, change_id=None)
    assert outcome.entry is not None
    assert outcome.entry.cause is Cause.REBASE
    followed = await get_draft(other, ANN, view.draft.id)
    assert await staged_names(followed) == await staged_names(outcome.view)
    assert "Jimmie Nicol" in await staged_names(followed)


async def both_renamed(engine: Engine) -> View:
    """Open a draft that renames the band, and a member, as others have by now."""
    view = await beatles(engine)
    ringo = await member("Ringo Starr")
    await stage(
        engine,
        view,
        SetFields(values={"name": "Mine", "formed": 1958}),
        UpdateNode(relation="members", key=key(ringo), values={"left": 1971}),
    )
    await Band.objects.filter(pk=root_pk(view)).aupdate(name="Theirs")
    await BandMember.objects.filter(pk=ringo.pk).aupdate(left=1972)
    return view


async def test_fail_refuses_and_changes_nothing(engine: Engine) -> None:
    """Rebase and commit name both conflicts; the draft stays at its version."""
    view = await both_renamed(engine)
    ringo = await BandMember.objects.aget(band_id=root_pk(view), name="Ringo Starr")
    for request in (bring_up(engine, view), save(engine, view)):
        with pytest.raises(ConflictError) as info:
            await request
        found = {(c.kind, c.key, c.field, c.base, c.theirs, c.mine) for c in info.value.conflicts}
        assert found == {
            (ConflictKind.FIELD, "root", "name", "The Beatles", "Theirs", "Mine"),
            (ConflictKind.FIELD, key(ringo), "left", 1970, 1972, 1971),
        }
    assert (await get_draft(engine, ANN, view.draft.id)).draft.version == 1


@pytest.mark.parametrize("rebased", [False, True])
@pytest.mark.parametrize(
    ("policy", "name", "left"), [(MINE, "Mine", 1971), (THEIRS, "Theirs", 1972)]
)
async def test_policy_decides_conflicts_and_nothing_else(
    engine: Engine, policy: ConflictPolicy, name: str, left: int, *, rebased: bool
) -> None:
    """The same is saved by a commit with the policy as by a rebase with it and a commit."""
    view = await both_renamed(engine)
    if rebased:
        await bring_up(engine, view, policy)
        saved = await save(engine, view)
    else:
        saved = await save(engine, view, policy)
    band = await Band.objects.aget(pk=root_pk(view))
    assert (band.name, band.formed) == (name, 1958)
    assert (await member_by(band, "Ringo Starr")).left == left
    assert saved.view is not None
    assert saved.view.draft.state is DraftState.COMMITTED
    root = saved.view.snapshot.node("root")
    assert root is not None
    assert root.fields["name"] == name


async def member_by(band: Band, name: str) -> BandMember:
    """Return a saved member."""
    return await BandMember.objects.aget(band=band, name=name)


async def edited_and_deleted(engine: Engine) -> tuple[View, Album]:
    """Open a draft that edits a song of an album that others have deleted by now."""
    view = await beatles(engine)
    album = await Album.objects.aget(title="Help!")
    song = await album.songs.afirst()
    assert song is not None
    await stage(
        engine,
        view,
        EditNode(
            relation="albums",
            key=key(album),
            changes=(UpdateNode(relation="songs", key=key(song), values={"title": "Help me"}),),
        ),
    )
    await Album.objects.filter(pk=album.pk).adelete()
    return view, album


async def test_what_others_deleted_comes_back_only_if_asked(engine: Engine) -> None:
    """FAIL refuses; THEIRS lets it go; MINE brings it back whole, with its primary keys."""
    view, album = await edited_and_deleted(engine)
    with pytest.raises(ConflictError) as info:
        await save(engine, view)
    assert {each.kind for each in info.value.conflicts} == {ConflictKind.DELETED}
    await save(engine, view, THEIRS)
    assert not await Album.objects.filter(pk=album.pk).aexists()

    await sync_to_async(_load_again)()
    view, album = await edited_and_deleted(engine)
    songs = [node.pk for node in await view.load_below([key(album)])]
    await save(engine, view, MINE)
    assert (await Album.objects.aget(pk=album.pk)).title == "Help!"
    found = [song.pk async for song in Song.objects.filter(album_id=album.pk)]
    assert sorted(found) == sorted(int(str(pk)) for pk in songs)
    assert await Song.objects.filter(album_id=album.pk, title="Help me").aexists()


def _load_again() -> None:
    from django.core.management import call_command  # noqa: PLC0415

    Band.objects.all().delete()
    call_command("load_samples", verbosity=0)


async def test_removed_here_and_changed_there(engine: Engine) -> None:
    """FAIL refuses; THEIRS keeps the node with their values; MINE removes it."""
    for policy, instrument, kept in ((THEIRS, "bass", True), (MINE, "piano", False)):
        view = await beatles(engine)
        pete = await BandMember.objects.aget(
            band_id=root_pk(view), name__startswith="P", position=6
        )
        await stage(engine, view, RemoveNodes(relation="members", keys=(key(pete),)))
        await BandMember.objects.filter(pk=pete.pk).aupdate(instrument=instrument)
        with pytest.raises(ConflictError) as info:
            await save(engine, view)
        assert [each.kind for each in info.value.conflicts] == [ConflictKind.CHANGED]
        await save(engine, view, policy)
        assert await BandMember.objects.filter(pk=pete.pk, instrument=instrument).aexists() is kept


async def test_a_value_that_both_took_is_a_conflict_and_no_integrity_error(engine: Engine) -> None:
    """Both add a member of the same name: UNIQUE by field; each side can be chosen."""
    band_pk = 0
    for policy, instrument in ((THEIRS, "bass"), (MINE, "drums")):
        view = await beatles(engine)
        band_pk = root_pk(view)
        await stage(
            engine,
            view,
            AddNodes(
                relation="members",
                nodes=(new("BandMember", "twin", name="Twin", instrument="drums"),),
            ),
        )
        theirs = await BandMember.objects.acreate(
            band_id=band_pk, name="Twin", instrument="bass", position=7
        )
        for request in (save(engine, view), bring_up(engine, view)):
            with pytest.raises(ConflictError) as info:
                await request
            [conflict] = info.value.conflicts
            assert (conflict.kind, conflict.key, conflict.field) == (
                ConflictKind.UNIQUE,
                "twin",
                "name",
            )
        fresh = await get_draft(engine, ANN, view.draft.id)
        assert [c.kind for c in await draft_conflicts(engine, fresh)] == [ConflictKind.UNIQUE]
        await save(engine, view, policy)
        twin = await BandMember.objects.aget(band_id=band_pk, name="Twin")
        assert twin.instrument == instrument
        assert (twin.pk == theirs.pk) is (policy is THEIRS)
        await twin.adelete()


async def test_reorder_on_both_sides_keeps_both_moves(engine: Engine) -> None:
    """Different members are moved, one is inserted: the order has all of it, numbered anew."""
    view = await beatles(engine)
    band_pk = root_pk(view)
    rows = [each async for each in BandMember.objects.filter(band_id=band_pk)]
    first, last = rows[0], rows[-1]
    await stage(
        engine, view, MoveNode(relation="members", key=key(last), place=Before(key=key(rows[1])))
    )

    def others() -> None:
        # They put the first one behind the fourth, and insert one at the fifth place.
        order = [rows[1], rows[2], rows[3], first, *rows[4:]]
        made = BandMember(band_id=band_pk, name="Jimmie Nicol", instrument="drums")
        order.insert(4, made)
        BandMember.objects.filter(band_id=band_pk).update(position=F("position") + 100)
        for number, row in enumerate(order, start=1):
            row.position = number
            row.save()

    await sync_to_async(others)()
    now = await get_draft(engine, ANN, view.draft.id)
    assert await draft_conflicts(engine, now) == []
    assert await draft_errors(engine, now) == []
    await save(engine, view)
    expected = [last, rows[1], rows[2], rows[3], first]
    found = [each async for each in BandMember.objects.filter(band_id=band_pk)]
    assert [row.pk for row in found][:5] == [row.pk for row in expected]
    assert [row.position for row in found] == list(range(1, len(found) + 1))
    assert found[5].name == "Jimmie Nicol"


@pytest.mark.parametrize(("policy", "place"), [(MINE, 0), (THEIRS, -1)])
async def test_contradicting_moves_are_an_order_conflict(
    engine: Engine, policy: ConflictPolicy, place: int
) -> None:
    """The same member is moved to either end; the policy says which order it is."""
    view = await beatles(engine)
    band_pk = root_pk(view)
    rows = [each async for each in BandMember.objects.filter(band_id=band_pk)]
    third = rows[2]
    await stage(engine, view, MoveNode(relation="members", key=key(third), place=End.FIRST))

    def others() -> None:
        order = [*(row for row in rows if row is not third), third]
        BandMember.objects.filter(band_id=band_pk).update(position=F("position") + 100)
        for number, row in enumerate(order, start=1):
            row.position = number
            row.save()

    await sync_to_async(others)()
    with pytest.raises(ConflictError) as info:
        await save(engine, view)
    assert [(c.kind, c.key, c.field) for c in info.value.conflicts] == [
        (ConflictKind.ORDER, "root", "members")
    ]
    await save(engine, view, policy)
    found = [each.pk async for each in BandMember.objects.filter(band_id=band_pk)]
    assert found[place] == third.pk


async def test_a_kept_draft_goes_on_from_what_is_saved(engine: Engine, other: Engine) -> None:
    """Keys stay, new nodes have primary keys, what others saved is in it, and it commits again."""
    view = await beatles(engine)
    band_pk = root_pk(view)
    await stage(
        engine,
        view,
        SetFields(values={"name": "First"}),
        AddNodes(
            relation="members", nodes=(new("BandMember", "eric", name="E", instrument="drums"),)
        ),
    )
    await Band.objects.filter(pk=band_pk).aupdate(formed=1957)
    copy = await get_draft(other, ANN, view.draft.id)
    await copy.load_all()
    saved = await save(engine, view, keep_open=True)
    assert saved.view is not None
    assert saved.view.draft.state is DraftState.OPEN
    assert saved.entry is not None
    assert (saved.entry.cause, saved.entry.version) == (Cause.COMMIT, 2)
    eric = await BandMember.objects.aget(band_id=band_pk, name="E")
    for each in (engine, other):
        now = await get_draft(each, ANN, view.draft.id)
        assert await draft_changes(each, now) == []
        await now.load_all()
        node = now.snapshot.node("eric")
        assert node is not None
        assert (node.pk, node.fields["position"]) == (eric.pk, eric.position)
        root = now.snapshot.node("root")
        assert root is not None
        assert root.fields["formed"] == 1957
    await stage(
        engine,
        view,
        UpdateNode(relation="members", key="eric", values={"name": "Eric"}),
        SetFields(values={"name": "Second"}),
    )
    again = await save(engine, view)
    assert again.receipt.keys["eric"] == eric.pk
    assert (await BandMember.objects.aget(pk=eric.pk)).name == "Eric"
    assert (await Band.objects.aget(pk=band_pk)).name == "Second"


async def test_a_new_cluster_is_kept_open(engine: Engine) -> None:
    """It has a root in the database then, is found by resume, and is edited and saved again."""
    from gql_cluster.service.open import open_new, open_saved  # noqa: PLC0415

    view = await open_new(engine, ANN, BAND, new("Band", name="New"))
    saved = await save(engine, view, keep_open=True)
    assert saved.view is not None
    pk = saved.receipt.root_pk
    assert not saved.view.draft.is_new
    resumed = await open_saved(engine, ANN, BAND, pk, resume=True)
    assert resumed.draft.id == view.draft.id
    await stage(
        engine,
        view,
        AddNodes(relation="members", nodes=(new("BandMember", "m", name="M", instrument="bass"),)),
    )
    await save(engine, view, keep_open=True)
    await stage(engine, view, RemoveNodes(relation="members", keys=("m",)))
    await save(engine, view)
    assert await Band.objects.filter(pk=pk, name="New").aexists()
    assert not await BandMember.objects.filter(band_id=pk).aexists()


async def test_undo_behind_a_kept_commit_stages_the_inverse(engine: Engine) -> None:
    """A field goes back, an added child goes; one that the commit deleted stays deleted."""
    view = await beatles(engine)
    pete = await member("Pete Best")
    await stage(
        engine,
        view,
        SetFields(values={"name": "Mine"}),
        AddNodes(relation="members", nodes=(new("BandMember", "e", name="E", instrument="bass"),)),
        RemoveNodes(relation="members", keys=(key(pete),)),
    )
    await save(engine, view, keep_open=True)
    undone = await undo(engine, ANN, view.draft.id, expected_version=None, change_id=None)
    assert [(kept.key, kept.reason) for kept in undone.kept] == [(key(pete), KeptReason.REMOVED)]
    names = await staged_names(undone.view)
    assert not {"Pete Best", "E"} & set(names)
    await save(engine, view)
    band = await Band.objects.aget(pk=root_pk(view))
    assert band.name == "The Beatles"
    assert not await BandMember.objects.filter(band=band, name__in=["Pete Best", "E"]).aexists()


async def test_undo_across_a_rebase_gives_what_others_saved(engine: Engine) -> None:
    """The field goes back to their value and not to the one before it."""
    view = await beatles(engine)
    await stage(engine, view, SetFields(values={"name": "Mine"}))
    await Band.objects.filter(pk=root_pk(view)).aupdate(name="Theirs")
    await bring_up(engine, view, MINE)
    outcome = await undo(engine, ANN, view.draft.id, expected_version=None, change_id=None)
    root = outcome.view.snapshot.node("root")
    assert root is not None
    assert root.fields["name"] == "Theirs"
    assert await draft_changes(engine, outcome.view) == []


async def test_two_drafts_that_touch_different_things_both_win(engine: Engine) -> None:
    """Ann and Bob commit one after the other: neither overwrites the other."""
    ann, bob = await beatles(engine, ANN), await beatles(engine, BOB)
    rock = await Genre.objects.acreate(name="mersey rock")
    await stage(engine, ann, SetFields(values={"name": "Ann's"}))
    await stage(
        engine,
        bob,
        SetFields(values={"formed": 1958}),
        AddToSet(name="genres", pks=(rock.pk,)),
        caller=BOB,
    )
    await save(engine, ann)
    await save(engine, bob, caller=BOB)
    band = await Band.objects.aget(pk=root_pk(ann))
    assert (band.name, band.formed) == ("Ann's", 1958)
    assert await band.genres.filter(pk=rock.pk).aexists()
