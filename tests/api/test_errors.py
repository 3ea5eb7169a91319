"""Errors: each has its code, and says no more than the client may know."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import strawberry
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from graphql import GraphQLError

import gql_cluster
from gql_cluster.api.ids import DraftId, SavedId
from gql_cluster.domain.error import (
    ConflictError,
    NotFoundError,
    StoreUnavailableError,
    UnauthenticatedError,
)
from schema.bands.models import Band, BandMember
from tests.api.schema_kit import ERRORS, Client, add_member, make_band

RAISED: dict[str, Exception] = {
    "store": StoreUnavailableError.of("redis://:secret@host"),
    "operational": OperationalError("password=secret"),
    "interface": InterfaceError("secret"),
    "nobody": UnauthenticatedError.of("Who are you?"),
    "missing": NotFoundError.of("Not there."),
    "denied": PermissionDenied("Not you."),
    "bug": KeyError("secret"),
    "own": GraphQLError("Spoken to the client."),
    "coded": GraphQLError("Coded.", extensions={"code": "MINE"}),
}


@strawberry.type
class Faulty:
    """Fields that fail."""

    @strawberry.field
    async def fail(self, how: str) -> str | None:
        """Raise."""
        raise RAISED[how]

    @strawberry.field
    def flag(self, on: bool = True) -> bool:  # noqa: FBT001, FBT002
        """Take a flag that may be left out, and not be null."""
        return on


@strawberry.type
class Ticks:
    """A subscription that fails behind its first event."""

    @strawberry.subscription
    async def ticks(self, how: str) -> AsyncIterator[int]:
        """Tick once."""
        yield 1
        raise RAISED[how]


SCHEMA = gql_cluster.Schema(clusters=[Band], query=Faulty, subscription=Ticks)


def codes_of(result: Any) -> list[str]:
    """Return the codes of a result's errors."""
    return [error.extensions["code"] for error in result.errors or ()]


@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        ("store", "STORE_UNAVAILABLE", "The drafts can't be reached now. Try again."),
        ("operational", "DATABASE_UNAVAILABLE", "The database can't be reached now. Try again."),
        ("interface", "DATABASE_UNAVAILABLE", "The database can't be reached now. Try again."),
        ("nobody", "UNAUTHENTICATED", "Who are you?"),
        ("missing", "NOT_FOUND", "Not there."),
        ("denied", "FORBIDDEN", "Not you."),
        ("bug", "INTERNAL", "Something went wrong on the server."),
        ("coded", "MINE", "Coded."),
        ("own", None, "Spoken to the client."),
    ],
)
async def test_exception_becomes_a_coded_error(how: str, code: str | None, message: str) -> None:
    """The code is the contract; no secret is in the message."""
    result = await SCHEMA.execute("query($how: String!) { fail(how: $how) }", {"how": how})
    (error,) = result.errors or []
    assert (error.message, error.path) == (message, ["fail"])
    assert (error.extensions or {}).get("code") == code
    assert "secret" not in str(error.formatted)


async def test_stream_that_fails_ends_with_a_coded_error() -> None:
    """What was sent before stays sent."""
    results = [each async for each in await SCHEMA.subscribe('subscription { ticks(how: "bug") }')]
    first, last = results
    assert first.data == {"ticks": 1}
    (error,) = last.errors or []
    assert error.message == "Something went wrong on the server."
    assert (error.extensions or {})["code"] == "INTERNAL"


