"""How many children a relation takes: what the mirror declares, a commit asks."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from strawberry import auto

import gql_cluster
from gql_cluster import Children
from schema.bands import models
from tests.api.samples_kit import schema_of
from tests.api.schema_kit import Client, add_member, make_band


@gql_cluster.type(models.Album, children={"songs": Children(min_num=1, max_num=3)})
class Record:
    """A record; an empty one is none."""

    title: auto
    released: auto


@gql_cluster.type(models.Band, children={"members": Children(min_num=1, max_num=2)})
class Band:
    """A band of one or two, and their records."""

    name: auto
    albums: list[Record]


WRONG = "draft { errors { code message reason key field path } }"
COMMIT = """mutation($draft: ID!) { it: commitBandDraft(draft: $draft) {
  receipt { at } errors { code message reason key field path } } }"""
HELP = {"key": "help", "title": "Help!", "released": "1965-08-06"}
FEW = {"code": "VALIDATION_FAILED", "reason": "too_few_forms"}
MANY = {"code": "VALIDATION_FAILED", "reason": "too_many_forms"}
NO_MEMBER = FEW | {
    "message": "Please submit at least 1 form.",
    "key": "root",
    "field": "members",
    "path": ["members"],
}


@pytest.fixture
async def client(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001 - a database
    """A client of a schema whose types have limits."""
    schema = schema_of(Band)
    yield Client(schema=schema)
    await schema.engine.aclose()


async def test_a_new_cluster_needs_what_its_type_asks_for(client: Client) -> None:
    """Too few children are an error of the parent at the relation, at every depth."""
    draft = await client.open(data={"name": "ABBA"})
    payload = await client.edit(draft, {"albums": {"add": [HELP]}}, fields=WRONG)

    expected = [
        NO_MEMBER,
        NO_MEMBER | {"key": "help", "field": "songs", "path": ["albums", "help", "songs"]},
    ]
    assert payload["errors"] == []
    assert payload["draft"]["errors"] == expected
    assert (await client.data(COMMIT, draft=draft))["it"] == {"receipt": None, "errors": expected}

    payload = await client.edit(
        draft,
        add_member("agnetha"),
        {"albums": {"edit": {"key": "help", "changes": [{"songs": {"add": [{"title": "SOS"}]}}]}}},
        fields=WRONG,
    )
    assert payload["draft"]["errors"] == []
    assert (await client.data(COMMIT, draft=draft))["it"]["errors"] == []


async def test_the_whole_relation_counts_and_what_others_saved(client: Client) -> None:
    """Saved children count, those that others added meanwhile too, removed ones do not."""
    pk, _ = await make_band()
    for number in (1, 2):
        await models.BandMember.objects.acreate(
            band_id=pk, name=f"n{number}", instrument="bass", position=number
        )
    draft = await client.open(pk=pk)
    first = await models.BandMember.objects.aget(name="n1")
    key = f"BandMember:{first.pk}"
    swap: list[Any] = [{"members": {"remove": [key]}}, add_member("k")]
    assert (await client.edit(draft, *swap, fields=WRONG))["draft"]["errors"] == []

    await models.BandMember.objects.acreate(band_id=pk, name="n3", instrument="bass", position=3)
    payload = await client.edit(draft, {"set": {"origin": "Bonn"}}, fields=WRONG)
    assert payload["draft"]["errors"] == [
        NO_MEMBER | MANY | {"message": "Please submit at most 2 forms."}
    ]
    assert [
        each["reason"] for each in (await client.data(COMMIT, draft=draft))["it"]["errors"]
    ] == ["too_many_forms"]


async def test_clearing_a_saved_relation_is_told(client: Client) -> None:
    """A relation that the draft has emptied has too few, and one that nobody touched is let be."""
    pk, _ = await make_band()
    await models.BandMember.objects.acreate(band_id=pk, name="n", instrument="bass", position=1)
    await models.Album.objects.acreate(band_id=pk, title="empty", released="1999-01-01")
    draft = await client.open(pk=pk)
    payload = await client.edit(draft, {"members": {"clear": True}}, fields=WRONG)
    assert payload["draft"]["errors"] == [NO_MEMBER]


@pytest.mark.parametrize(
    ("children", "words"),
    [
        ({"songs": Children(min_num=1)}, "no child relation “songs”"),
        ({"genres": Children(min_num=1)}, "no child relation “genres”"),
        ({"members": Children(min_num=2, max_num=1)}, "at least 2 and at most 1"),
        ({"members": Children(min_num=-1)}, "at least -1"),
    ],
)
def test_limits_that_no_relation_could_keep_are_refused(
    children: dict[str, Children], words: str
) -> None:
    """They are told when the type is declared."""
    with pytest.raises(ImproperlyConfigured, match=words):

        @gql_cluster.type(models.Band, children=children)
        class Wrong:
            name: auto
