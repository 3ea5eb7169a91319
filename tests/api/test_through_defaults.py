"""Rows between a node and its members that hold something: Django's `through_defaults`, staged."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db.models.signals import m2m_changed, pre_save

import gql_cluster
from tests.api.samples_kit import schema_of
from tests.api.schema_kit import Client
from tests.troupe.models import Contract, Gift, Part, Person, Play, Troupe

ERRORS = "errors { code message key field path change reason }"
PEOPLE = "actors { name } patrons { name } helpers { name } plays { key title cast { name } }"
CHANGES = "kind key fields { name before after }"
DRAFT = f"draft {{ id version cluster {{ name {PEOPLE} }} {ERRORS} changes {{ {CHANGES} }} }}"


class Desk:
    """Drafts of troupes, by one session."""

    def __init__(self, schema: Any, session: str = "ann") -> None:
        self.schema = schema
        self.client = Client(schema=schema, session=session)

    async def ask(self, takes: str, call: str, fields: str = "", **arguments: Any) -> Any:
        """Send a mutation and return its payload, which has no errors of GraphQL."""
        query = f"mutation({takes}) {{ it: {call} {{ {DRAFT} {ERRORS} {fields} }} }}"
        return (await self.client.data(query, **arguments))["it"]

    async def open(self, **arguments: Any) -> Any:
        """Open a draft."""
        takes = "$pk: ID, $copyOf: ID, $data: TroupeInput"
        call = "openTroupeDraft(pk: $pk, copyOf: $copyOf, data: $data)"
        return await self.ask(takes, call, **arguments)

    async def edit(self, draft: str, *changes: object) -> Any:
        """Stage changes."""
        return await self.ask(
            "$draft: ID!, $changes: [TroupeChange!]!",
            "editTroupeDraft(draft: $draft, changes: $changes)",
            f"event {{ ... on DraftEdited {{ changes {{ {CHANGES} }} }} }}",
            draft=draft,
            changes=list(changes),
        )

    async def turn(self, draft: str, call: str) -> Any:
        """Undo, redo, revert, reset, rebase: `call` is the mutation but for the draft."""
        name, _, arguments = call.partition("(")
        call = f"{name}(draft: $draft, {arguments}" if arguments else f"{name}(draft: $draft)"
        query = f"mutation($draft: ID!) {{ it: {call} {{ {ERRORS} }} }}"
        payload = (await self.client.data(query, draft=draft))["it"]
        assert payload["errors"] == []
        return await self.read(draft)

    async def read(self, draft: str) -> Any:
        """Return the draft as it is now."""
        fields = DRAFT.partition("{")[2].rpartition("}")[0]
        query = f"query($id: ID!) {{ draft(id: $id) {{ ... on TroupeDraft {{ {fields} }} }} }}"
        return (await self.client.data(query, id=draft))["draft"]

    async def commit(self, draft: str, more: str = "") -> Any:
        """Commit."""
        return await self.ask("$draft: ID!", f"commitTroupeDraft(draft: $draft{more})", draft=draft)


@pytest.fixture
async def desk(transactional_db: None) -> AsyncIterator[Desk]:  # noqa: ARG001
    """A desk of a schema that mirrors the untouched models."""
    schema = schema_of(Troupe)
    yield Desk(schema)
    await schema.engine.aclose()


@pytest.fixture
async def people(desk: Desk) -> dict[str, str]:  # noqa: ARG001 - it has the database
    """Return the primary keys of some people, by name."""
    names = ("Ann", "Bob", "Cid", "Dan")
    return {name: str((await Person.objects.acreate(name=name)).pk) for name in names}


@pytest.fixture
async def troupe(people: dict[str, str]) -> Troupe:
    """Return a saved troupe with one actor."""
    troupe = await Troupe.objects.acreate(name="Players")
    await Contract.objects.acreate(troupe=troupe, person_id=people["Ann"], role="lead", fee=7)
    return troupe


def named(*names: str) -> list[dict[str, str]]:
    """Return people as they are served."""
    return [{"name": name} for name in names]


async def contracts(pk: int) -> dict[str, tuple[str, Decimal]]:
    """Return role and fee of each saved contract, by the actor's name."""
    rows = Contract.objects.filter(troupe=pk).values_list("person__name", "role", "fee")
    return {name: (role, fee) async for name, role, fee in rows}