async def test_fault_of_the_server_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With its traceback, and the id that the client got; what the client did wrong is not."""
    caplog.set_level(logging.INFO)
    await SCHEMA.execute('{ fail(how: "missing") }')
    assert caplog.records == []
    result = await SCHEMA.execute('{ fail(how: "bug") }')
    (error,) = result.errors or []
    (record,) = caplog.records
    assert vars(record)["error_id"] == (error.extensions or {})["id"]
    assert (record.name, record.levelname) == ("gql_cluster", "ERROR")
    assert record.exc_info is not None
    assert record.exc_info[1] is RAISED["bug"]


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("{ fail }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("{ fail(how: 1) }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("query($how: String!) { fail(how: $how) }", {}, "BAD_USER_INPUT"),
        ("query($how: String!) { fail(how: $how) }", {"how": 1}, "BAD_USER_INPUT"),
        ("query($on: Boolean = true) { flag(on: $on) }", {"on": None}, "BAD_USER_INPUT"),
    ],
)
async def test_request_that_is_none_gets_a_code_of_apollo(
    query: str, variables: dict[str, Any], code: str
) -> None:
    """Sent twice, because what is cached of the first must answer the same."""
    for _ in range(2):
        result = await SCHEMA.execute(query, variables)
        assert codes_of(result) == [code]
        stream = [each async for each in await SCHEMA.stream(query, variables)]
        assert codes_of(stream[0]) == [code]


EDIT = (
    "mutation($draft: ID!, $changes: [BandChange!]!)"
    " { editBandDraft(draft: $draft, changes: $changes) { draft { version } " + ERRORS + " } }"
)


@pytest.mark.parametrize(
    "change",
    [
        {"set": {"status": "NONE_SUCH"}},
        {"set": {"formed": "1960"}},
        {"set": {"createdAt": "2024-01-01"}},
        {"set": {"name": "a"}, "genres": {"clear": True}},
        {"set": None},
        {},
        {"members": {"add": [{"name": "a", "position": 0.5}]}},
        {"albums": {"move": {"key": "a", "to": "FIRST"}}},
        {"albums": {"add": [{"songs": [{"duration": "long"}]}]}},
        {"nothing": {}},
    ],
)
async def test_input_of_a_wrong_shape_is_bad_user_input(client: Client, change: object) -> None:
    """Unknown members and enum values, wrong types, and not one of @oneOf: nothing is staged."""
    draft = await client.open(data={"name": "Wings"})
    good = {"set": {"name": "staged?"}}
    assert await client.codes(EDIT, draft=draft, changes=[good, change]) == ["BAD_USER_INPUT"]
    assert (await client.edit(draft, good))["draft"]["version"] == 1


async def test_one_wrong_change_stages_none(client: Client) -> None:
    """The error names the change by its index, and what is wrong by key, field and path."""
    pk, _ = await make_band()
    draft = await client.open(pk=pk)
    payload = await client.edit(
        draft,
        {"set": {"name": "A"}},
        add_member("john"),
        add_member("paul", "Paul"),
        {"members": {"update": {"key": "nobody", "set": {"name": "X"}}}},
        {"set": {"name": "B"}},
    )
    (error,) = payload["errors"]
    assert payload["draft"] is None
    assert (error["code"], error["key"], error["change"]) == ("INVALID_CHANGE", "nobody", 3)
    assert error["path"] == ["members", "nobody"]
    data = await client.data("query($id: ID!) { draft(id: $id) { version isDirty } }", id=draft)
    assert data["draft"] == {"version": 0, "isDirty": False}


WRONG: list[tuple[list[dict[str, Any]], str | None, str | None]] = [
    ([], None, None),
    ([{"set": {"name": None}}], "root", "name"),
    ([{"genres": {"add": ["999"]}}], "root", "genres"),
    ([{"genres": {"add": ["x"]}}], "root", "genres"),
    ([add_member("a"), add_member("a")], "a", None),
    ([add_member("not a key")], "not a key", None),
    ([add_member("a", position=7)], "a", None),
    ([{"members": {"remove": ["gone"]}}], "gone", None),
]


@pytest.mark.parametrize(("changes", "key", "field"), WRONG)
async def test_change_that_can_not_be_is_data(
    client: Client, changes: list[dict[str, Any]], key: str | None, field: str | None
) -> None:
    """Its code is INVALID_CHANGE; key and field say where."""
    draft = await client.open(data={"name": "Wings"})
    payload = await client.edit(draft, *changes)
    (error,) = payload["errors"]
    assert (error["code"], error["key"], error["field"]) == ("INVALID_CHANGE", key, field)
    assert payload["draft"] is None


@pytest.mark.parametrize(
    "id_",
    [
        "",
        "garbage",
        str(DraftId(cluster="Band", draft="gone")),
        str(DraftId(cluster="Band", draft="}{\x00")),
        str(SavedId(type="Band", pk="1")),
    ],
)
async def test_what_is_no_draft_is_not_found(client: Client, id_: str) -> None:
    """For queries null, for mutations data, for subscriptions a GraphQL error."""
    data = await client.data("query($id: ID!) { draft(id: $id) { id } }", id=id_)
    assert data["draft"] is None
    assert (await client.edit(id_, {"set": {"name": "a"}}))["errors"][0]["code"] == "NOT_FOUND"
    follow = "subscription($id: ID!) { draftEvents(draft: $id) { version } }"
    (result,) = [each async for each in client.stream(follow, id=id_)]
    assert [error.extensions["code"] for error in result.errors] == ["NOT_FOUND"]


async def test_draft_of_another_is_not_found(client: Client) -> None:
    """Another session can neither see nor change it; another type's mutation does not take it."""
    draft = await client.open(data={"name": "Wings"})
    bob = Client(schema=client.schema, session="bob")
    query = "query($id: ID!) { draft(id: $id) { id } node(id: $id) { id } }"
    assert await bob.data(query, id=draft) == {"draft": None, "node": None}
    assert (await bob.edit(draft, add_member("a")))["errors"][0]["code"] == "NOT_FOUND"
    data = await client.data(
        f"mutation($id: ID!) {{ it: commitMovieDraft(draft: $id) {{ {ERRORS} }} }}", id=draft
    )
    assert data["it"]["errors"][0]["code"] == "NOT_FOUND"


