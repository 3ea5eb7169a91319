"""Sets of every kind, over GraphQL: tags by name, many-to-many fields of any node by key."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import strawberry_django
from asgiref.sync import async_to_sync, sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from strawberry import auto

import gql_cluster
from gql_cluster.orm.describe import describe
from tests.api.samples_kit import schema_of
from tests.api.schema_kit import ERRORS, Client
from tests.festival.models import Day, Festival, Invitation, Person, Sponsor, Talk, Topic

SETS = (
    "name tags sponsors { name } partners { name } sisters { name } guests { name }"
    " days { tags talks { title speakers { name } } }"
)


@gql_cluster.type(Person, name="Session")
class Guest:
    """A type with a name that every schema has already."""

    name: auto


@gql_cluster.type(Festival)
class Gathering:
    """A festival and its guests."""

    guests: list[Guest]


@pytest.fixture
async def client(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client of a schema that mirrors the untouched models."""
    schema = schema_of(Festival)
    yield Client(schema=schema)
    await schema.engine.aclose()


def make_festival() -> Festival:
    """Save a festival with something in each set."""
    festival: Any = Festival(name="Spring")
    festival.tags.add("rock", "folk")
    festival.sponsors = [Sponsor.objects.create(name="Brewer")]
    day: Any = Day(date="2026-05-01")
    day.tags.add("open air")
    day.talks = [Talk(title="One")]
    festival.days = [day]
    festival.save()
    festival.partners.add(Sponsor.objects.create(name="Press"))
    festival.sisters.add(Festival.objects.create(name="Autumn"))
    festival.guests.add(Person.objects.create(name="Ann"))
    Talk.objects.latest("pk").speakers.add(Person.objects.create(name="Bob"))
    return Festival.objects.get(pk=festival.pk)


@pytest.fixture
async def festival(client: Client) -> Festival:  # noqa: ARG001 - it has the database
    """Return a saved festival."""
    return await sync_to_async(make_festival)()


async def opened(client: Client, **arguments: Any) -> Any:
    """Open a draft, and return it."""
    data = await client.data(
        "mutation($pk: ID, $data: FestivalInput) { it: openFestivalDraft(pk: $pk, data: $data)"
        f" {{ draft {{ id cluster {{ {SETS} }} }} {ERRORS} }} }}",
        **arguments,
    )
    assert data["it"]["errors"] == []
    return data["it"]["draft"]


async def edited(client: Client, draft: str, *changes: object) -> Any:
    """Stage changes, and return the payload."""
    data = await client.data(
        "mutation($draft: ID!, $changes: [FestivalChange!]!)"
        " { it: editFestivalDraft(draft: $draft, changes: $changes)"
        f" {{ draft {{ cluster {{ {SETS} }} errors {{ message }} }} {ERRORS}"
        " event { ... on DraftEdited { changes { kind key fields { name before after } } } } } }",
        draft=draft,
        changes=list(changes),
    )
    return data["it"]


async def committed(client: Client, draft: str) -> Any:
    """Commit, and return the saved festival."""
    data = await client.data(
        "mutation($draft: ID!) { it: commitFestivalDraft(draft: $draft)"
        f" {{ cluster {{ {SETS} }} {ERRORS} }} }}",
        draft=draft,
    )
    assert data["it"]["errors"] == []
    return data["it"]["cluster"]


def named(*names: str) -> list[dict[str, str]]:
    """Return objects with names as they are served."""
    return [{"name": name} for name in names]


SAVED = {
    "name": "Spring",
    "tags": ["rock", "folk"],
    "sponsors": named("Brewer"),
    "partners": named("Press"),
    "sisters": named("Autumn"),
    "guests": named("Ann"),
    "days": [{"tags": ["open air"], "talks": [{"title": "One", "speakers": named("Bob")}]}],
}


async def test_a_draft_shows_each_set_as_it_is_saved(client: Client, festival: Festival) -> None:
    """At every depth, and on models that are not clusterable."""
    pk = str(festival.pk)
    saved = await client.data(f"query($pk: ID!) {{ festival(pk: $pk) {{ {SETS} }} }}", pk=pk)
    assert saved["festival"] == SAVED
    assert (await opened(client, pk=pk))["cluster"] == SAVED


