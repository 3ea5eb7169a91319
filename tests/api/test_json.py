"""Serialisation over GraphQL: export, open, and copies that leave something out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import strawberry_django
from asgiref.sync import sync_to_async
from django.db.models import QuerySet
from strawberry import auto
from strawberry.permission import BasePermission

import gql_cluster
from schema.bands import models
from tests.api.schema_kit import ERRORS, Client, add_member, make_band

EXPORT = "query($draft: ID!) { it: exportDraft(draft: $draft) draft(id: $draft) { json } }"
OPEN = (
    "mutation($json: JSON) { it: openBandDraft(json: $json)"
    f" {{ draft {{ id version isNew json cluster {{ name }} }} event {{ version }} {ERRORS} }} }}"
)
COPY = (
    "mutation($of: ID!, $exclude: [String!]) { it: openBandDraft(copyOf: $of, exclude: $exclude)"
    f" {{ draft {{ json }} {ERRORS} }} }}"
)
HELP = {"title": "Help!", "released": "1965-08-06", "songs": [{"title": "Help!"}]}


async def exported(client: Client, draft: str) -> dict[str, Any]:
    """Return the JSON of a draft, but for when it was saved."""
    data = await client.data(EXPORT, draft=draft)
    found: dict[str, Any] = data["it"]
    again = data["draft"]["json"]
    assert found.pop("updated_at") <= again.pop("updated_at")
    assert again == found
    return found


async def opened(client: Client, data: object) -> Any:
    """Return the payload of opening a JSON."""
    return (await client.data(OPEN, json=data))["it"]


async def test_a_draft_is_exported_and_opened_again(client: Client) -> None:
    """The JSON is that of the model, through `json.dumps`; opened it is a draft with one change."""
    pk, genre = await make_band()
    draft = await client.open(pk=pk)
    band = await models.Band.objects.aget(pk=pk)
    saved = json.loads(await sync_to_async(band.to_json)())
    del saved["updated_at"]
    assert await exported(client, draft) == saved

    changes = [add_member("j"), {"albums": {"add": [HELP]}}, {"genres": {"add": [genre]}}]
    await client.edit(draft, *changes)
    data = json.loads(json.dumps(await exported(client, draft)))
    assert data["genres"] == [int(genre)]
    assert (data["members"][0]["pk"], data["members"][0]["position"]) == (None, 1)

    payload = await opened(client, data)
    assert payload["errors"] == []
    assert payload["event"] is None
    assert (payload["draft"]["version"], payload["draft"]["isNew"]) == (1, False)
    assert await exported(client, payload["draft"]["id"]) == data


async def test_a_json_without_a_key_is_a_new_cluster(client: Client) -> None:
    """So it opens as often as one likes, each time another."""
    drafts = [await opened(client, {"pk": None, "name": "ABBA"}) for _ in range(2)]
    assert [each["draft"]["isNew"] for each in drafts] == [True, True]
    assert drafts[0]["draft"]["id"] != drafts[1]["draft"]["id"]
    assert drafts[0]["draft"]["cluster"] == {"name": "ABBA"}
    assert drafts[0]["draft"]["json"]["status"] == "active"


async def test_what_does_not_resolve_is_an_error_with_its_place(client: Client) -> None:
    """By the schema's own names; and there is no draft."""
    pk, _ = await make_band()
    data = {"pk": int(pk), "genres": [98765], "albums": [{"title": "x", "made_in": "Bonn"}]}
    payload = await opened(client, data)
    assert payload["draft"] is None
    assert [(each["code"], each["key"], each["path"]) for each in payload["errors"]] == [
        ("INVALID_CHANGE", None, ["albums", "0", "madeIn"]),
        ("INVALID_CHANGE", "root", ["genres"]),
    ]
    assert (await client.data("{ drafts { edges { cursor } } }"))["drafts"]["edges"] == []
    assert (await opened(client, {"pk": 98765}))["errors"][0]["path"] == ["pk"]


