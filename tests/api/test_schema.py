"""The roots of the schema: a band is opened, edited, followed and committed over GraphQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import strawberry

import gql_cluster
from gql_cluster.api.ids import DraftId, NodeId, SavedId, parse
from schema import schema
from schema.bands.models import Band
from schema.films.models import Movie
from tests.api.schema_kit import ERRORS, Client, make_band

SDL = Path(__file__).parent.parent / "schema.graphql"


def node_id(draft: str, key: str) -> str:
    """Return the global id of a node of a draft."""
    parsed = parse(draft, schema.engine.clusters)
    assert isinstance(parsed, DraftId)
    return str(NodeId(cluster=parsed.cluster, draft=parsed.draft, key=key))


def test_sdl_is_the_one_that_was_agreed() -> None:
    """A change of the schema is seen: `manage.py export_schema schema:schema --path <file>`."""
    assert schema.as_str().strip() == SDL.read_text().strip()


async def test_draft_shows_what_was_staged_and_saved_what_is_saved(client: Client) -> None:
    """One fragment serves both, and their ids differ."""
    pk, _ = await make_band()
    draft = await client.open(pk=pk)
    await client.edit(draft, {"set": {"name": "The Quarrymen", "status": "DISBANDED"}})
    data = await client.data(
        "query($id: ID!) { draft(id: $id) { __typename id isDirty isNew version state"
        " ... on BandDraft { cluster { ...it } saved { ...it } } } }"
        " fragment it on Band { id pk key name status }",
        id=draft,
    )
    assert data["draft"] == {
        "__typename": "BandDraft",
        "id": draft,
        "isDirty": True,
        "isNew": False,
        "version": 1,
        "state": "OPEN",
        "cluster": {
            "id": node_id(draft, "root"),
            "pk": pk,
            "key": "root",
            "name": "The Quarrymen",
            "status": "DISBANDED",
        },
        "saved": {
            "id": str(SavedId(type="Band", pk=pk)),
            "pk": pk,
            "key": None,
            "name": "The Beatles",
            "status": "ACTIVE",
        },
    }


async def test_node_gives_whatever_has_an_id(client: Client) -> None:
    """Saved, draft, or node of a draft; null for anything else."""
    pk, genre = await make_band()
    draft = await client.open(pk=pk)
    query = (
        "query($id: ID!) { node(id: $id) { __typename id ... on Band { name key }"
        " ... on Genre { name } ... on BandDraft { version } } }"
    )

    async def node(id_: object) -> Any:
        return (await client.data(query, id=str(id_)))["node"]

    saved = SavedId(type="Band", pk=pk)
    rock = SavedId(type="Genre", pk=genre)
    assert await node(saved) == {
        "__typename": "Band",
        "id": str(saved),
        "name": "The Beatles",
        "key": None,
    }
    assert await node(rock) == {"__typename": "Genre", "id": str(rock), "name": "Rock"}
    assert await node(draft) == {"__typename": "BandDraft", "id": draft, "version": 0}
    root = node_id(draft, "root")
    assert await node(root) == {
        "__typename": "Band",
        "id": root,
        "name": "The Beatles",
        "key": "root",
    }
    nothing = ["", "x", SavedId(type="Band", pk="0"), SavedId(type="Band", pk="x")]
    nothing += [SavedId(type="Nobody", pk="1"), DraftId(cluster="Band", draft="gone")]
    nothing += [DraftId(cluster="Movie", draft=parse_draft(draft)), node_id(draft, "nobody")]
    assert [await node(each) for each in nothing] == [None] * len(nothing)


def parse_draft(draft: str) -> str:
    """Return the engine's own id of a draft."""
    parsed = parse(draft, schema.engine.clusters)
    assert isinstance(parsed, DraftId)
    return parsed.draft


async def test_copies_are_new_drafts(client: Client) -> None:
    """Of a saved cluster, by primary key or id, and of a draft, by its id or its root's."""
    pk, _ = await make_band()
    draft = await client.open(pk=pk)
    await client.edit(draft, {"set": {"name": "Quarrymen"}})
    saved = str(SavedId(type="Band", pk=pk))
    names = []
    for source in (pk, saved, draft, node_id(draft, "root")):
        data = await client.data(
            "mutation($of: ID) { it: openBandDraft(copyOf: $of)"
            f" {{ draft {{ id isNew cluster {{ pk name }} }} {ERRORS} }} }}",
            of=source,
        )
        it = data["it"]["draft"]
        assert it["isNew"] is True
        assert it["cluster"]["pk"] is None
        assert it["id"] != draft
        names.append(it["cluster"]["name"])
    assert names == ["The Beatles", "The Beatles", "Quarrymen", "Quarrymen"]


async def test_opening_resumes_unless_told_not_to(client: Client) -> None:
    """The session's own open draft comes back; `resume: false` makes another."""
    pk, _ = await make_band()
    first, again = await client.open(pk=pk), await client.open(pk=pk)
    data = await client.data(
        "mutation($pk: ID) { it: openBandDraft(pk: $pk, resume: false) { draft { id } } }", pk=pk
    )
    assert first == again
    assert data["it"]["draft"]["id"] != first


async def test_drafts_are_the_callers_page_by_page(client: Client) -> None:
    """The newest come first; another session has none of them."""
    ids = [await client.open(data={"name": name}) for name in "abc"]
    query = (
        "query($first: Int, $after: String) { drafts(first: $first, after: $after)"
        " { edges { node { id } } pageInfo { hasNextPage endCursor } } }"
    )
    first = (await client.data(query, first=2))["drafts"]
    rest = (await client.data(query, first=2, after=first["pageInfo"]["endCursor"]))["drafts"]
    bob = Client(schema=client.schema, session="bob")
    assert [edge["node"]["id"] for edge in first["edges"]] == [ids[2], ids[1]]
    assert first["pageInfo"]["hasNextPage"] is True
    assert [edge["node"]["id"] for edge in rest["edges"]] == [ids[0]]
    assert rest["pageInfo"]["hasNextPage"] is False
    assert (await bob.data(query))["drafts"]["edges"] == []


async def test_session_token_is_given_to_anybody(client: Client) -> None:
    """No session is needed to start one."""
    nobody = Client(schema=client.schema, session=None)
    data = await nobody.data("mutation { startSession { token id expiresAt } }")
    assert data["startSession"]["token"] != data["startSession"]["id"]


def test_roots_of_the_project_are_merged() -> None:
    """The project's own fields, extensions and types stand beside the engine's."""

    @strawberry.type
    class Query:
        @strawberry.field
        def hello(self) -> str:
            """Greet."""
            return "hello"

    made = gql_cluster.Schema(clusters=[Band, Movie], query=Query)
    fields = made.as_str().split("type Query {")[1].split("}")[0]
    assert "hello: String!" in fields
    assert "  band(\n" in fields


def test_unknown_name_of_the_package_is_an_attribute_error() -> None:
    """Laziness does not hide a mistake."""
    with pytest.raises(AttributeError, match="no attribute 'Shema'"):
        gql_cluster.Shema  # noqa: B018
