"""A root whose type has another name: clients see that alone, and drafts store the model's."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from strawberry import auto

import gql_cluster
from schema.bands.models import Album, Band, BandMember
from tests.api.samples_kit import schema_of
from tests.api.schema_kit import ERRORS, Client


@gql_cluster.type(Album, name="Record")
class LongPlayer:
    """An album."""

    title: auto
    released: auto


@gql_cluster.type(Band, name="Company")
class Group:
    """A band and its albums."""

    name: auto
    albums: list[LongPlayer]


class Desk(Client):
    """Sends a document and returns what is under `it`."""

    async def it(self, query: str, **variables: Any) -> Any:
        """Return the answer's only part."""
        return (await self.data(query, **variables))["it"]


@pytest.fixture
async def desk(transactional_db: None) -> AsyncIterator[Desk]:  # noqa: ARG001
    """A client of a schema in which a band is a company."""
    schema = schema_of(Group)
    yield Desk(schema=schema)
    await schema.engine.aclose()


def decoded(id_: str) -> str:
    """Return what a global id says."""
    return base64.b64decode(id_).decode()


DRAFT = (
    "draft { __typename id cluster { __typename id name albums { __typename id key title } }"
    " saved { __typename id } changes { typename key } errors { message } }"
)


async def test_clients_see_the_declared_name_alone(desk: Desk) -> None:
    """In types, inputs, mutations and queries; but for the enums of its choices."""
    query = "{ it: __schema { types { kind name fields { name } } } }"
    types = (await desk.it(query))["types"]
    names = {each["name"] for each in types if each["kind"] != "ENUM"}
    fields = {
        field["name"]
        for each in types
        if each["name"] in {"Query", "Mutation", "Subscription"}
        for field in each["fields"]
    }
    assert not {name for name in names | fields if re.search("[Bb]and(?!Member)", name)}
    sdl = desk.schema.as_str()
    for line in (
        "type Company implements Node",
        "type CompanyDraft implements Draft & Node",
        "input CompanyInput",
        "input CompanyChange @oneOf",
        "  company(",
        "  companies(",
        "  companiesConnection(",
        "  openCompanyDraft(",
        "  editCompanyDraft(",
        "  commitCompanyDraft(",
        "type CompanyDraftPayload",
        "type CommitCompanyDraftPayload",
    ):
        assert line in sdl, line


async def test_a_draft_goes_its_way_under_the_declared_name(desk: Desk) -> None:
    """Ids, types and changes say it; every id finds what it is of."""
    band = await Band.objects.acreate(name="The Beatles")
    await Album.objects.acreate(band=band, title="Help!", released="1965-08-06")
    opened = await desk.it(
        f"mutation($pk: ID) {{ it: openCompanyDraft(pk: $pk) {{ {DRAFT} {ERRORS} }} }}",
        pk=str(band.pk),
    )
    draft = opened["draft"]
    assert draft["__typename"] == "CompanyDraft"
    assert decoded(draft["id"]).startswith("CompanyDraft:")
    assert decoded(draft["cluster"]["id"]) == f"{decoded(draft['id'])}/root"
    assert draft["cluster"]["__typename"] == draft["saved"]["__typename"] == "Company"
    assert decoded(draft["saved"]["id"]) == f"Company:{band.pk}"
    [album] = draft["cluster"]["albums"]
    assert album["__typename"] == "Record"
    assert decoded(album["id"]) == f"{decoded(draft['id'])}/{album['key']}"
    changes = [{"set": {"name": "Wings"}}, {"albums": {"add": [{"key": "r", "title": "Ram"}]}}]
    edited = await desk.it(
        "mutation($draft: ID!, $changes: [CompanyChange!]!)"
        " { it: editCompanyDraft(draft: $draft, changes: $changes)"
        f" {{ {DRAFT} {ERRORS} event {{ draftId }} }} }}",
        draft=draft["id"],
        changes=changes,
    )
    assert [each["typename"] for each in edited["draft"]["changes"]] == ["Company", "Record"]
    assert edited["event"]["draftId"] == draft["id"]
    node = "query($id: ID!) { it: node(id: $id) { __typename id } }"
    for id_, type_ in (
        (draft["id"], "CompanyDraft"),
        (draft["cluster"]["id"], "Company"),
        (album["id"], "Record"),
        (draft["saved"]["id"], "Company"),
    ):
        assert await desk.it(node, id=id_) == {"__typename": type_, "id": id_}
    listed = await desk.it("{ it: drafts { edges { node { id __typename } } } }")
    assert listed["edges"] == [{"node": {"id": draft["id"], "__typename": "CompanyDraft"}}]
    copied = await desk.it(
        "mutation($id: ID) { it: openCompanyDraft(copyOf: $id) { draft { cluster { name } } } }",
        id=draft["id"],
    )
    assert copied["draft"]["cluster"]["name"] == "Wings"
    undone = await desk.it(
        "mutation($id: ID!) { it: undoDraft(draft: $id) { draft { version } errors { code } } }",
        id=draft["id"],
    )
    assert undone == {"draft": {"version": 2}, "errors": []}


