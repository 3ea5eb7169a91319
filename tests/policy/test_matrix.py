"""Who may do what: everybody, at every root field of the schema, by the default policy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from graphql import build_schema

import gql_cluster
from schema import schema
from schema.bands.models import Band
from tests.api.socket_kit import socket_of
from tests.policy.people import ACTORS, People

pytestmark = pytest.mark.once

Outcomes = Callable[[str], str]
GUESTS = {"anonymous", "guest"}
OWNERS = {"owner", "editor"}
INSIDE = {*OWNERS, "joined", "joined editor"}
PERMITTED = {"editor", "joined editor"}


def anybody(actor: str) -> str:
    """All that is saved can be read."""
    del actor
    return "OK"


def users(actor: str) -> str:
    """Users only."""
    return "UNAUTHENTICATED" if actor in GUESTS else "OK"


def with_session(actor: str) -> str:
    """Whoever has a session: it shows nobody else's."""
    return "UNAUTHENTICATED" if actor == "anonymous" else "OK"


def seen(actor: str) -> str:
    """Those inside; to others it is not there."""
    return "UNAUTHENTICATED" if actor == "anonymous" else "OK" if actor in INSIDE else "null"


def inside(actor: str) -> str:
    """Those inside; others are told that it is not there."""
    return "NOT_FOUND" if seen(actor) == "null" else seen(actor)


def owners(actor: str) -> str:
    """The owner, whom the joined are not."""
    return "FORBIDDEN" if actor in INSIDE - OWNERS else inside(actor)


