"""What forms check and no model does by itself: sets that hold something, values unique for a date.

Each case is shown to a real form of modelcluster's, too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from modelcluster.forms import ClusterForm, clusterform_factory

from tests.api.samples_kit import Desk, schema_of
from tests.api.schema_kit import Client
from tests.troupe.models import Evening, Person, Season, Shift

FIELDS = "name evenings { key title }"
SETS = ("stars", "hosts", "staff", "tags")


@pytest.fixture
async def desk(transactional_db: None) -> AsyncIterator[Desk]:  # noqa: ARG001
    """A desk of a schema that mirrors the untouched models."""
    schema = schema_of(Season)
    yield Desk(client=Client(schema=schema), cluster="Season", fields=FIELDS)
    await schema.engine.aclose()


async def told(desk: Desk, draft: str) -> list[tuple[str, str, str, str]]:
    """Return key, field, reason and message of what the draft and its commit refuse, alike."""
    errors = "errors { code key field reason message }"
    query = f"query($id: ID!) {{ draft(id: $id) {{ {errors} }} }}"
    dry = (await desk.client.data(query, id=draft))["draft"]["errors"]
    commit = f"mutation($id: ID!) {{ it: commitSeasonDraft(draft: $id) {{ {errors} }} }}"
    wet = (await desk.client.data(commit, id=draft))["it"]["errors"]
    assert dry == wet
    assert {each["code"] for each in dry} <= {"VALIDATION_FAILED"}
    return [(each["key"], each["field"], each["reason"], each["message"]) for each in dry]


def form_errors(season: Season | None, data: dict[str, Any]) -> dict[str, list[str]]:
    """Return what a real form says of the root."""
    fields = ["name", "slug", "opening", *SETS]
    form_class = clusterform_factory(Season, form=ClusterForm, fields=fields, formsets=[])
    form = form_class(data, instance=season)
    return {name: list(errors) for name, errors in form.errors.items()}


async def full(desk: Desk, **more: object) -> tuple[str, str]:
    """Open a new season that is valid; returns the draft and the key of its person."""
    person = str((await Person.objects.acreate(name="Ann")).pk)
    sets = {name: [person] for name in SETS} | {"tags": ["new"]}
    data = {"name": "One", **sets, **more}
    return (await desk.open(data=data))["id"], person


async def test_a_set_that_is_not_blank_has_to_hold_something(desk: Desk) -> None:
    """Tags and every kind of many-to-many, as in a form; not one that nobody can edit."""
    draft = (await desk.open(data={"name": "One"}))["id"]
    text = "This field is required."
    assert sorted(await told(desk, draft)) == sorted(
        ("root", name, "required", text) for name in SETS
    )
    assert await sync_to_async(form_errors)(None, {"name": "One"}) == {
        name: [text] for name in SETS
    }
    draft, _ = await full(desk)
    assert await told(desk, draft) == []
    assert await Season.objects.acount() == 1


async def test_a_set_that_is_emptied_is_refused(desk: Desk) -> None:
    """What others have added since counts; what is not touched may be invalid otherwise."""
    draft, person = await full(desk)
    await desk.commit(draft)
    season = await Season.objects.aget()
    draft = (await desk.open(pk=str(season.pk)))["id"]
    await desk.edit(draft, *({name: {"clear": True}} for name in SETS))
    assert sorted((field, reason) for _, field, reason, _ in await told(desk, draft)) == sorted(
        (name, "required") for name in SETS
    )
    other = await Person.objects.acreate(name="Bob")
    await season.stars.aadd(other)
    await Shift.objects.acreate(season=season, person=other)
    await desk.edit(draft, {"hosts": {"add": [person]}}, {"tags": {"add": ["newer"]}})
    assert await told(desk, draft) == []
    assert [each.name async for each in season.stars.all()] == ["Bob"]
    await season.stars.aclear()
    draft = (await desk.open(pk=str(season.pk), resume=False))["id"]
    child = {"evenings": {"add": [{"title": "First"}]}}
    await desk.edit(draft, child)
    assert await told(desk, draft) == []


EVENING = {"title": "Gala", "starts": "2030-05-01T18:00:00+00:00"}


@pytest.mark.parametrize(
    ("one", "other", "field", "message"),
    [
        (
            EVENING,
            {"title": "Gala", "starts": "2030-05-01T20:00:00+00:00"},
            "title",
            "Title must be unique for Starts date.",
        ),
        (EVENING, {"title": "Gala", "starts": "2030-05-02T18:00:00+00:00"}, None, ""),
        (EVENING, {"title": "gala", "starts": "2030-05-01T18:00:00+00:00"}, None, ""),
        (EVENING, {"title": "Gala"}, None, ""),
        (
            {"title": "a", "guest": "Ann", "prize": 1, "on": "2030-05-01"},
            {"title": "b", "guest": "Ann", "prize": 1, "on": "2031-05-31"},
            "guest",
            "Guest must be unique for On month.",
        ),
        (
            {"title": "a", "guest": "Ann", "prize": 1, "on": "2030-05-01"},
            {"title": "b", "guest": "Ann", "prize": 2, "on": "2030-06-01"},
            None,
            "",
        ),
        (
            {"title": "a", "guest": "Ann", "prize": 5, "on": "2030-05-01"},
            {"title": "b", "guest": "Ann", "prize": 5, "on": "2030-12-31"},
            "prize",
            "Prize must be unique for On year.",
        ),
        (
            {"title": "a", "guest": "Ann", "prize": 5, "on": "2030-05-01"},
            {"title": "b", "guest": "Bob", "prize": 5, "on": "2031-05-01"},
            None,
            "",
        ),
        (
            {"title": "a", "prize": 1, "on": "2030-05-01"},
            {"title": "b", "prize": 2, "on": "2030-05-01"},
            "guest",
            "Guest must be unique for On month.",
        ),
    ],
)
@pytest.mark.parametrize("where", ["in the draft", "in the database", "in another season"])
async def test_what_is_unique_for_a_date_is_so(  # noqa: PLR0913, PLR0917 - a case
    desk: Desk,
    one: dict[str, Any],
    other: dict[str, Any],
    field: str | None,
    message: str,
    where: str,
) -> None:
    """Among the draft's nodes and against the database, at the field that it is said of.

    Nulls are alike in that, as Django has it.
    """
    guests = {name: str((await Person.objects.acreate(name=name)).pk) for name in ("Ann", "Bob")}
    rows = [
        {name: guests[value] if name == "guest" else value for name, value in each.items()}
        for each in (one, other)
    ]
    draft, _ = await full(desk)
    if where != "in the draft":
        await desk.edit(draft, {"evenings": {"add": rows[:1]}})
        await desk.commit(draft)
        season = await Season.objects.aget()
        draft = (
            (await desk.open(pk=str(season.pk)))["id"]
            if where == "in the database"
            else (await full(desk))[0]
        )
        await desk.edit(draft, {"evenings": {"add": [{**rows[1], "key": "other"}]}})
    else:
        keyed = {**rows[1], "key": "other"}
        await desk.edit(draft, {"evenings": {"add": [rows[0], keyed]}})
    said = await told(desk, draft)
    reason = "unique_for_date"
    assert said == ([("other", field, reason, message)] if field else [])
    refused = 0 if where == "in the draft" else 1
    assert await Evening.objects.acount() == (refused if field else 2)


async def test_what_goes_or_changes_in_the_same_commit_is_not_in_the_way(desk: Desk) -> None:
    """Whatever the order: it is checked as it will be saved."""
    draft, _ = await full(desk)
    later = {"title": "Ball", "starts": EVENING["starts"]}
    await desk.edit(draft, {"evenings": {"add": [EVENING, later]}})
    await desk.commit(draft)
    season = await Season.objects.aget()
    opened = await desk.open(pk=str(season.pk))
    gala, ball = (each["key"] for each in opened["cluster"]["evenings"])
    await desk.edit(
        opened["id"],
        {"evenings": {"update": {"key": gala, "set": {"title": "Ball"}}}},
        {"evenings": {"update": {"key": ball, "set": {"title": "Gala"}}}},
    )
    assert await told(desk, opened["id"]) == []
    opened = await desk.open(pk=str(season.pk))
    gala = opened["cluster"]["evenings"][1]["key"]
    await desk.edit(
        opened["id"], {"evenings": {"remove": [gala]}}, {"evenings": {"add": [EVENING]}}
    )
    assert await told(desk, opened["id"]) == []
    assert sorted([each.title async for each in Evening.objects.all()]) == ["Ball", "Gala"]


async def test_a_root_is_unique_for_a_year_as_in_a_form(desk: Desk) -> None:
    """With the very message; rows that were there before may be what they are."""
    for year in (2029, 2030):
        await Season.objects.acreate(name="Old", slug="x", opening=dt.date(year, 1, 1))
    draft, person = await full(desk, slug="x", opening="2030-12-31")
    message = "Slug must be unique for Opening year."
    assert await told(desk, draft) == [("root", "slug", "unique_for_date", message)]
    data = {name: [person] for name in ("stars", "hosts", "staff")}
    given = {**data, "name": "One", "tags": "new", "slug": "x", "opening": "2030-12-31"}
    assert await sync_to_async(form_errors)(None, given) == {"slug": [message]}
    await desk.edit(draft, {"set": {"opening": "2031-12-31"}})
    assert await told(desk, draft) == []
