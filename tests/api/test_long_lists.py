"""Long lists of a draft: filtered and sorted from what the worker keeps, and always right."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import strawberry
from django.db.models import QuerySet
from django.db.models.signals import post_init
from strawberry import auto
from strawberry.relay.utils import from_base64

import gql_cluster
from gql_cluster.domain.tree import Want
from schema.bands import models
from schema.bands.models import Band, BandMember
from tests.api.samples_kit import schema_of
from tests.api.schema_kit import Client

PAGES = """
  page: members(filters: {joined: {gt: 1990}}, ordering: [{left: DESC}, {name: ASC}],
    pagination: {limit: 4}) { key name position joined }
  nulls: members(ordering: [{left: ASC_NULLS_FIRST}, {pk: ASC}],
    pagination: {limit: 3, offset: 1}) { key }
  last: members(ordering: [{position: DESC}], pagination: {limit: 3}) { key position }
  albums(pagination: {limit: 3}) { key title }
"""
SOME = """
  some: members(filters: {name: {contains: "1"}, NOT: {left: {isNull: true}}}) { key left }
  all: members { key }
"""


def asked(fields: str) -> str:
    """Return the query for some fields of a draft's band."""
    return (
        f"query($id: ID!) {{ draft(id: $id) {{ ... on BandDraft {{ cluster {{ {fields} }} }} }} }}"
    )


async def make_long(count: int) -> str:
    """Save a band with so many members and albums, and return its primary key."""
    band = await Band.objects.acreate(name="Orchestra")
    await BandMember.objects.abulk_create(
        BandMember(
            band=band,
            name=f"Member {number * 7919 % count}",
            instrument="other",
            joined=1960 + number % 41 if number % 70 else None,
            left=None if number % 3 else 1980 + number % 45,
            position=number + 1,
        )
        for number in range(count)
    )
    await models.Album.objects.abulk_create(
        models.Album(band=band, title=f"Album {number}", released=f"19{90 - number % 9}-01-01")
        for number in range(count)
    )
    return str(band.pk)


@contextmanager
def made(model: type) -> Iterator[list[Any]]:
    """Note each instance of a model that is made."""
    instances: list[Any] = []

    def note(instance: Any, **_: Any) -> None:
        instances.append(instance)

    post_init.connect(note, sender=model)
    try:
        yield instances
    finally:
        post_init.disconnect(note, sender=model)


async def test_a_page_of_a_long_list_makes_the_instances_of_that_page(client: Client) -> None:
    """Not those that it leaves out, whatever it is filtered and sorted by."""
    draft = await client.open(pk=await make_long(300))
    with made(BandMember) as instances:
        await client.data(asked(PAGES), id=draft)
    assert 0 < len(instances) <= 4 + 3 + 3


async def test_a_page_of_a_connection_makes_the_instances_of_that_page(client: Client) -> None:
    """And the one that tells whether another page follows; all are counted."""
    draft = await client.open(pk=await make_long(300))
    page = """membersConnection(filters: {joined: {gt: 1990}}, ordering: [{name: ASC}], first: 4) {
      totalCount pageInfo { hasNextPage } edges { node { key } } }"""
    with made(BandMember) as instances:
        data = await client.data(asked(page), id=draft)
    found = data["draft"]["cluster"]["membersConnection"]
    assert found["totalCount"] == await BandMember.objects.filter(joined__gt=1990).acount()
    assert found["pageInfo"]["hasNextPage"]
    assert len(found["edges"]) == 4
    assert len(instances) == 5


async def test_what_is_kept_of_a_list_does_not_grow_with_its_changes(client: Client) -> None:
    """A move gives nearly all of them other numbers: the records are others, and as many."""
    draft = await client.open(pk=await make_long(300))
    copies = client.schema.engine.parts.cache
    keys = [each["key"] for each in (await members(client, draft))]
    copy = await copies.get(from_base64(draft)[1], Want(), fresh=False)
    assert copy is not None
    sizes = []
    for _ in range(6):
        await client.data(asked(PAGES), id=draft)
        sizes.append(copy.size)
        await client.edit(draft, {"members": {"move": {"key": keys.pop(), "to": "FIRST"}}})
    assert sizes[-1] - sizes[0] < 5 * 1000  # the log's entries


async def members(client: Client, draft: str) -> Any:
    """Return the keys of a draft's members."""
    data = await client.data(asked("members { key }"), id=draft)
    return data["draft"]["cluster"]["members"]


HOWS = ["ASC", "DESC", "ASC_NULLS_FIRST", "ASC_NULLS_LAST", "DESC_NULLS_FIRST", "DESC_NULLS_LAST"]