async def test_each_set_is_edited_and_saved(client: Client, festival: Festival) -> None:
    """The draft shows it at once, and the database has it after the commit alone."""
    draft = (await opened(client, pk=str(festival.pk)))["id"]
    day, talk = await Day.objects.aget(), await Talk.objects.aget()
    cid = await Person.objects.acreate(name="Cid")
    winter = await Festival.objects.acreate(name="Winter")
    keys = {name: str(each.pk) for name, each in {"cid": cid, "winter": winter}.items()}
    payload = await edited(
        client,
        draft,
        {"tags": {"add": ["jazz", "rock"]}},
        {"tags": {"remove": ["folk"]}},
        {"partners": {"clear": True}},
        {"sisters": {"add": [keys["winter"]]}},
        {"guests": {"add": [keys["cid"]]}},
        {
            "days": {
                "edit": {
                    "key": f"Day:{day.pk}",
                    "changes": [
                        {"tags": {"replace": ["indoors"]}},
                        {
                            "talks": {
                                "edit": {
                                    "key": f"Talk:{talk.pk}",
                                    "changes": [{"speakers": {"replace": [keys["cid"]]}}],
                                }
                            }
                        },
                    ],
                }
            }
        },
    )
    assert payload["errors"] == []
    expected = SAVED | {
        "tags": ["rock", "jazz"],
        "partners": [],
        "sisters": named("Autumn", "Winter"),
        "guests": named("Ann", "Cid"),
        "days": [{"tags": ["indoors"], "talks": [{"title": "One", "speakers": named("Cid")}]}],
    }
    assert payload["draft"] == {"cluster": expected, "errors": []}
    assert payload["event"]["changes"][0] == {
        "kind": "RELATED",
        "key": "root",
        "fields": [{"name": "tags", "before": [], "after": ["jazz"]}],
    }
    assert not await Topic.objects.filter(name="jazz").aexists()
    assert await committed(client, draft) == expected
    assert [each.name async for each in winter.sisters.all()] == ["Spring"]
    assert (await Festival.objects.aget(pk=festival.pk)).tagline == "jazz, rock"
    assert await Invitation.objects.filter(person=cid, sent_at__isnull=False).acount() == 1


async def test_a_new_cluster_has_its_sets_from_the_start(client: Client) -> None:
    """Given with it, at every depth."""
    ann = await Person.objects.acreate(name="Ann")
    talk = {"title": "One", "speakers": [str(ann.pk)]}
    draft = await opened(
        client,
        data={
            "name": "New",
            "tags": ["b", "a", "b"],
            "guests": [str(ann.pk)],
            "days": [{"date": "2026-05-01", "tags": ["c"], "talks": [talk]}],
        },
    )
    expected = {
        "name": "New",
        "tags": ["b", "a"],
        "sponsors": [],
        "partners": [],
        "sisters": [],
        "guests": named("Ann"),
        "days": [{"tags": ["c"], "talks": [{"title": "One", "speakers": named("Ann")}]}],
    }
    assert draft["cluster"] == expected
    assert await committed(client, draft["id"]) == expected


@pytest.mark.parametrize(
    ("ignores_case", "expected"), [(False, ["rock", "ROCK"]), (True, ["rock"])]
)
async def test_case_counts_as_the_settings_say(
    client: Client,
    festival: Festival,
    *,
    ignores_case: bool,
    expected: list[str],
    settings: Any,
) -> None:
    """A tag is found in another case, and taken off by it; or it is another tag."""
    settings.TAGGIT_CASE_INSENSITIVE = ignores_case
    describe.cache_clear()
    schema = gql_cluster.Schema(clusters=[Festival])
    other = Client(schema=schema)
    try:
        draft = (await opened(other, pk=str(festival.pk)))["id"]
        changes = [{"tags": {"add": ["ROCK", "FOLK"]}}, {"tags": {"remove": ["folk", "FOLK"]}}]
        payload = await edited(other, draft, *changes)
        assert payload["draft"]["cluster"]["tags"] == expected
        assert (await committed(other, draft))["tags"] == expected
    finally:
        describe.cache_clear()
        await schema.engine.aclose()
    assert client.schema is not schema


async def test_a_tag_that_no_tag_can_be_is_refused(client: Client, festival: Festival) -> None:
    """It is told where, and nothing is staged."""
    draft = (await opened(client, pk=str(festival.pk)))["id"]
    for bad in ("", "  ", "x" * 101):
        payload = await edited(client, draft, {"tags": {"add": ["fine", bad]}})
        [error] = payload["errors"]
        assert (error["code"], error["field"], error["path"]) == (
            "INVALID_CHANGE",
            "tags",
            ["tags"],
        )
    assert (await opened(client, pk=str(festival.pk)))["cluster"] == SAVED


async def test_a_member_that_is_not_there_is_refused(client: Client, festival: Festival) -> None:
    """In a plain many-to-many as in a parental one."""
    draft = (await opened(client, pk=str(festival.pk)))["id"]
    for name in ("sponsors", "partners", "sisters", "guests"):
        for bad in ("999999", "x"):
            payload = await edited(client, draft, {name: {"add": [bad]}})
            assert [error["code"] for error in payload["errors"]] == ["INVALID_CHANGE"]


@pytest.mark.parametrize("count", [1, 5])
async def test_sets_of_many_cost_one_query_each(client: Client, count: int) -> None:
    """However many festivals, days and talks there are."""
    for _ in range(count):
        await sync_to_async(make_festival)()
    query = f"{{ festivals {{ {SETS} }} }}"
    queries = await sync_to_async(counted)(client, query)
    assert len(queries) == 10, queries