async def test_nobody_is_unauthenticated(client: Client) -> None:
    """Whoever has no session can do nothing with drafts."""
    draft = await client.open(data={"name": "Wings"})
    nobody = Client(schema=client.schema, session=None)
    query = "query($id: ID!) { draft(id: $id) { id } }"
    assert await nobody.codes(query, id=draft) == ["UNAUTHENTICATED"]
    assert await nobody.codes(EDIT, draft=draft, changes=[add_member("a")]) == ["UNAUTHENTICATED"]
    assert await nobody.codes("mutation { openBandDraft { draft { id } } }") == ["UNAUTHENTICATED"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ('copyOf: "1", data: {name: "a"}', "INVALID_CHANGE"),
        ('pk: "1", copyOf: "1"', "INVALID_CHANGE"),
        ('pk: "999"', "NOT_FOUND"),
        ('pk: "x"', "NOT_FOUND"),
        ('copyOf: "999"', "NOT_FOUND"),
        ('data: {genres: ["999"]}', "INVALID_CHANGE"),
    ],
)
async def test_what_can_not_be_opened_is_data(client: Client, arguments: str, code: str) -> None:
    """At most one of the three, and it has to be there."""
    data = await client.data(
        f"mutation {{ it: openBandDraft({arguments}) {{ draft {{ id }} {ERRORS} }} }}"
    )
    assert (data["it"]["draft"], data["it"]["errors"][0]["code"]) == (None, code)


async def test_closed_and_stale_are_told(client: Client) -> None:
    """An expected version that is behind, and a draft that was discarded."""
    draft = await client.open(data={"name": "Wings"})
    await client.edit(draft, add_member("a"))
    data = await client.data(
        "mutation($id: ID!) { it: editBandDraft(draft: $id, expectedVersion: 0,"
        f' changes: [{{set: {{name: "b"}}}}]) {{ {ERRORS} }} }}',
        id=draft,
    )
    assert data["it"]["errors"][0]["code"] == "STALE_VERSION"
    for code in (None, "CLOSED"):
        data = await client.data(
            f"mutation($id: ID!) {{ it: discardDraft(draft: $id) {{ {ERRORS} }} }}", id=draft
        )
        assert [error["code"] for error in data["it"]["errors"]] == ([code] if code else [])


async def test_conflict_names_both_values(client: Client) -> None:
    """In the form in which an input takes them; nothing of the draft is saved."""
    pk, _ = await make_band()
    draft = await client.open(pk=pk)
    await client.edit(draft, {"set": {"status": "ON_HIATUS"}})
    await Band.objects.filter(pk=pk).aupdate(status="disbanded")
    data = await client.data(
        "mutation($id: ID!) { it: commitBandDraft(draft: $id)"
        f" {{ conflicts {{ kind key path field base theirs mine }} {ERRORS} }} }}",
        id=draft,
    )
    assert {error["code"] for error in data["it"]["errors"]} == {"CONFLICT"}
    (conflict,) = data["it"]["conflicts"]
    assert (conflict["kind"], conflict["key"], conflict["field"]) == ("FIELD", "root", "status")
    assert [conflict[name] for name in ("base", "theirs", "mine")] == [
        "ACTIVE",
        "DISBANDED",
        "ON_HIATUS",
    ]


async def test_conflict_of_an_order_names_the_relation(client: Client) -> None:
    """It has no values to show, for there is none of a single node."""
    pk, _ = await make_band()
    for position in (10, 20, 30):
        await BandMember.objects.acreate(
            band_id=int(pk), name=f"Member {position}", instrument="bass", position=position
        )
    first = await BandMember.objects.aget(band_id=int(pk), position=10)
    draft = await client.open(pk=pk)
    key = f"BandMember:{first.pk}"
    await client.edit(draft, {"members": {"move": {"key": key, "to": "LAST"}}})
    await BandMember.objects.filter(pk=first.pk).aupdate(position=25)
    data = await client.data(
        "mutation($id: ID!) { it: commitBandDraft(draft: $id)"
        f" {{ conflicts {{ kind key path field base theirs mine }} {ERRORS} }} }}",
        id=draft,
    )
    assert data["it"]["conflicts"] == [
        {
            "kind": "ORDER",
            "key": "root",
            "path": ["members"],
            "field": "members",
            "base": None,
            "theirs": None,
            "mine": None,
        }
    ]


def test_every_payload_code_is_one_of_the_domain() -> None:
    """The enum in the schema can't name what the engine never says."""
    assert ConflictError.code.name in SCHEMA.as_str().split("enum ErrorCode {")[1].split("}")[0]