@pytest.mark.parametrize("name", ["joined", "left", "instrument", "name"])
async def test_the_first_of_many_are_those_of_the_database(client: Client, name: str) -> None:
    """However many are alike at the end of a page, and wherever nulls are."""
    pk = await make_long(200)
    draft = await client.open(pk=pk)
    fields = "".join(
        f"{how}{offset}: members(ordering: [{{{name}: {how}}}, {{pk: DESC}}],"
        f" pagination: {{offset: {offset}, limit: 5}}) {{ pk }} "
        for how in HOWS
        for offset in (0, 1, 17, 130, 198)
    )
    found = (await client.data(asked(fields), id=draft))["draft"]["cluster"]
    assert found == (await client.data(f"{{ band(pk: {pk}) {{ {fields} }} }}"))["band"]


def random_change(chance: random.Random, keys: list[str], step: int) -> dict[str, Any]:
    """Return some change of a band's members."""
    key, other = chance.sample(keys, 2)
    year = chance.choice([None, 1985, 1995, 2005, 2015])
    return {
        "members": chance.choice(
            [
                {"update": {"key": key, "set": {"name": f"Renamed {step}"}}},
                {"update": {"key": key, "set": {"joined": year, "left": None}}},
                {"update": {"key": key, "set": {"left": year}}},
                {"move": {"key": key, "before": other}},
                {"remove": [key]},
                {"add": [{"name": f"Added {step}1", "instrument": "OTHER", "left": year}]},
            ]
        )
    }


@pytest.fixture
async def cold(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client of a worker that forgets all that it has read whenever it is closed."""
    other = schema_of(Band)
    yield Client(schema=other)
    await other.engine.aclose()


@pytest.mark.parametrize("seed", range(3))
async def test_lists_follow_every_change(client: Client, cold: Client, seed: int) -> None:
    """What a worker has kept from before a change answers as one that reads all anew."""
    chance = random.Random(seed)  # noqa: S311 - which changes, and no secret
    draft = await client.open(pk=await make_long(60))
    undo = "mutation($id: ID!) { undoDraft(draft: $id) { errors { code } } }"
    every = asked(PAGES + SOME)
    for step in range(25):
        data = await client.data(every, id=draft)
        assert data == await cold.data(every, id=draft)
        await cold.schema.engine.aclose()
        keys = [each["key"] for each in data["draft"]["cluster"]["all"]]
        if step % 6 == 5:
            assert (await client.data(undo, id=draft))["undoDraft"]["errors"] == []
            continue
        for _ in range(chance.choice([1, 1, 2])):
            await client.edit(draft, random_change(chance, keys, step))


@gql_cluster.type(models.BandMember, name="BandMember")
class Seen:
    """A member; only Ann sees those who left."""

    name: auto
    left: auto

    @classmethod
    def get_queryset(cls, queryset: QuerySet[Any], info: strawberry.Info) -> QuerySet[Any]:
        """Hide rows from all others."""
        caller = info.context["caller"]
        return queryset if caller.session == "ann" else queryset.filter(left=None)


@gql_cluster.type(models.Band, name="Band")
class Choosy:
    """A band whose members not everybody sees."""

    name: auto
    members: list[Seen]


async def test_what_is_kept_for_one_viewer_is_not_shown_to_another(
    transactional_db: None,  # noqa: ARG001
) -> None:
    """Of one draft, on one worker, in turn and at any order of asking."""
    schema = gql_cluster.Schema(clusters=[Choosy])
    ann, bob = Client(schema=schema), Client(schema=schema, session="bob")
    try:
        draft = await ann.open(pk=await make_long(30))
        share = "mutation($id: ID!) { it: shareDraft(draft: $id) { token } }"
        join = "mutation($token: String!) { it: joinDraft(token: $token) { errors { code } } }"
        token = (await ann.data(share, id=draft))["it"]["token"]
        assert (await bob.data(join, token=token))["it"]["errors"] == []
        query = """query($id: ID!) { draft(id: $id) { ... on BandDraft { cluster {
          members(ordering: [{name: ASC}], pagination: {limit: 20}) { name left } } } } }"""
        for _ in range(2):
            for viewer, hides in ((ann, False), (bob, True), (ann, False)):
                found = (await viewer.data(query, id=draft))["draft"]["cluster"]["members"]
                assert len(found) == 20
                assert hides == all(each["left"] is None for each in found)
            change = {"members": {"add": [{"name": "Aaa"}]}}
            await ann.edit(draft, change)
    finally:
        await schema.engine.aclose()