async def test_a_draft_that_is_not_there_is_not_exported(client: Client) -> None:
    """Of another session, or of none: null, as in `draft`."""
    draft = await client.open(data={"name": "ABBA"})
    other = Client(schema=client.schema, session="bob")
    assert await other.data(EXPORT, draft=draft) == {"it": None, "draft": None}
    assert await client.data(EXPORT, draft="QmFuZDox") == {"it": None, "draft": None}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ('pk: "1", json: {pk: 1}', "INVALID_CHANGE"),
        ('copyOf: "1", json: {pk: 1}', "INVALID_CHANGE"),
        ('data: {name: "a"}, json: {pk: 1}', "INVALID_CHANGE"),
        ("json: [1]", "INVALID_CHANGE"),
        ('exclude: ["name"]', "INVALID_CHANGE"),
        ('pk: "1", exclude: ["name"]', "INVALID_CHANGE"),
    ],
)
async def test_arguments_that_do_not_go_together_are_refused(
    client: Client, arguments: str, code: str
) -> None:
    """One source only, and only a copy leaves something out."""
    query = f"mutation {{ it: openBandDraft({arguments}) {{ draft {{ id }} {ERRORS} }} }}"
    payload = (await client.data(query))["it"]
    assert ([each["code"] for each in payload["errors"]], payload["draft"]) == ([code], None)


async def test_a_copy_leaves_out_fields_and_relations_at_any_depth(client: Client) -> None:
    """By the schema's names or the model's."""
    pk, genre = await make_band()
    draft = await client.open(pk=pk)
    changes = [
        add_member("j", joined=1960),
        {"albums": {"add": [HELP]}},
        {"genres": {"add": [genre]}},
    ]
    await client.edit(draft, *changes)

    async def copied(*exclude: str) -> Any:
        return (await client.data(COPY, of=draft, exclude=list(exclude)))["it"]

    found = (await copied("genres", "formed", "albums.songs", "members.joined"))["draft"]["json"]
    assert (found["formed"], found["genres"], found["name"]) == (None, [], "The Beatles")
    assert [(each["title"], each["songs"]) for each in found["albums"]] == [("Help!", [])]
    assert [(each["name"], each["joined"]) for each in found["members"]] == [("John", None)]
    assert (await copied("albums"))["draft"]["json"]["albums"] == []
    assert (await copied("createdAt", "created_at"))["errors"] == []

    payload = await copied("genres", "label", "albums.band", "name.x", "", "albums.", "songs")
    assert payload["draft"] is None
    assert {each["code"] for each in payload["errors"]} == {"INVALID_CHANGE"}
    assert [each["field"] for each in payload["errors"]] == [
        "label",
        "albums.band",
        "name.x",
        "",
        "albums.",
        "songs",
    ]


class Nobody(BasePermission):
    """Lets nobody in."""

    message = "That is secret."

    def has_permission(self, *_: Any, **__: Any) -> bool:
        """Refuse."""
        return False


@gql_cluster.type(models.BandMember)
class Musician:
    """A member; those who left are hidden."""

    name: auto

    @classmethod
    def get_queryset(cls, queryset: QuerySet[Any], *_: Any) -> QuerySet[Any]:
        """Hide those who left."""
        return queryset.filter(left=None)


@gql_cluster.type(models.Album, name="Record")
class Record:
    """A record without its songs."""

    title: auto


@gql_cluster.type(models.Band, name="Band")
class Group:
    """A band that keeps some things to itself."""

    name: auto
    biography: auto = strawberry_django.field(permission_classes=[Nobody])
    members: list[Musician]
    albums: list[Record]

    @strawberry_django.field
    def origin(self) -> str:
        """Tell nothing."""
        return "somewhere"


@pytest.fixture
async def discreet(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001 - a database
    """A client of a schema that hides some of its bands."""
    schema = gql_cluster.Schema(clusters=[Group])
    yield Client(schema=schema)
    await schema.engine.aclose()


async def test_what_types_hide_is_not_exported_and_stays(discreet: Client) -> None:
    """Neither fields nor rows; what is opened again has them as they were saved."""
    pk, _ = await make_band()
    await models.Band.objects.filter(pk=pk).aupdate(biography="secret", origin="secret")
    await models.BandMember.objects.acreate(
        band_id=pk, name="secret", instrument="bass", left=1999, position=1
    )
    album = await models.Album.objects.acreate(band_id=pk, title="Help!", released="1965-08-06")
    await models.Song.objects.acreate(album=album, title="secret", position=1)
    draft = await discreet.open(pk=pk)
    data = (await discreet.data(EXPORT, draft=draft))["it"]
    assert data == {
        "pk": int(pk),
        "name": "The Beatles",
        "albums": [{"pk": album.pk, "band": int(pk), "title": "Help!"}],
    }
    payload = await opened(discreet, data)
    assert payload["errors"] == []
    assert payload["draft"]["version"] == 0
