"""What a document and its variables may ask for, wherever they are sent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from graphql import get_introspection_query
from strawberry.types.graphql import OperationType

from gql_cluster.api.cost import worked_out
from gql_cluster.api.documents import check_variables, read_document
from gql_cluster.conf import Settings
from schema import schema as service
from tests.api.schema_kit import Client, Limit, add_member

pytestmark = pytest.mark.once

DEFAULTS = Settings()
TOO_COMPLEX = ["QUERY_TOO_COMPLEX"]
INTROSPECTION = get_introspection_query(
    specified_by_url=True,
    directive_is_repeatable=True,
    schema_description=True,
    input_value_deprecation=True,
    one_of=True,
    type_depth=13,
)
README = re.findall(
    r"gql '([^']+)'", Path("README.md").read_text(encoding="utf-8").replace("'$DRAFT'", "draft")
)


def cost(query: str, **variables: Any) -> int:
    """Return what an operation costs."""
    document = read_document(query, DEFAULTS, {})
    operation = document.operation(service.documents.schema, None, DEFAULTS)
    assert operation is not None
    return worked_out(operation.cost, variables, DEFAULTS)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ __typename }", 1),
        ("{ bands { name } }", 1 + 10),
        ("{ bands { name members { name left } } }", 1 + 10 * (2 + 10 * 2)),
        ("{ bands(pagination: {limit: 3}) { name } }", 1 + 3),
        ("{ bands(pagination: {limit: 0}) { name } }", 1),
        ("{ bands(pagination: {limit: -1}) { name } }", 1 + 100),
        ("{ bands(pagination: {offset: 5}) { name } }", 1 + 100),
        ("{ bandsConnection(first: 4) { totalCount edges { node { name } } } }", 3 + 4 * 2),
        (
            (
                "{ bandsConnection(last: 4) { ...B } } fragment B on BandConnection"
                " { edges { node { ... { name } } } }"
            ),
            2 + 4 * 2,
        ),
        (
            "{ bands { albumsConnection(first: 2) { edges { cursor } } } }",
            1 + 10 * (2 + 2),
        ),
        ("{ a: bands { ...B } b: bands { ...B ...B } } fragment B on Band { name }", 2 + 30),
    ],
)
def test_a_field_is_one_and_a_list_as_many_as_its_page(query: str, expected: int) -> None:
    """Or as ten, where it has none; a fragment as many as if it were written out."""
    assert cost(query) == expected


def test_introspection_is_as_much_as_the_schema_has_on_average() -> None:
    """Types a type of a type is wrapped in are counted once."""
    types = len(service.documents.schema.type_map)
    assert cost("{ __schema { types { name } } }") == 2 + types
    assert cost('{ __type(name: "Band") { ofType { ofType { ofType { name } } } } }') == 3


def test_variables_say_how_long_a_page_is() -> None:
    """Alone, in an object, as the whole object, and by their defaults."""
    query = "($n: Int = 7, $p: OffsetPaginationInput) {{ {} }}".format
    first = f"query{query('bandsConnection(first: $n) { edges { cursor } }')}"
    assert [cost(first, n=20), cost(first), cost(first, n=None), cost(first, n="x")] == [
        22,
        9,
        12,
        12,
    ]
    limit = f"query{query('bands(pagination: {limit: $n}) { name }')}"
    assert [cost(limit, n=20), cost(limit)] == [21, 8]
    whole = f"query{query('bands(pagination: $p) { name members(pagination: $p) { name } }')}"
    found = [cost(whole, p={"limit": 20}), cost(whole, p={}), cost(whole)]
    assert found == [1 + 20 * (2 + 20), 1 + 100 * (2 + 100), 1 + 10 * (2 + 10)]
    named = "query($p: OffsetPaginationInput = {limit: 4}) { bands(pagination: $p) { name } }"
    assert cost(named) == 5


async def test_pages_in_variables_are_refused_where_they_are_too_long_or_too_many(
    client: Client,
) -> None:
    """The same document passes with others."""
    query = (
        "query($n: Int) { bands(pagination: {limit: $n}) { members(pagination: {limit: $n})"
        " { name band { albums(pagination: {limit: $n}) { title } } } } }"
    )
    assert await client.codes(query, n=10) == []
    assert await client.codes(query, n=90) == TOO_COMPLEX
    assert await client.codes(query, n=101) == TOO_COMPLEX
    assert await client.codes("{ bandsConnection(first: 101) { totalCount } }") == TOO_COMPLEX
    assert await client.codes("{ bandsConnection(first: -1) { totalCount } }") == ["BAD_USER_INPUT"]
    last = "query($n: Int!) { bandsConnection(last: $n) { edges { cursor } } }"
    assert await client.codes(last, n=-1) == ["BAD_USER_INPUT"]
    assert await client.codes(last, n=10**400) == TOO_COMPLEX


@pytest.mark.parametrize(
    ("limits", "query"),
    [
        ({"MAX_DOCUMENT_LENGTH": 20}, "{ __typename } # more"),
        ({"MAX_TOKENS": 4}, "{ a: __typename }"),
        ({"MAX_TOKENS": 4}, "{ __typename }\n#\n#\n#\n#\n#\n"),
        ({"MAX_OPERATIONS": 1}, "query a { __typename } query b { __typename }"),
        ({"MAX_DEPTH": 3}, "{ bands { albums { songs { title } } } }"),
        (
            {"MAX_DEPTH": 3},
            (
                "{ ...A } fragment A on Query { bands { ...B } }"
                " fragment B on Band { albums { ... { songs { title } } } }"
            ),
        ),
        ({"MAX_FIELDS": 3}, "{ a: bands { id } b: bands { id } }"),
        (
            {"MAX_FIELDS": 8},
            (
                "{ bands { ...A ...A } } fragment A on Band { ...B ...B }"
                " fragment B on Band { id name }"
            ),
        ),
        ({"MAX_ALIASES": 1}, "{ a: __typename b: __typename }"),
        ({"MAX_DIRECTIVES": 1}, "{ __typename @skip(if: true) @include(if: true) }"),
        ({"MAX_COMPARISONS": 5}, "{ bands { id id id id id } }"),
        ({"MAX_INPUT_DEPTH": 2}, '{ bands(filters: {name: {exact: "a"}}) { id } }'),
        ({"MAX_COST": 10}, "{ bands { id } }"),
        ({"MAX_PAGE": 5, "MAX_COST": 9}, "{ bands(pagination: {limit: 6}) { id } }"),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else "",
)
async def test_past_a_limit_a_document_is_refused_on_every_transport(
    client: Client, limit: Limit, limits: dict[str, int], query: str
) -> None:
    """Nothing of it is executed; a stream tells it and ends; by one more it passes."""
    limit(**limits)
    result = await client.send(query)
    assert [error.extensions["code"] for error in result.errors] == TOO_COMPLEX
    assert result.data is None
    assert await client.streamed_codes(query) == TOO_COMPLEX
    await client.schema.engine.aclose()
    (name, most), *_ = limits.items()
    limit(**{**limits, name: most + 1})
    if "MAX_PAGE" not in limits and name != "MAX_COMPARISONS":
        assert "QUERY_TOO_COMPLEX" not in await client.codes(query)


async def test_a_subscription_is_refused_like_any_other(client: Client, limit: Limit) -> None:
    """Before it begins."""
    limit(MAX_DEPTH=2)
    query = 'subscription { draftEvents(draft: "x") { draft { cluster { id } } } }'
    assert await client.streamed_codes(query) == TOO_COMPLEX
    (told,) = [result async for result in client.stream(query)]
    assert [error.extensions["code"] for error in told.errors] == TOO_COMPLEX


@pytest.mark.parametrize("name", [None, "q"])
@pytest.mark.parametrize("query", ["{", "{ a(b: ) }", "nothing"])
async def test_what_is_no_graphql_says_so_whatever_the_operation_is_called(
    client: Client, query: str, name: str | None
) -> None:
    """Also where only some operations are allowed."""
    result = await client.schema.execute(
        query, operation_name=name, allowed_operation_types={OperationType.QUERY}
    )
    assert [error.extensions["code"] for error in result.errors] == ["GRAPHQL_PARSE_FAILED"]


def test_variables_hold_so_many_values_and_so_deep() -> None:
    """Those of a usual request are far from it."""
    small = Settings(MAX_INPUT_DEPTH=3, MAX_INPUT_VALUES=10)
    check_variables({"a": [{"b": 1}], "c": "x" * 100}, small)
    with pytest.raises(Exception, match="3 levels"):
        check_variables({"a": [{"b": [1]}]}, small)
    with pytest.raises(Exception, match="10 values"):
        check_variables({"a": [*range(10)]}, small)
    with pytest.raises(Exception, match="10 values"):
        check_variables({"a": [[1, 2, 3, 4], {"a": 1, "b": 2, "c": 3, "d": 4}]}, small)


async def test_introspection_and_the_documents_of_the_readme_pass(client: Client) -> None:
    """By the defaults, without a change."""
    assert await client.codes(INTROSPECTION) == []
    assert len(README) >= 6
    for each in README:
        assert "QUERY_TOO_COMPLEX" not in await client.codes(each)


async def test_errors_of_validation_are_few_and_short(client: Client) -> None:
    """However many there are, and however long what is wrong."""
    result = await client.send("{ " + " ".join(f"unknown{n}" for n in range(1000)) + " }")
    assert len(result.errors) == DEFAULTS.MAX_ERRORS + 1
    assert result.errors[-1].message == "There are more errors than these."
    assert {each.extensions["code"] for each in result.errors} == {"GRAPHQL_VALIDATION_FAILED"}
    members = " ".join(f"u{n}: 1" for n in range(500))
    result = await client.send(
        f"mutation {{ openBandDraft(data: {{{members}}}) {{ errors {{ code }} }} }}"
    )
    assert max(len(each.message) for each in result.errors) <= 501


async def test_a_valid_document_is_parsed_and_validated_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is the same object in the next request; one that is refused is not kept."""
    documents = client.schema.documents
    query = "{ once: __typename }"
    assert documents.get(query) is None
    assert await client.codes(query) == []
    kept = documents.get(query)
    assert kept is not None
    monkeypatch.setattr("gql_cluster.api.limits.read_document", None)
    monkeypatch.setattr("gql_cluster.api.validated.validate", None)
    assert await client.codes(query) == []
    assert documents.get(query) is kept
    monkeypatch.undo()
    for wrong in ("{ unknown }", "{", "{" * 100):
        await client.codes(wrong)
        assert documents.get(wrong) is None