def counted(client: Client, query: str) -> list[str]:
    """Return the queries that an operation makes."""
    with CaptureQueriesContext(connection) as queries:
        async_to_sync(client.data)(query)
    return [each["sql"] for each in queries.captured_queries]


async def test_a_models_own_code_sees_the_sets_of_the_draft(
    client: Client, festival: Festival
) -> None:
    """A plain many-to-many, too, read as a list or filtered."""
    draft = (await opened(client, pk=str(festival.pk)))["id"]
    rival = await Sponsor.objects.acreate(name="Rival")
    payload = await edited(client, draft, {"partners": {"add": [str(rival.pk)]}})
    assert [each["message"] for each in payload["draft"]["errors"]] == ["A rival is no partner."]
    payload = await edited(client, draft, {"partners": {"clear": True}})
    assert payload["draft"]["errors"] == []
    await committed(client, draft)
    assert not await festival.partners.aexists()


async def test_a_declared_type_has_tags_as_names(client: Client, festival: Festival) -> None:
    """`auto` is a list of them."""

    @gql_cluster.type(Festival, name="Festival")
    class Party:
        name: auto
        labels: auto = strawberry_django.field(field_name="tags")

    schema = gql_cluster.Schema(clusters=[Party])
    try:
        data = await Client(schema=schema).data("{ parties: festivals { labels } }")
    finally:
        await schema.engine.aclose()
    assert {"labels": ["rock", "folk"]} in data["parties"]
    assert festival.pk
    assert client.schema is not schema


OPEN_JSON = (
    "mutation($json: JSON) { it: openFestivalDraft(json: $json)"
    f" {{ draft {{ id json isDirty cluster {{ {SETS} }} }} {ERRORS} }} }}"
)


async def test_sets_go_through_json(client: Client, festival: Festival) -> None:
    """Tags by name, and plain many-to-many fields too; what modelcluster wrote is read as well."""
    draft = (await opened(client, pk=str(festival.pk)))["id"]
    await edited(client, draft, {"tags": {"add": ["jazz"]}}, {"guests": {"clear": True}})
    data = await client.data("query($id: ID!) { draft(id: $id) { json } }", id=draft)
    exported = data["draft"]["json"]
    assert exported["tags"] == ["rock", "folk", "jazz"]
    assert exported["guests"] == []
    assert exported["days"][0]["tags"] == ["open air"]
    assert "tagged_items" not in exported
    other = Client(schema=client.schema, session="bob")
    again = (await other.data(OPEN_JSON, json=exported))["it"]
    assert again["errors"] == []
    assert again["draft"]["json"] == exported
    assert again["draft"]["cluster"] == SAVED | {"tags": ["rock", "folk", "jazz"], "guests": []}
    cid = Client(schema=client.schema, session="cid")
    theirs = json.loads(await sync_to_async(festival.to_json)())
    theirs["tagged_items"].pop()
    again = (await cid.data(OPEN_JSON, json=theirs))["it"]
    assert again["errors"] == []
    assert again["draft"]["cluster"] == SAVED | {"tags": ["rock"]}


async def test_tags_in_json_that_are_none_are_told(client: Client, festival: Festival) -> None:
    """Each at its place."""
    theirs = json.loads(await sync_to_async(festival.to_json)())
    theirs["tagged_items"][0]["tag"] = 999_999
    theirs["days"][0]["tags"] = [""]
    errors = (await client.data(OPEN_JSON, json=theirs))["it"]["errors"]
    assert {(error["code"], error["field"]) for error in errors} == {
        ("INVALID_CHANGE", "taggedItems"),
        ("INVALID_CHANGE", "tags"),
    }


def test_a_model_called_like_a_type_of_every_schema_is_told() -> None:
    """With what to do about it."""
    with pytest.raises(ImproperlyConfigured, match="Session is defined multiple"):
        gql_cluster.Schema(clusters=[Gathering])


async def test_tags_have_no_connection(client: Client) -> None:
    """Names are no nodes."""
    fields = (await client.data('{ __type(name: "Festival") { fields { name } } }'))["__type"]
    names = {each["name"] for each in fields["fields"]}
    assert {"tags", "sponsorsConnection"} <= names
    assert "tagsConnection" not in names


async def test_what_has_to_be_given_with_a_member_makes_it_a_child(client: Client) -> None:
    """The crew is edited by its duties, and read as a list."""
    fields = await client.data('{ __type(name: "FestivalChange") { inputFields { name } } }')
    names = {each["name"] for each in fields["__type"]["inputFields"]}
    assert "crew" not in names
    assert "taggedItems" not in names
    assert {"duties", "guests", "tags"} <= names
