"""Undo, redo, revert and reset over the store: per session, whichever worker is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gql_cluster.domain.change import (
    AddNodes,
    Change,
    End,
    MoveNode,
    RemoveNodes,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.delta import Added, key_of, told
from gql_cluster.domain.draft import Cause
from gql_cluster.domain.error import ConflictPolicy, InvalidChangeError, StaleVersionError
from gql_cluster.domain.history import can_redo, can_undo
from gql_cluster.domain.undo import KeptReason
from gql_cluster.service.caller import Caller
from gql_cluster.service.commit import commit
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.log import history, later_than
from gql_cluster.service.outcome import Outcome
from gql_cluster.service.read import draft_changes, get_draft
from gql_cluster.service.rebase import rebase
from gql_cluster.service.revert import reset, revert
from gql_cluster.service.undo import redo, undo
from gql_cluster.service.view import View
from schema.bands.models import Album, Band, BandMember
from tests.integration.service.conftest import ANN, BAND, BOB, MakeEngine, beatles, new, root_pk


async def stage(engine: Engine, view: View, *changes: Change, caller: Caller = ANN) -> Outcome:
    """Stage changes."""
    return await edit(
        engine, caller, BAND, view.draft.id, changes, expected_version=None, change_id=None
    )


async def back(
    engine: Engine, view: View, *, caller: Caller = ANN, change_id: str | None = None
) -> Outcome:
    """Undo once."""
    return await undo(engine, caller, view.draft.id, expected_version=None, change_id=change_id)


async def forth(engine: Engine, view: View) -> Outcome:
    """Redo once."""
    return await redo(engine, ANN, view.draft.id, expected_version=None, change_id=None)


async def root_field(view: View, name: str) -> object:
    """Return what a draft's root holds in a field."""
    [root, *_] = await view.load_all()
    return root.fields[name]


async def shared_with_bob(engine: Engine) -> View:
    """Open a draft of The Beatles that Bob may edit, too."""
    view = await beatles(engine)
    meta = engine.parts.store._keys.draft(view.draft.id)[0]  # noqa: SLF001 - joining is another test's
    await engine.parts.client.hset(meta, "members", '["bob"]')
    return await get_draft(engine, BOB, view.draft.id)


async def test_undo_and_redo_survive_the_worker(engine: Engine, other: Engine) -> None:
    """Every step can be undone and redone by a worker that was not there."""
    view = await beatles(engine)
    for name in ("One", "Two", "Three"):
        await stage(engine, view, SetFields(values={"name": name}))
    seen = []
    for _ in range(3):
        outcome = await back(other, view)
        assert outcome.entry is not None
        assert outcome.entry.cause is Cause.UNDO
        seen.append(await root_field(outcome.view, "name"))
    assert seen == ["Two", "One", "The Beatles"]
    assert await draft_changes(other, outcome.view) == []
    assert not can_undo(outcome.view.draft, "ann", 1000)
    seen = [await root_field((await forth(engine, view)).view, "name") for _ in range(3)]
    assert seen == ["One", "Two", "Three"]
    now = await get_draft(other, ANN, view.draft.id)
    assert can_undo(now.draft, "ann", 1000)
    assert not can_redo(now.draft, "ann", 1000)


async def test_nothing_to_undo_is_refused(engine: Engine) -> None:
    """An untouched draft, and redo behind a new edit: `INVALID_CHANGE`, no version."""
    view = await beatles(engine)
    for request in (back, forth):
        with pytest.raises(InvalidChangeError):
            await request(engine, view)
    await stage(engine, view, SetFields(values={"name": "One"}))
    await back(engine, view)
    await stage(engine, view, SetFields(values={"name": "Two"}))
    with pytest.raises(InvalidChangeError):
        await forth(engine, view)
    assert (await get_draft(engine, ANN, view.draft.id)).draft.version == 3


async def test_undo_is_per_session_and_keeps_what_others_changed(engine: Engine) -> None:
    """Ann takes back what is still hers; Bob's name stays, and she is told."""
    view = await shared_with_bob(engine)
    await stage(engine, view, SetFields(values={"name": "Ann's", "formed": 1958}))
    await stage(engine, view, SetFields(values={"name": "Bob's"}), caller=BOB)
    outcome = await back(engine, view)
    assert await root_field(outcome.view, "name") == "Bob's"
    assert await root_field(outcome.view, "formed") == 1960
    [kept] = outcome.kept
    assert (kept.key, kept.field, kept.reason) == ("root", "name", KeptReason.CHANGED)
    outcome = await back(engine, view, caller=BOB)
    assert await root_field(outcome.view, "name") == "Ann's"


