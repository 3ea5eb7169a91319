"""Generic relations, which are read as they are saved, and generic keys, which are two columns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.contenttypes.models import ContentType

from tests.api.samples_kit import Desk, counted, schema_of
from tests.api.schema_kit import Client
from tests.troupe.models import Link, Photo, Play, Troupe

FIELDS = (
    "name photos { caption } last: photos(ordering: [{ caption: DESC }], pagination: { limit: 1 })"
    " { caption }"
    " plays { key title photos { caption } links { key objectId contentType { model } } }"
)


@pytest.fixture
async def desk(transactional_db: None) -> AsyncIterator[Desk]:  # noqa: ARG001
    """A desk of a schema that mirrors the untouched models."""
    schema = schema_of(Troupe)
    yield Desk(client=Client(schema=schema), cluster="Troupe", fields=FIELDS)
    await schema.engine.aclose()


def make() -> Troupe:
    """Save a troupe with photos of it and of its play, and with a label."""
    troupe = Troupe.objects.create(name="Players")
    play = Play.objects.create(troupe=troupe, title="Dream")
    for of, caption in ((troupe, "a"), (troupe, "b"), (play, "c")):
        Photo.objects.create(of=of, caption=caption)
    labels: Any = troupe.labels
    labels.add("old")
    return troupe


def captions(*names: str) -> list[dict[str, str]]:
    """Return photos as they are served."""
    return [{"caption": name} for name in names]


async def test_a_generic_relation_is_a_list_of_what_is_saved(desk: Desk) -> None:
    """Of a saved cluster and of a draft alike, at every depth; a new node has none."""
    troupe = await sync_to_async(make)()
    expected = {"name": "Players", "photos": captions("a", "b"), "last": captions("b")}
    saved = await desk.saved(troupe.pk)
    assert saved | {"plays": None} == expected | {"plays": None}
    assert saved["plays"][0]["photos"] == captions("c")
    opened = await desk.open(pk=str(troupe.pk))
    assert opened["cluster"] | {"plays": None} == expected | {"plays": None}
    assert opened["cluster"]["plays"][0]["photos"] == captions("c")
    payload = await desk.edit(
        opened["id"], {"set": {"name": "Other"}}, {"plays": {"add": [{"title": "New"}]}}
    )
    assert [each["photos"] for each in payload["draft"]["cluster"]["plays"]] == [
        captions("c"),
        [],
    ]
    committed = await desk.commit(opened["id"])
    assert [each["photos"] for each in committed["plays"]] == [captions("c"), []]
    new = await desk.open(data={"name": "New"})
    assert new["cluster"]["photos"] == []
    assert (await desk.commit(new["id"]))["photos"] == []
    assert await Troupe.objects.filter(labels__name="old").acount() == 1


async def test_a_generic_relation_is_in_no_change(desk: Desk) -> None:
    """Nor are the tags of taggit's own manager, which a draft can't hold."""
    types = (
        await desk.client.data(
            "{ __schema { types { name fields { name } inputFields { name } } } }"
        )
    )["__schema"]["types"]
    members = {
        each["name"]: {field["name"] for field in each["fields"] or each["inputFields"] or ()}
        for each in types
    }
    assert "photos" in members["Troupe"]
    assert "photosConnection" in members["Troupe"]
    for name in ("TroupeChange", "TroupeInput", "PlayChange", "PlayInput"):
        assert members[name]
        assert not members[name] & {"photos", "labels", "to"}
    assert members["LinkInput"] == {"key", "contentType", "objectId"}
    assert "labels" not in members["Troupe"]


async def test_a_node_that_is_deleted_takes_what_refers_to_it_along(desk: Desk) -> None:
    """As Django's own deletion does."""
    troupe = await sync_to_async(make)()
    opened = await desk.open(pk=str(troupe.pk))
    await desk.edit(opened["id"], {"plays": {"clear": True}})
    assert await Photo.objects.acount() == 3
    await desk.commit(opened["id"])
    assert [each.caption async for each in Photo.objects.order_by("pk")] == ["a", "b"]


async def test_a_generic_key_is_edited_by_its_two_columns(desk: Desk) -> None:
    """The model's own code finds in a draft what it points to."""
    troupe = await sync_to_async(make)()
    of = await sync_to_async(ContentType.objects.get_for_model)(Play)
    play = await Play.objects.aget()
    opened = await desk.open(pk=str(troupe.pk))
    link = {"key": "l", "contentType": str(of.pk), "objectId": 999_999}
    within = {"key": f"Play:{play.pk}"}
    payload = await desk.edit(
        opened["id"], {"plays": {"edit": {**within, "changes": [{"links": {"add": [link]}}]}}}
    )
    assert payload["errors"] == []
    [error] = payload["draft"]["errors"]
    assert (error["code"], error["field"]) == ("VALIDATION_FAILED", "objectId")
    update: dict[str, Any] = {"key": "l", "set": {"objectId": play.pk}}
    payload = await desk.edit(
        opened["id"], {"plays": {"edit": {**within, "changes": [{"links": {"update": update}}]}}}
    )
    assert payload["draft"]["errors"] == []
    [shown] = payload["draft"]["cluster"]["plays"][0]["links"]
    assert shown == {"key": "l", "objectId": play.pk, "contentType": {"model": "play"}}
    await desk.commit(opened["id"])
    saved = await Link.objects.aget()
    assert await sync_to_async(lambda: saved.to)() == play


@pytest.mark.parametrize("count", [1, 4])
async def test_generic_lists_of_many_cost_one_query(desk: Desk, count: int) -> None:
    """However many troupes there are."""
    for _ in range(count):
        await sync_to_async(make)()
    queries = await sync_to_async(counted)(
        desk.client, "{ troupes { photos { caption } plays { photos { caption } } } }"
    )
    assert len([each for each in queries if "troupe_photo" in each]) == 2, queries


async def test_json_and_copies_are_without_them(desk: Desk) -> None:
    """As modelcluster's are."""
    troupe = await sync_to_async(make)()
    opened = await desk.open(pk=str(troupe.pk))
    query = "query($id: ID!) { draft(id: $id) { json } }"
    exported = (await desk.client.data(query, id=opened["id"]))["draft"]["json"]
    assert not {"photos", "labels"} & exported.keys()
    saved = await desk.client.data("query($pk: ID!) { troupe(pk: $pk) { id } }", pk=str(troupe.pk))
    data = await desk.client.data(
        "mutation($id: ID) { it: openTroupeDraft(copyOf: $id) { draft { id } errors { code } } }",
        id=saved["troupe"]["id"],
    )
    copied = await desk.commit(data["it"]["draft"]["id"])
    assert copied["photos"] == copied["plays"][0]["photos"] == []
    assert await Photo.objects.acount() == 3