async def test_a_commit_says_the_declared_name(desk: Desk) -> None:
    """Of what is saved, of each of its keys and in the list of commits; refusals, too."""
    opened = await desk.it(
        'mutation { it: openCompanyDraft(data: { name: "Wings", albums: [{ key: "r",'
        ' title: "Ram", released: "1971-05-17" }] }) { draft { id } } }'
    )
    saved = await desk.it(
        "mutation($id: ID!) { it: commitCompanyDraft(draft: $id)"
        f" {{ cluster {{ id }} keys {{ key id }} {ERRORS} }} }}",
        id=opened["draft"]["id"],
    )
    assert saved["errors"] == []
    band, album = await Band.objects.aget(), await Album.objects.aget()
    assert decoded(saved["cluster"]["id"]) == f"Company:{band.pk}"
    keys = {each["key"]: decoded(each["id"]) for each in saved["keys"]}
    assert keys == {"root": f"Company:{band.pk}", "r": f"Record:{album.pk}"}
    commits = await desk.it(
        "query($id: ID!) { it: commits(cluster: $id) { edges { cursor } } }",
        id=saved["cluster"]["id"],
    )
    assert len(commits["edges"]) == 1
    [error] = (await desk.it(f'mutation {{ it: openCompanyDraft(pk: "0") {{ {ERRORS} }} }}'))[
        "errors"
    ]
    assert error["message"] == "There is no Company with the primary key '0'."
    listed = await desk.it("{ it: companies { name } }")
    assert listed == [{"name": "Wings"}]


async def test_a_draft_outlives_another_name(desk: Desk) -> None:
    """It is stored by the model's: a schema that declares another name, or none, finds it."""
    band = await Band.objects.acreate(name="The Beatles")
    await BandMember.objects.acreate(band=band, name="John", instrument="guitar", position=1)
    opened = await desk.it(
        "mutation($pk: ID) { it: openCompanyDraft(pk: $pk) { draft { id } } }", pk=str(band.pk)
    )
    bare = gql_cluster.Schema(clusters=[Band])
    try:
        other = Desk(schema=bare)
        _, _, stored = decoded(opened["draft"]["id"]).partition(":")
        resumed = await other.it(
            "mutation($pk: ID) { it: openBandDraft(pk: $pk) { draft { id cluster { name } } } }",
            pk=str(band.pk),
        )
        assert decoded(resumed["draft"]["id"]) == f"BandDraft:{stored}"
        assert resumed["draft"]["cluster"] == {"name": "The Beatles"}
        # An id says one name: under the other it is nobody's.
        query = "query($id: ID!) { it: draft(id: $id) { id } }"
        assert await other.it(query, id=opened["draft"]["id"]) is None
    finally:
        await bare.engine.aclose()