def add_with(*pks: str, **given: object) -> dict[str, Any]:
    """Return the change that adds actors with a role, or with something else."""
    return {"actors": {"addWith": {"pks": list(pks), "throughDefaults": {**given}}}}


def member(pk: str, **given: object) -> dict[str, Any]:
    """Return a member with what is given of its row, as an event has it."""
    return {"pk": pk, "throughDefaults": given}


async def test_members_are_added_with_what_their_rows_hold(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """Typed as the row's model is, told in the event, saved by the commit."""
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    given = {
        "role": "EXTRA",
        "fee": "12.50",
        "stageName": "B",
        "standsInFor": people["Ann"],
        "until": "2030-01-02",
    }
    payload = await desk.edit(draft, add_with(people["Bob"], people["Cid"], **given))
    assert payload["errors"] == []
    assert payload["draft"]["cluster"]["actors"] == named("Ann", "Bob", "Cid")
    assert payload["draft"]["errors"] == []
    added = [member(people[name], **given) for name in ("Bob", "Cid")]
    change = {
        "kind": "RELATED",
        "key": "root",
        "fields": [{"name": "actors", "before": [], "after": added}],
    }
    assert payload["event"]["changes"] == [change]
    assert payload["draft"]["changes"] == [change]
    assert (await desk.commit(draft))["errors"] == []
    assert await contracts(troupe.pk) == {
        "Ann": ("lead", Decimal(7)),
        "Bob": ("extra", Decimal("12.5")),
        "Cid": ("extra", Decimal("12.5")),
    }
    row = await Contract.objects.aget(person_id=people["Bob"])
    assert (row.stage_name, row.stands_in_for_id) == ("B", int(people["Ann"]))
    assert row.until == dt.date(2030, 1, 2)
    assert row.signed_at is not None


async def test_what_is_left_out_is_the_models_default(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """As Django has it; a set whose rows need nothing takes members with and without."""
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    payload = await desk.edit(
        draft,
        add_with(people["Bob"], role="LEAD"),
        {"patrons": {"add": [people["Ann"]]}},
        {"patrons": {"addWith": {"pks": [people["Bob"]], "throughDefaults": {"amount": 5}}}},
        {"patrons": {"addWith": {"pks": [people["Cid"]], "throughDefaults": {}}}},
    )
    assert payload["errors"] == []
    assert (await desk.commit(draft))["errors"] == []
    assert (await contracts(troupe.pk))["Bob"] == ("lead", Decimal(100))
    gifts = Gift.objects.order_by("person__name").values_list("person__name", "amount")
    assert [each async for each in gifts] == [("Ann", 1), ("Bob", 5), ("Cid", 1)]


async def test_what_is_there_stays_as_it_is(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """Django's rule: `add` and `set` give defaults to those alone that are new."""
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    again = add_with(people["Ann"], people["Bob"], role="EXTRA", fee="1")
    await desk.edit(draft, again, add_with(people["Bob"], role="LEAD"))
    members = {"pks": [people["Ann"], people["Cid"]], "throughDefaults": {"role": "EXTRA"}}
    payload = await desk.edit(draft, {"actors": {"replaceWith": members}})
    [field] = payload["event"]["changes"][0]["fields"]
    assert field["before"] == [member(people["Bob"], role="EXTRA", fee="1.00")]
    assert field["after"] == [member(people["Cid"], role="EXTRA")]
    assert (await desk.commit(draft))["errors"] == []
    assert await contracts(troupe.pk) == {
        "Ann": ("lead", Decimal(7)),
        "Cid": ("extra", Decimal(100)),
    }


async def test_removing_a_new_member_forgets_what_was_given(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """Added again, it has what is given then."""
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    gift = {"patrons": {"addWith": {"pks": [people["Bob"]], "throughDefaults": {"amount": 5}}}}
    await desk.edit(draft, gift, {"patrons": {"remove": [people["Bob"]]}})
    payload = await desk.edit(draft, {"patrons": {"add": [people["Bob"]]}})
    assert payload["draft"]["changes"][0]["fields"][0]["after"] == [people["Bob"]]
    assert (await desk.commit(draft))["errors"] == []
    assert (await Gift.objects.aget()).amount == 1


async def test_a_saved_member_that_goes_and_comes_has_another_row(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """As the same calls of Django's manager leave it; with nothing given it stays as it was."""
    before = await Contract.objects.aget()
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    gone = {"actors": {"remove": [people["Ann"]]}}
    payload = await desk.edit(draft, gone, add_with(people["Ann"], role="EXTRA"))
    assert payload["draft"]["errors"] == []
    [field] = payload["draft"]["changes"][0]["fields"]
    assert (field["before"], field["after"]) == (
        [people["Ann"]],
        [member(people["Ann"], role="EXTRA")],
    )
    assert (await desk.commit(draft))["errors"] == []
    assert await contracts(troupe.pk) == {"Ann": ("extra", Decimal(100))}
    assert (await Contract.objects.aget()).pk != before.pk
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    payload = await desk.edit(draft, gone, add_with(people["Ann"]))
    assert payload["draft"]["changes"] == []


async def test_a_models_own_code_sees_who_gets_another_row(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """While it is saved, too: the member is there before and after."""
    await Gift.objects.acreate(troupe=troupe, person_id=people["Ann"])
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    gift = {"pks": [people["Ann"]], "throughDefaults": {"amount": 5}}
    await desk.edit(draft, {"patrons": {"clear": True}}, {"patrons": {"addWith": gift}})
    seen: list[str] = []

    def look(instance: Any, **_: object) -> None:
        seen.extend(each.name for each in instance.patrons.all())

    pre_save.connect(look, sender=Troupe)
    try:
        assert (await desk.commit(draft))["errors"] == []
    finally:
        pre_save.disconnect(look, sender=Troupe)
    assert seen == ["Ann"]
    assert (await Gift.objects.aget()).amount == 5


async def test_a_new_cluster_has_members_with_rows_from_the_start(
    desk: Desk, people: dict[str, str]
) -> None:
    """Inline, at every depth, beside those without."""
    data = {
        "name": "New",
        "patrons": [people["Ann"]],
        "patronsWith": [
            {"pks": [people["Ann"], people["Bob"]], "throughDefaults": {"amount": 3}},
            {"pks": [people["Bob"], people["Cid"]], "throughDefaults": {"amount": 4}},
        ],
        "actorsWith": [{"pks": [people["Dan"]], "throughDefaults": {"role": "LEAD"}}],
        "plays": [
            {
                "title": "Or",
                "castWith": [{"pks": [people["Cid"]], "throughDefaults": {"plays": "Ophelia"}}],
            }
        ],
    }
    payload = await desk.open(data=data)
    assert payload["errors"] == payload["draft"]["errors"] == []
    assert payload["draft"]["cluster"]["patrons"] == named("Ann", "Bob", "Cid")
    assert (await desk.commit(payload["draft"]["id"]))["errors"] == []
    gifts = Gift.objects.order_by("person__name").values_list("person__name", "amount")
    assert [each async for each in gifts] == [("Ann", 1), ("Bob", 3), ("Cid", 4)]
    assert await contracts((await Troupe.objects.aget()).pk) == {"Dan": ("lead", Decimal(100))}
    assert (await Part.objects.aget()).plays == "Ophelia"


async def test_a_child_that_is_added_brings_its_members_rows(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """And a kept one that is replaced gives them to those alone that are new."""
    play = await Play.objects.acreate(troupe=troupe, title="Old")
    await Part.objects.acreate(play=play, person_id=people["Ann"], plays="Ada")
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    cast = [{"pks": [people["Ann"], people["Bob"]], "throughDefaults": {"plays": "Both"}}]
    plays = [{"key": f"Play:{play.pk}", "castWith": cast}, {"title": "New", "castWith": cast}]
    payload = await desk.edit(draft, {"plays": {"replace": plays}})
    assert payload["errors"] == payload["draft"]["errors"] == []
    assert (await desk.commit(draft))["errors"] == []
    parts = Part.objects.order_by("play", "person__name").values_list("play__title", "plays")
    assert [each async for each in parts] == [
        ("Old", "Ada"),
        ("Old", "Both"),
        ("New", "Both"),
        ("New", "Both"),
    ]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"until": "yesterday"}, None),
        ({"fee": "much"}, None),
        ({"role": "KING"}, None),
        ({"color": "red"}, None),
        ({"role": "LEAD", "stageName": "a\0b"}, "stageName"),
        ({"role": "LEAD", "stageName": None}, "stageName"),
        ({"role": "LEAD", "fee": None}, "fee"),
        ({"role": "LEAD", "standsInFor": "x"}, "standsInFor"),
        ({"role": "LEAD", "standsInFor": "999999"}, "standsInFor"),
    ],
)
async def test_what_no_row_could_hold_is_refused_at_once(
    desk: Desk,
    troupe: Troupe,
    people: dict[str, str],
    given: dict[str, object],
    field: str | None,
) -> None:
    """By GraphQL where its type says so, else with its place; nothing is staged."""
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    takes = "mutation($draft: ID!, $changes: [TroupeChange!]!)"
    call = f"editTroupeDraft(draft: $draft, changes: $changes) {{ {ERRORS} }}"
    changes = [{"set": {"name": "Other"}}, add_with(people["Bob"], **given)]
    sent = f"{takes} {{ it: {call} }}"
    result = await desk.client.send(sent, draft=draft, changes=changes)
    if field is None:
        assert [error.extensions["code"] for error in result.errors or ()] == ["BAD_USER_INPUT"]
    else:
        [error] = result.data["it"]["errors"]
        assert (error["code"], error["change"]) == ("INVALID_CHANGE", 1)
        assert (error["key"], error["field"]) == ("root", "actors")
        assert error["path"] == ["actors", people["Bob"], field]
    assert (await desk.read(draft))["version"] == 0


@pytest.mark.parametrize(
    ("given", "path", "reason"),
    [
        ({}, ["role"], "blank"),
        ({"role": None}, ["role"], "null"),
        ({"role": "LEAD", "stageName": "x" * 21}, ["stageName"], "max_length"),
        ({"role": "LEAD", "fee": "99999.99"}, ["fee"], "max_digits"),
        ({"role": "LEAD", "fee": "-1"}, [], None),
        ({"role": "LEAD", "standsInFor": "Bob"}, ["standsInFor"], None),
    ],
)
async def test_what_a_rows_model_refuses_is_told_and_refused(  # noqa: PLR0913, PLR0917 - a case
    desk: Desk,
    troupe: Troupe,
    people: dict[str, str],
    given: dict[str, Any],
    path: list[str],
    reason: str | None,
) -> None:
    """By the draft's `errors` and by its commit, at the member; fields, `clean()`, constraints."""
    if given.get("standsInFor") == "Bob":
        given = {**given, "standsInFor": people["Bob"]}
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    payload = await desk.edit(draft, add_with(people["Bob"], **given))
    assert payload["errors"] == []
    for errors in (payload["draft"]["errors"], (await desk.commit(draft))["errors"]):
        [error] = errors
        assert error["code"] == "VALIDATION_FAILED"
        assert (error["key"], error["field"]) == ("root", "actors")
        assert error["path"] == ["actors", people["Bob"], *path]
        assert error["reason"] == reason
    assert list(await contracts(troupe.pk)) == ["Ann"]
    fixed = {"actors": {"replaceWith": {"pks": [people["Ann"]], "throughDefaults": {}}}}
    payload = await desk.edit(draft, fixed, add_with(people["Bob"], role="LEAD"))
    assert payload["draft"]["errors"] == []


@pytest.mark.parametrize("is_member", [False, True])
@pytest.mark.parametrize("is_saved", [False, True])
async def test_a_member_that_needs_what_the_draft_removes_is_told_and_refused(
    desk: Desk, troupe: Troupe, people: dict[str, str], *, is_member: bool, is_saved: bool
) -> None:
    """Where its row refers to it, or it is that itself; what was saved before goes with it."""
    play = str((await Play.objects.acreate(troupe=troupe, title="Dream")).pk)
    if is_saved:
        await Gift.objects.acreate(troupe=troupe, person_id=people["Ann"], play_id=play)
        await sync_to_async(troupe.favourites.add)(int(play))
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    gift = {"pks": [people["Ann"]], "throughDefaults": {"play": play}}
    change: Any = {"favourites": {"add": [play]}} if is_member else {"patrons": {"addWith": gift}}
    await desk.edit(draft, change, {"plays": {"remove": [f"Play:{play}"]}})
    if is_saved:
        assert (await desk.commit(draft))["errors"] == []
        assert await Play.objects.aexists() is await Gift.objects.aexists() is False
        return
    field = "favourites" if is_member else "patrons"
    path = [field, play] if is_member else [field, people["Ann"], "play"]
    for errors in ((await desk.read(draft))["errors"], (await desk.commit(draft))["errors"]):
        [error] = errors
        assert (error["code"], error["reason"]) == ("VALIDATION_FAILED", "invalid")
        assert (error["key"], error["field"], error["path"]) == ("root", field, path)
    assert await Play.objects.aexists()
    payload = await desk.edit(draft, {field: {"clear": True}})
    assert payload["draft"]["errors"] == []
    assert (await desk.commit(draft))["errors"] == []
    assert not await Play.objects.aexists()


async def test_what_is_unique_among_rows_is_refused_by_the_commit(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """By the database, with the whole of it; a row that goes is not in the way."""
    await Contract.objects.aupdate(stage_name="Puck")
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    puck = add_with(people["Bob"], role="LEAD", stageName="Puck")
    await desk.edit(draft, {"set": {"name": "Other"}}, puck)
    [error] = (await desk.commit(draft))["errors"]
    assert (error["code"], error["key"]) == ("VALIDATION_FAILED", "root")
    assert (error["field"], error["path"]) == ("actors", ["actors"])
    assert list(await contracts(troupe.pk)) == ["Ann"]
    assert (await Troupe.objects.aget()).name == "Players"
    payload = await desk.edit(draft, {"actors": {"remove": [people["Ann"]]}})
    assert payload["draft"]["errors"] == []
    assert (await desk.commit(draft))["errors"] == []
    assert list(await contracts(troupe.pk)) == ["Bob"]


async def test_what_is_given_survives_undo_redo_revert_and_reset(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """Each brings back the row that belongs to it; another worker has the same."""
    other = gql_cluster.Schema(clusters=[Troupe])
    try:
        draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
        there = Desk(other)
        await there.read(draft)
        bob = people["Bob"]

        async def held() -> Any:
            seen, theirs = await desk.read(draft), await there.read(draft)
            assert seen == theirs
            fields = [each["fields"][0] for each in seen["changes"]]
            return [(each["before"], each["after"]) for each in fields]

        await desk.edit(draft, add_with(bob, role="LEAD", fee="3"))
        first: Any = [([], [member(bob, role="LEAD", fee="3.00")])]
        assert await held() == first
        await desk.edit(draft, {"actors": {"remove": [bob]}}, add_with(bob, role="EXTRA"))
        second: Any = [([], [member(bob, role="EXTRA")])]
        assert await held() == second
        await desk.edit(draft, {"actors": {"clear": True}})
        assert await held() == [([people["Ann"]], [])]
        await desk.turn(draft, "undoDraft")
        assert await held() == second
        await there.turn(draft, "undoDraft")
        assert await held() == first
        await desk.turn(draft, "undoDraft")
        assert await held() == []
        await desk.turn(draft, "redoDraft")
        assert await held() == first
        await there.turn(draft, "redoDraft")
        assert await held() == second
        await desk.turn(draft, "revertDraft(version: 1)")
        assert await held() == first
        await desk.turn(draft, 'resetNodes(keys: ["root"], fields: ["actors"])')
        assert await held() == []
        await desk.turn(draft, "undoDraft")
        assert await held() == first
        await desk.turn(draft, 'resetNodes(keys: ["root"])')
        assert await held() == []
        await desk.turn(draft, "undoDraft")
        assert (await desk.commit(draft))["errors"] == []
        assert (await contracts(troupe.pk))["Bob"] == ("lead", Decimal(3))
    finally:
        await other.engine.aclose()


async def test_a_child_that_comes_back_has_its_members_rows(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """Removed with all that was given, and undone."""
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    cast = [{"pks": [people["Bob"]], "throughDefaults": {"plays": "Bottom"}}]
    play = {"key": "p", "title": "Dream", "castWith": cast}
    await desk.edit(draft, {"plays": {"add": [play]}})
    await desk.edit(draft, {"plays": {"remove": ["p"]}})
    await desk.turn(draft, "undoDraft")
    assert (await desk.commit(draft))["errors"] == []
    assert (await Part.objects.aget()).plays == "Bottom"


async def test_what_is_given_survives_a_rebase(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """Who was added by others meanwhile keeps their row."""
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    await desk.edit(draft, add_with(people["Bob"], people["Cid"], role="EXTRA", fee="1"))
    await Contract.objects.acreate(troupe=troupe, person_id=people["Bob"], role="lead", fee=9)
    await Contract.objects.acreate(troupe=troupe, person_id=people["Dan"], role="lead", fee=9)
    seen = await desk.turn(draft, "rebaseDraft")
    assert seen["cluster"]["actors"] == named("Ann", "Bob", "Cid", "Dan")
    [change] = seen["changes"]
    assert change["fields"][0]["after"] == [member(people["Cid"], role="EXTRA", fee="1.00")]
    assert (await desk.commit(draft))["errors"] == []
    assert await contracts(troupe.pk) == {
        "Ann": ("lead", Decimal(7)),
        "Bob": ("lead", Decimal(9)),
        "Cid": ("extra", Decimal(1)),
        "Dan": ("lead", Decimal(9)),
    }


@pytest.mark.parametrize("renamed", [False, True])
async def test_what_is_given_survives_a_merge_at_commit(
    desk: Desk, troupe: Troupe, people: dict[str, str], *, renamed: bool
) -> None:
    """With a conflict elsewhere that is decided, and without one."""
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    mine = add_with(people["Bob"], people["Cid"], role="EXTRA")
    again = add_with(people["Ann"], role="EXTRA")
    gone = {"actors": {"remove": [people["Ann"]]}}
    await desk.edit(draft, mine, gone, again, {"set": {"name": "Mine"}})
    if renamed:
        await Troupe.objects.filter(pk=troupe.pk).aupdate(name="Theirs")
    await Contract.objects.all().adelete()
    await Contract.objects.acreate(troupe=troupe, person_id=people["Bob"], role="lead")
    payload = await desk.commit(draft, ", onConflict: MINE")
    assert payload["errors"] == []
    assert {name: role for name, (role, _) in (await contracts(troupe.pk)).items()} == {
        "Ann": "extra",
        "Bob": "lead",
        "Cid": "extra",
    }
    assert (await Troupe.objects.aget()).name == "Mine"


async def test_a_commit_that_keeps_the_draft_open_saves_rows_once(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """Behind it the draft equals what is saved, and undoing takes the member out again."""
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    await desk.edit(draft, add_with(people["Bob"], role="EXTRA"))
    payload = await desk.commit(draft, ", keepOpen: true")
    assert payload["errors"] == []
    assert payload["draft"]["changes"] == []
    before = await Contract.objects.aget(person_id=people["Bob"])
    await desk.edit(draft, {"set": {"name": "Other"}})
    await desk.commit(draft, ", keepOpen: true")
    assert await Contract.objects.aget(person_id=people["Bob"]) == before
    await desk.turn(draft, "undoDraft")
    seen = await desk.turn(draft, "undoDraft")
    assert seen["cluster"]["actors"] == named("Ann")
    assert (await desk.commit(draft))["errors"] == []
    assert list(await contracts(troupe.pk)) == ["Ann"]


async def test_history_tells_what_was_given(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """As it was told then."""
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    await desk.edit(draft, add_with(people["Bob"], role="EXTRA"))
    await desk.edit(draft, {"actors": {"remove": [people["Bob"]]}})
    query = (
        "query($id: ID!) { draft(id: $id) { history { version ... on DraftEdited"
        " { changes { fields { before after } node { ... on Troupe { actors { name } } } } } } } }"
    )
    history = (await desk.client.data(query, id=draft))["draft"]["history"]
    bob = [member(people["Bob"], role="EXTRA")]
    assert [each["changes"][0]["fields"] for each in history] == [
        [{"before": [], "after": bob}],
        [{"before": bob, "after": []}],
    ]
    assert [each["changes"][0]["node"]["actors"] for each in history] == [
        named("Ann", "Bob"),
        named("Ann"),
    ]


async def test_a_copy_has_the_rows_of_its_original(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """Of a draft and of what is saved: else no copy of a set whose rows need something is valid."""
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    await desk.edit(draft, add_with(people["Bob"], role="EXTRA", fee="2"))
    saved = await desk.client.data("query($pk: ID!) { troupe(pk: $pk) { id } }", pk=str(troupe.pk))
    for source, expected in (
        (draft, {"Ann": ("lead", Decimal(7)), "Bob": ("extra", Decimal(2))}),
        (saved["troupe"]["id"], {"Ann": ("lead", Decimal(7))}),
    ):
        payload = await desk.open(copyOf=source)
        assert payload["errors"] == payload["draft"]["errors"] == []
        assert (await desk.commit(payload["draft"]["id"]))["errors"] == []
        assert await contracts((await Troupe.objects.alatest("pk")).pk) == expected


async def test_json_has_the_members_alone(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """As modelcluster writes them: what was given is not in it, and has to be given again."""
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    await desk.edit(draft, add_with(people["Bob"], role="EXTRA"))
    query = "query($id: ID!) { draft(id: $id) { json } }"
    exported = (await desk.client.data(query, id=draft))["draft"]["json"]
    assert exported["actors"] == [int(people["Ann"]), int(people["Bob"])]
    theirs = json.loads(await sync_to_async(troupe.to_json)())
    assert exported["patrons"] == theirs["patrons"]
    other = Desk(desk.schema, "bob")
    opening = "openTroupeDraft(json: $json)"
    payload = await other.ask("$json: JSON", opening, json=exported)
    assert payload["errors"] == []
    [error] = payload["draft"]["errors"]
    assert error["path"] == ["actors", people["Bob"], "role"]


async def test_django_is_asked_to_add_those_that_are_alike_together(
    desk: Desk, troupe: Troupe, people: dict[str, str]
) -> None:
    """So `m2m_changed` is sent once for them, and not for those that are there."""
    draft = (await desk.open(pk=str(troupe.pk)))["draft"]["id"]
    await desk.edit(
        draft,
        add_with(people["Bob"], role="EXTRA"),
        add_with(people["Ann"], people["Dan"], role="EXTRA"),
        add_with(people["Cid"], role="LEAD"),
    )
    sent: list[tuple[str, set[int]]] = []

    def receive(action: str, pk_set: set[int], **_: object) -> None:
        sent.append((action, pk_set))

    m2m_changed.connect(receive, sender=Contract)
    try:
        assert (await desk.commit(draft))["errors"] == []
    finally:
        m2m_changed.disconnect(receive, sender=Contract)
    bob, cid, dan = (int(people[name]) for name in ("Bob", "Cid", "Dan"))
    assert sent == [
        ("pre_add", {bob, dan}),
        ("post_add", {bob, dan}),
        ("pre_add", {cid}),
        ("post_add", {cid}),
    ]


async def test_inputs_are_made_of_the_rows_model(desk: Desk) -> None:
    """With what a client may write; without the plain `add` where a row needs something."""
    types = (
        await desk.client.data(
            "{ __schema { types { name inputFields { name description type"
            " { kind name ofType { name } } } } } }"
        )
    )["__schema"]["types"]
    inputs = {
        each["name"]: {field["name"]: field for field in each["inputFields"] or ()}
        for each in types
    }
    assert list(inputs["TroupeActorsChange"]) == ["addWith", "remove", "replaceWith", "clear"]
    assert list(inputs["TroupePatronsChange"]) == [
        "add",
        "addWith",
        "remove",
        "replace",
        "replaceWith",
        "clear",
    ]
    assert list(inputs["HelpersChange"]) == ["add", "remove", "replace", "clear"]
    fields = {name: each["type"]["name"] for name, each in inputs["TroupeActorsFields"].items()}
    assert fields == {
        "role": "ContractRole",
        "fee": "Decimal",
        "stageName": "String",
        "standsInFor": "ID",
        "until": "Date",
    }
    assert {"patrons", "patronsWith", "actorsWith"} <= set(inputs["TroupeInput"])
    assert "actors" not in inputs["TroupeInput"]
    assert (
        inputs["TroupeInput"]["patronsWith"]["description"] == "Who pays, and what their rows hold."
    )