async def test_children_that_were_added_or_removed_come_and_go_whole(engine: Engine) -> None:
    """An album with songs is added and taken back; a member is removed and comes back in place."""
    view = await beatles(engine)
    album = replace(
        new("Album", "a", title="A", released="1995-11-20"),
        children={"songs": (new("Song", "s", title="S"),)},
    )
    first = await BandMember.objects.filter(band_id=root_pk(view)).afirst()
    assert first is not None
    key = f"BandMember:{first.pk}"
    await stage(
        engine,
        view,
        AddNodes(relation="albums", nodes=(album,)),
        RemoveNodes(relation="members", keys=(key,)),
    )
    outcome = await back(engine, view)
    assert await draft_changes(engine, outcome.view) == []
    keys = {node.key for node in await outcome.view.load_all()}
    assert key in keys
    assert not {"a", "s"} & keys
    outcome = await forth(engine, view)
    keys = {node.key for node in await outcome.view.load_all()}
    assert {"a", "s"} < keys
    assert key not in keys


@pytest.mark.parametrize("later", ["nothing", "removed", "deleted"])
async def test_all_that_comes_back_is_told(engine: Engine, other: Engine, later: str) -> None:
    """The songs of an album that was removed are added with it, each once, on any worker."""
    view = await beatles(engine)
    album = await Album.objects.filter(band_id=root_pk(view)).afirst()
    assert album is not None
    key = f"Album:{album.pk}"
    songs = {f"Song:{pk}" async for pk in album.songs.values_list("pk", flat=True)}
    changed = UpdateNode(relation="albums", key=key, values={"label": "Another"})
    await stage(engine, view, changed, RemoveNodes(relation="albums", keys=(key,)))
    await back(engine, view)
    await forth(engine, view)
    entry = (await back(engine, view)).entry
    assert entry is not None
    if later != "nothing":
        await stage(engine, view, RemoveNodes(relation="albums", keys=(key,)))
    if later == "deleted":
        given: dict[str, Any] = {"expected_version": None, "change_id": None}
        await commit(engine, ANN, BAND, view.draft.id, keep_open=True, **given)
    for worker in (engine, other):
        now = await get_draft(worker, ANN, view.draft.id)
        log = await later_than(worker, now, 0)
        [kept] = [each for each in log if each.version == entry.version]
        came = [key_of(delta) for delta in told(kept.deltas) if isinstance(delta, Added)]
        assert came[0] == key
        assert sorted(came[1:]) == sorted(songs)


async def test_a_retry_undoes_once(engine: Engine, other: Engine) -> None:
    """The same change id gives the first outcome; for a redo it is refused."""
    view = await beatles(engine)
    for name in ("One", "Two"):
        await stage(engine, view, SetFields(values={"name": name}))
    first = await back(engine, view, change_id="u1")
    again = await back(other, view, change_id="u1")
    assert again.entry == first.entry
    assert await root_field(again.view, "name") == "One"
    with pytest.raises(InvalidChangeError):
        await redo(engine, ANN, view.draft.id, expected_version=None, change_id="u1")


async def test_what_the_log_has_lost_is_not_undone(make_engine: MakeEngine) -> None:
    """`canUndo` says no, and the request is refused, behind more versions than are kept."""
    engine = make_engine(LOG_LENGTH=1)
    view = await shared_with_bob(engine)
    await stage(engine, view, SetFields(values={"name": "Ann's"}))
    for number in range(250):
        await stage(engine, view, SetFields(values={"formed": number}), caller=BOB)
    assert not can_undo((await get_draft(engine, ANN, view.draft.id)).draft, "ann", 1)
    fresh = make_engine(LOG_LENGTH=1)
    with pytest.raises(InvalidChangeError):
        await back(fresh, view)


async def test_revert_goes_back_to_any_version(engine: Engine, other: Engine) -> None:
    """As a new version, everybody's changes included, and it can be undone itself."""
    view = await shared_with_bob(engine)
    await stage(engine, view, SetFields(values={"name": "One"}))
    await stage(engine, view, SetFields(values={"formed": 1958}), caller=BOB)
    await stage(
        engine, view, AddNodes(relation="members", nodes=(new("BandMember", "m", name="M"),))
    )
    outcome = await revert(other, ANN, view.draft.id, 1, expected_version=None, change_id=None)
    assert outcome.entry is not None
    assert (outcome.entry.cause, outcome.entry.version) == (Cause.REVERT, 4)
    assert await root_field(outcome.view, "name") == "One"
    assert await root_field(outcome.view, "formed") == 1960
    assert "m" not in {node.key for node in await outcome.view.load_all()}
    undone = await back(engine, view)
    assert await root_field(undone.view, "formed") == 1958
    assert "m" in {node.key for node in await undone.view.load_all()}
    for version in (-1, 99):
        with pytest.raises(InvalidChangeError):
            await revert(engine, ANN, view.draft.id, version, expected_version=None, change_id=None)
    with pytest.raises(StaleVersionError):
        await revert(engine, ANN, view.draft.id, 1, expected_version=2, change_id=None)