async def test_documents_are_kept_up_to_so_many_bytes(client: Client, limit: Limit) -> None:
    """The least recently used are forgotten first; one with no room is not kept at all."""
    limit(DOCUMENT_CACHE_BYTES=100_000)
    documents = client.schema.documents
    queries = [f"{{ {' '.join(f'a{n}x{m}: __typename' for m in range(9))} }}" for n in range(20)]
    for query in queries:
        await client.codes(query)
        await client.codes(queries[0])
    kept = [query for query in queries if documents.get(query)]
    assert queries[0] in kept
    assert queries[-1] in kept
    assert len(kept) < 10
    long = f"{{ {' '.join(f'a{m}: __typename' for m in range(150))} }}"
    assert await client.codes(long) == []
    assert documents.get(long) is None


async def test_another_operation_of_a_document_that_is_kept_has_its_own_cost(
    client: Client, limit: Limit
) -> None:
    """And one that is not in it is refused as ever."""
    limit(MAX_COST=50)
    query = "query a { __typename } query b { bands { members { id } } }"

    async def codes(name: str) -> list[str]:
        result = await client.schema.execute(
            query, operation_name=name, context_value=client.context
        )
        return [error.extensions["code"] for error in result.errors or ()]

    assert [await codes(name) for name in ("a", "b", "a", "b")] == [[], TOO_COMPLEX] * 2


async def test_what_a_draft_or_a_session_may_not_hold_is_told_in_the_payload(
    client: Client, limit: Limit
) -> None:
    """As what a client can act on; nothing is staged or opened."""
    limit(MAX_DRAFTS=1, MAX_NODES=3, MAX_FIELD_BYTES=50)
    opening = 'mutation { it: openBandDraft(data: {name: "One"}) { draft { id } errors { code } } }'
    draft = (await client.data(opening))["it"]["draft"]["id"]
    refused = (await client.data(opening))["it"]
    assert refused == {"draft": None, "errors": [{"code": "LIMIT_EXCEEDED"}]}
    for change in (
        {"members": {"add": [{"name": name, "instrument": "BASS"} for name in "abc"]}},
        {"set": {"biography": "x" * 51}},
    ):
        (error,) = (await client.edit(draft, change))["errors"]
        assert error["code"] == "LIMIT_EXCEEDED"
    assert (error["key"], error["field"]) == ("root", "biography")
    payload = await client.edit(draft, add_member("a"))
    assert (payload["draft"]["version"], payload["errors"]) == (1, [])