def permitted(actor: str) -> str:
    """Those inside with permissions."""
    return "FORBIDDEN" if actor in INSIDE - PERMITTED else inside(actor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A root field, and what it comes to for each; `ends` tells of a lasting one."""

    query: str
    outcome: Outcomes
    ends: bool = False

    def asked(self, people: People) -> str:
        """Return the operation, about the draft that is open now."""
        given = {"$pk": people.pk, "$draft": people.draft, "$link": people.link}
        query = self.query
        for name, value in given.items():
            query = query.replace(name, json.dumps(value))
        return query


def _mutation(call: str, returned: str = "errors { code }") -> str:
    return f"mutation {{ {call} {{ {returned} }} }}"


_EDIT = '[{ set: { origin: "Liverpool" } }]'
FIELDS: dict[str, Field] = {
    "band": Field(query="{ band(pk: $pk) { name } }", outcome=anybody),
    "bands": Field(query="{ bands { name } }", outcome=anybody),
    "bandsConnection": Field(
        query="{ bandsConnection { edges { node { name } } } }", outcome=anybody
    ),
    "node": Field(query="{ node(id: $draft) { id } }", outcome=seen),
    "draft": Field(query="{ draft(id: $draft) { version } }", outcome=seen),
    "exportDraft": Field(query="{ exportDraft(draft: $draft) }", outcome=seen),
    "drafts": Field(query="{ drafts { edges { node { id } } } }", outcome=with_session),
    "commits": Field(
        query="{ commits(cluster: $draft) { edges { node { id } } } }",
        outcome=anybody,
    ),
    "startSession": Field(query="mutation { startSession { id } }", outcome=users),
    "openBandDraft": Field(query=_mutation("openBandDraft(pk: $pk)"), outcome=users),
    "editBandDraft": Field(
        query=_mutation(f"editBandDraft(draft: $draft, changes: {_EDIT})"), outcome=inside
    ),
    "undoDraft": Field(query=_mutation("undoDraft(draft: $draft)"), outcome=inside),
    "redoDraft": Field(query=_mutation("redoDraft(draft: $draft)"), outcome=inside),
    "revertDraft": Field(query=_mutation("revertDraft(draft: $draft, version: 0)"), outcome=inside),
    "resetNodes": Field(
        query=_mutation('resetNodes(draft: $draft, keys: ["root"])'), outcome=inside
    ),
    "rebaseDraft": Field(query=_mutation("rebaseDraft(draft: $draft)"), outcome=inside),
    "setFocus": Field(query='mutation { setFocus(draft: $draft, key: "root") }', outcome=inside),
    "shareDraft": Field(query=_mutation("shareDraft(draft: $draft)"), outcome=owners),
    "commitBandDraft": Field(
        query=_mutation("commitBandDraft(draft: $draft)"), outcome=permitted, ends=True
    ),
    "discardDraft": Field(
        query=_mutation("discardDraft(draft: $draft)"), outcome=owners, ends=True
    ),
    "unshareDraft": Field(
        query=_mutation("unshareDraft(draft: $draft)"), outcome=owners, ends=True
    ),
    "joinDraft": Field(query=_mutation("joinDraft(token: $link)"), outcome=users, ends=True),
}
EVENTS = "subscription($draft: ID!) { draftEvents(draft: $draft) { __typename } }"


def test_the_matrix_has_every_root_field() -> None:
    """One that comes has to be put into it."""
    made = build_schema(gql_cluster.Schema(clusters=[Band]).as_str())
    roots = (made.query_type, made.mutation_type)
    assert {name for root in roots if root for name in root.fields} == set(FIELDS)
    assert made.subscription_type
    assert set(made.subscription_type.fields) == {"draftEvents"}


@pytest.mark.parametrize("actor", ACTORS)
async def test_each_root_field_for_each_who_asks(people: People, actor: str) -> None:
    """Anonymous, owner, joined, others and staff, without and with model permissions."""
    opener = actor if actor in OWNERS else "owner"
    await people.open(opener)
    asker = people.askers[actor]
    told: dict[str, tuple[str, str]] = {}
    for name, field in FIELDS.items():
        came_to = await asker.outcome(field.asked(people))
        if field.outcome(actor) != came_to:
            told[name] = field.outcome(actor), came_to
        if field.ends and came_to == "OK":
            await people.open(opener)
    assert told == {}, "expected and found"


async def test_nobody_joins_who_may_not_see(people: People) -> None:
    """A link that was refused has not let anybody in."""
    await people.open("owner")
    guest = people.askers["guest"]
    assert await guest.outcome(FIELDS["joinDraft"].asked(people)) == "UNAUTHENTICATED"
    assert await guest.outcome(FIELDS["editBandDraft"].asked(people)) == "NOT_FOUND"


@pytest.mark.parametrize("actor", ACTORS)
async def test_events_for_each_who_asks(people: People, actor: str) -> None:
    """Those inside hear of an edit and of the end; others, of nothing."""
    opener = actor if actor in OWNERS else "owner"
    await people.open(opener)
    async with socket_of(schema, people.askers[actor].token, {"host": "testserver"}) as socket:
        await socket.watch(EVENTS, draft=people.draft)
        first = await socket.receive()
        if actor not in INSIDE:
            code = first["payload"][0]["extensions"]["code"]
            assert (first["type"], code) == ("error", inside(actor))
            return
        kinds = [first["payload"]["data"]["draftEvents"]["__typename"]]
        owner = people.askers[opener]
        for field in (FIELDS["editBandDraft"], FIELDS["discardDraft"]):
            assert await owner.outcome(field.asked(people)) == "OK"
        while (message := await socket.receive())["type"] != "complete":
            kinds.append(message["payload"]["data"]["draftEvents"]["__typename"])
    told = [kind for kind in kinds if kind != "EditorsChanged"]
    assert told == ["DraftSnapshot", "DraftEdited", "DraftDiscarded"]


@pytest.mark.parametrize("people", [True], indirect=True, ids=["anybody"])
@pytest.mark.parametrize("actor", ["anonymous", "guest", "owner", "joined", "other"])
async def test_with_anonymous_editing_a_session_is_all_it_takes(people: People, actor: str) -> None:
    """A draft is still its session's."""

    def outcome(name: str, field: Field) -> str:
        if name == "startSession":
            return "OK"
        if actor == "anonymous" and name in {"openBandDraft", "joinDraft"}:
            return "UNAUTHENTICATED"
        if name in {"openBandDraft", "joinDraft"}:
            return "OK"
        return inside(actor) if name == "commitBandDraft" else field.outcome(actor)

    await people.open("owner")
    asker = people.askers[actor]
    told: dict[str, Any] = {}
    for name, field in FIELDS.items():
        came_to = await asker.outcome(field.asked(people))
        if came_to != outcome(name, field):
            told[name] = came_to
        if field.ends and came_to == "OK":
            await people.open("owner")
    assert told == {}, json.dumps(told)
