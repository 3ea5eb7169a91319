"""Django's model permissions decide what a commit may save; a project's own policy decides more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.test import override_settings

from gql_cluster.models import Receipt
from gql_cluster.service.caller import Caller
from gql_cluster.service.policy import Policy, Subject
from schema import schema
from schema.bands.models import Album, Band, Genre, Song
from tests.policy.people import People, permit

pytestmark = pytest.mark.once

COMMIT = "mutation($draft: ID!) { commitBandDraft(draft: $draft) { errors { code message } } }"
EDIT = """mutation($draft: ID!, $changes: [BandChange!]!) {
  editBandDraft(draft: $draft, changes: $changes) { errors { code } } }"""
NEW = {"name": "George", "instrument": "GUITAR"}


@pytest.mark.parametrize(
    ("change", "models", "actions"),
    [
        ({"set": {"origin": "Liverpool"}}, ["band"], ["change"]),
        ({"members": {"add": [NEW]}}, ["band", "bandmember"], ["change", "add"]),
        (
            {"members": {"update": {"key": "BandMember:%s", "set": {"left": 1960}}}},
            ["band", "bandmember"],
            ["change", "change"],
        ),
        ({"members": {"remove": ["BandMember:%s"]}}, ["band", "bandmember"], ["change", "delete"]),
        (
            {"members": {"move": {"key": "BandMember:%s", "to": "LAST"}}},
            ["band", "bandmember"],
            ["change", "change"],
        ),
        ({"members": {"clear": True}}, ["band", "bandmember"], ["change", "delete"]),
        (
            {"members": {"add": [{**NEW, "position": 0}]}},
            ["band", "bandmember", "bandmember"],
            ["change", "add", "change"],
        ),
        (
            {"members": {"replace": [{"key": "BandMember:%s", "name": "Ivan"}]}},
            ["band", "bandmember", "bandmember"],
            ["change", "change", "delete"],
        ),
        (
            {"albums": {"edit": {"key": "Album:%a", "changes": [{"songs": {"clear": True}}]}}},
            ["band", "album", "song"],
            ["change", "change", "delete"],
        ),
        ({"genres": {"add": ["%g"]}}, ["band"], ["change"]),
    ],
    ids=[
        "set",
        "add",
        "update",
        "remove",
        "move",
        "clear",
        "add before others",
        "replace",
        "edit",
        "members of a set",
    ],
)
async def test_each_change_needs_the_permission_of_what_it_saves(
    people: People, change: Any, models: list[str], actions: list[str]
) -> None:
    """All of them but one are not enough, whichever it is."""
    album = await Album.objects.acreate(band_id=people.pk, title="Demo", released="1958-07-12")
    await Song.objects.acreate(album=album, title="Blue Days", position=1)
    genre = await Genre.objects.acreate(name="Skiffle")
    await people.open("owner")
    owner = people.askers["owner"]
    first = await _first_member(people)
    named = {"%s": str(first), "%a": str(album.pk), "%g": str(genre.pk)}
    await owner.data(EDIT, draft=people.draft, changes=[_named(change, named)])
    needed = list(zip(models, actions, strict=True))
    for model, action in needed:
        assert await owner.outcome(COMMIT, draft=people.draft) == "FORBIDDEN"
        await permit(people.users["owner"], model, actions=(action,))
    assert await owner.outcome(COMMIT, draft=people.draft) == "OK"


async def test_a_new_cluster_needs_add_and_a_child_removed_above_needs_delete(
    people: People,
) -> None:
    """What is below a removed node is deleted with it."""
    owner, user = people.askers["owner"], people.users["owner"]
    album = {
        "title": "Demo",
        "kind": "STUDIO",
        "released": "1958-07-12",
        "songs": [{"title": "Blue Days"}],
    }
    query = """mutation($data: BandInput) { openBandDraft(data: $data) { draft { id } } }"""
    opened = await owner.data(query, data={"name": "Johnny", "albums": [album]})
    draft = opened["draft"]["id"]
    await permit(user, "band", "album", actions=("add",))
    assert await owner.outcome(COMMIT, draft=draft) == "FORBIDDEN"
    await permit(user, "song", actions=("add",))
    assert await owner.outcome(COMMIT, draft=draft) == "OK"

    band = await Band.objects.aget(name="Johnny")
    query = "mutation($pk: ID) { openBandDraft(pk: $pk) { draft { id } } }"
    draft = (await owner.data(query, pk=str(band.pk)))["draft"]["id"]
    await owner.data(EDIT, draft=draft, changes=[{"albums": {"clear": True}}])
    await permit(user, "band", "album", actions=("change", "delete"))
    assert await owner.outcome(COMMIT, draft=draft) == "FORBIDDEN"
    await permit(user, "song", actions=("delete",))
    assert await owner.outcome(COMMIT, draft=draft) == "OK"


async def test_what_is_above_a_change_needs_its_permission_as_well(people: People) -> None:
    """It is saved with it: `save()` is called, and what that does by itself is done."""
    owner, user = people.askers["owner"], people.users["owner"]
    album = await Album.objects.acreate(
        band_id=int(people.pk), title="Demo", kind="studio", released="1958-07-12"
    )
    song = await Song.objects.acreate(album=album, title="Blue Days", position=1)
    await people.open("owner")
    update = {"key": f"Song:{song.pk}", "set": {"title": "Blue Nights"}}
    inner = {"key": f"Album:{album.pk}", "changes": [{"songs": {"update": update}}]}
    await owner.data(EDIT, draft=people.draft, changes=[{"albums": {"edit": inner}}])
    await permit(user, "band", "song", actions=("change",))
    assert await owner.outcome(COMMIT, draft=people.draft) == "FORBIDDEN"
    await permit(user, "album", actions=("change",))
    assert await owner.outcome(COMMIT, draft=people.draft) == "OK"


async def test_a_refused_commit_leaves_draft_and_cluster_as_they_were(people: People) -> None:
    """Who is permitted commits it then, and the receipt says who it was."""
    await people.open("owner")
    assert await people.askers["owner"].outcome(COMMIT, draft=people.draft) == "FORBIDDEN"
    assert (await Band.objects.aget(pk=people.pk)).name == "Quarrymen"
    assert await people.askers["joined editor"].outcome(COMMIT, draft=people.draft) == "OK"
    assert (await Band.objects.aget(pk=people.pk)).name == "The Quarry Men"
    receipt = await Receipt.objects.aget()
    assert receipt.user == str(people.users["joined editor"].pk)


class Closed(Policy):
    """Lets editors see what others have, but open and change bands of their own town only."""

    async def may_open(self, caller: Caller, subject: Subject) -> bool:
        """Only saved ones."""
        return subject.pk is not None and await super().may_open(caller, subject)

    async def may_edit(self, caller: Caller, subject: Subject) -> bool:
        """Not by one who has only joined."""
        return caller.session == subject.owner

    async def may_share(self, caller: Caller, subject: Subject) -> bool:
        """Whoever is permitted to."""
        del subject
        user: Any = await caller.user()
        return user is not None and await user.ahas_perm("bands.add_band")


async def test_a_policy_of_the_projects_own_decides(people: People, settings: Any) -> None:
    """It is named in the settings."""
    await schema.engine.aclose()
    told = {**settings.GQL_CLUSTER, "POLICY": f"{__name__}.Closed"}
    with override_settings(GQL_CLUSTER=told):
        await people.open("editor")
        editor, joined = people.askers["editor"], people.askers["joined"]
        query = "mutation { openBandDraft { errors { code } } }"
        assert await editor.outcome(query) == "FORBIDDEN"
        changes = [{"set": {"origin": "Liverpool"}}]
        assert await editor.outcome(EDIT, draft=people.draft, changes=changes) == "OK"
        assert await joined.outcome(EDIT, draft=people.draft, changes=changes) == "FORBIDDEN"
        query = "query($draft: ID!) { draft(id: $draft) { version } }"
        assert await joined.outcome(query, draft=people.draft) == "OK"
        query = "mutation($pk: ID) { openBandDraft(pk: $pk) { draft { id } } }"
        own = (await people.askers["other"].data(query, pk=people.pk))["draft"]["id"]
        query = "mutation($draft: ID!) { shareDraft(draft: $draft) { errors { code } } }"
        assert await people.askers["other"].outcome(query, draft=own) == "FORBIDDEN"
        await schema.engine.aclose()


async def _first_member(people: People) -> int:
    band = Band.objects.filter(pk=people.pk)
    pk = await band.values_list("members__pk", flat=True).order_by("members__position").afirst()
    assert pk is not None
    return pk


def _named(change: Any, keys: Mapping[str, str]) -> Any:
    """Return a change with primary keys in it."""
    if isinstance(change, dict):
        return {name: _named(value, keys) for name, value in change.items()}
    if isinstance(change, list):
        return [_named(value, keys) for value in change]
    if isinstance(change, str):
        for name, pk in keys.items():
            change = change.replace(name, pk)
    return change