async def test_revert_keeps_what_a_rebase_brought(engine: Engine) -> None:
    """What others saved stays, or a commit would take it from them."""
    view = await beatles(engine)
    await stage(engine, view, SetFields(values={"name": "Mine"}))
    await Band.objects.filter(pk=root_pk(view)).aupdate(formed=1957)
    await rebase(
        engine, ANN, view.draft.id, ConflictPolicy.FAIL, expected_version=None, change_id=None
    )
    outcome = await revert(engine, ANN, view.draft.id, 0, expected_version=None, change_id=None)
    assert await root_field(outcome.view, "name") == "The Beatles"
    assert await root_field(outcome.view, "formed") == 1957
    assert await draft_changes(engine, outcome.view) == []


async def test_reset_gives_nodes_and_fields_their_base_state(engine: Engine) -> None:
    """One field, then a place, a removed child and an added one."""
    view = await beatles(engine)
    rows = [each async for each in BandMember.objects.filter(band_id=root_pk(view))]
    keys = [f"BandMember:{row.pk}" for row in rows]
    await stage(
        engine,
        view,
        SetFields(values={"name": "Mine", "formed": 1958}),
        MoveNode(relation="members", key=keys[3], place=End.FIRST),
        RemoveNodes(relation="members", keys=(keys[0],)),
        AddNodes(relation="members", nodes=(new("BandMember", "m", name="M"),)),
    )

    async def again(keys: list[str], fields: list[str] | None = None) -> View:
        outcome = await reset(
            engine, ANN, view.draft.id, keys, fields, expected_version=None, change_id=None
        )
        assert outcome.entry is not None
        assert outcome.entry.cause is Cause.RESET
        return outcome.view

    now = await again(["root"], ["name"])
    assert await root_field(now, "name") == "The Beatles"
    assert await root_field(now, "formed") == 1958
    now = await again(["root", keys[3], keys[0], "m"])
    assert await draft_changes(engine, now) == []
    for wrong, fields in ((["nobody"], None), (["root"], ["nothing"]), ([], None)):
        with pytest.raises(InvalidChangeError):
            await again(wrong, fields)


@pytest.mark.parametrize("keep_open", [True, False])
async def test_a_page_of_history_shows_what_was_saved_before_it(
    engine: Engine, other: Engine, *, keep_open: bool
) -> None:
    """A member that an earlier commit has saved keeps its number, though a later one saves it."""
    view = await beatles(engine)
    given: dict[str, Any] = {"expected_version": None, "change_id": None}
    draft = view.draft.id
    pete = new("BandMember", "pete", name="Pete", instrument="drums")
    paul = new("BandMember", "paul", name="Paul II", instrument="bass")
    await stage(engine, view, AddNodes(relation="members", nodes=(pete,)))
    await commit(engine, ANN, BAND, draft, keep_open=True, **given)
    await stage(engine, view, UpdateNode(relation="members", key="pete", values={"name": "Best"}))
    told = (await stage(engine, view, AddNodes(relation="members", nodes=(paul,)))).view
    await told.load_all()
    [relation] = [told.relation_of(node) for node in told.children("root", "members")[:1]]
    assert relation is not None
    numbers = told.numbers("root", relation)
    await commit(engine, ANN, BAND, draft, keep_open=keep_open, **given)
    for worker in (engine, other):
        now = await get_draft(worker, ANN, draft)
        [kept] = await history(worker, now, 1, 3)
        assert kept.version == 4
        again = worker.view_at(now, 4)
        await again.load_all()
        assert again.numbers("root", relation) == numbers
        node = again.snapshot.node("paul")
        assert node is not None
        assert node.pk is None


async def test_history_is_the_log_page_by_page(engine: Engine, other: Engine) -> None:
    """Oldest first, behind a version; each entry with the session that made it."""
    view = await shared_with_bob(engine)
    await stage(engine, view, SetFields(values={"name": "One"}))
    await stage(engine, view, SetFields(values={"name": "Two"}), caller=BOB)
    await back(engine, view, caller=BOB)
    now = await get_draft(other, ANN, view.draft.id)
    told = [(each.version, each.session, each.cause) for each in await history(other, now, 2, 0)]
    assert told == [(1, "ann", Cause.EDIT), (2, "bob", Cause.EDIT)]
    [last] = await history(other, now, 2, 2)
    assert (last.version, last.cause, last.undoes) == (3, Cause.UNDO, 2)
    then = other.view_at(now, 2)
    assert await root_field(then, "name") == "Two"
