"""Documents and variables made to be expensive: each is refused before it costs anything.

In process, by the service's own schema and the limits that it has by default.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from graphql import get_introspection_query

from schema import schema
from tests.api.schema_kit import Client
from tests.attacks.figures import record

pytestmark = pytest.mark.once

TOO_COMPLEX, INVALID = "QUERY_TOO_COMPLEX", "GRAPHQL_VALIDATION_FAILED"
SECONDS = 5.0
"""How long a busy machine may take. A quiet one takes less than 100 ms: see the figures."""
JSON = "mutation {{ openBandDraft(json: {}) {{ errors {{ code }} }} }}".format
DATA = "mutation {{ openBandDraft(data: {{{}}}) {{ errors {{ code }} }} }}".format
EDIT = """
  mutation($v: [BandChange!]!) { editBandDraft(draft: "x", changes: $v) { errors { code } } }
"""
EACH = " ".join(f"...F{number}" for number in range(30))
ID = "fragment F{0} on Band {{ id }}".format


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client that needs no database, and a heap that is not swept while the clock runs."""
    assert (await schema.execute("{ __typename }")).errors is None
    gc.collect()
    gc.freeze()
    yield Client(schema=schema)
    gc.unfreeze()
    await schema.engine.aclose()


def repeated(text: str, count: int) -> str:
    """Return a text so many times, each with its number in place of `{0}`."""
    return " ".join(text.replace("{0}", str(number)) for number in range(count))


def chained(body: str, count: int) -> str:
    """Return a query with fragments of which each spreads the next one, as `{1}`."""
    return (
        "{ bands { ...F0 } } "
        + " ".join(
            f"fragment F{number} on Band {{ {body.replace('{1}', f'...F{number + 1}')} }}"
            for number in range(count)
        )
        + ID(count)
    )


def nested(opening: str, closing: str, count: int, inside: str = "id") -> str:
    """Return something that is nested so often."""
    return opening * count + inside + closing * count


ATTACKS = {
    # Fragments.
    "fragments that double at each level": (chained("{1} {1}", 100), TOO_COMPLEX),
    "fragments that double by aliases": (chained("a: id b: id {1} {1}", 100), TOO_COMPLEX),
    "fragments that go deeper and deeper": (chained("members { band { {1} } }", 100), TOO_COMPLEX),
    "a chain of fragments": (chained("id {1}", 300), TOO_COMPLEX),
    "fragments that spread all others": (
        "{ bands { ...F0 } } " + repeated(f"fragment F{{0}} on Band {{ id {EACH} }}", 30),
        TOO_COMPLEX,
    ),
    "a fragment that spreads itself": (
        "{ bands { ...F } } fragment F on Band { id ...F }",
        INVALID,
    ),
    "many fragments side by side": (
        f"{{ bands {{ {repeated('...F{0}', 120)} }} }} "
        + repeated("fragment F{0} on Band { name id members { id } }", 120),
        TOO_COMPLEX,
    ),
    "many inline fragments": (
        f"{{ bands {{ {repeated('... { id }', 390)} }} }}",
        TOO_COMPLEX,
    ),
    # Fields.
    "one field again and again": (f"{{ {repeated('__typename', 1950)} }}", TOO_COMPLEX),
    "one list again and again": (f"{{ {repeated('bands { id name }', 390)} }}", TOO_COMPLEX),
    "lists in one list again and again": (
        f"{{ bands {{ {repeated('albums { songs { title title title } }', 140)} }} }}",
        TOO_COMPLEX,
    ),
    "thousands of aliases": (f"{{ {repeated('a{0}: __typename', 490)} }}", TOO_COMPLEX),
    "aliases of one list": (f"{{ {repeated('a{0}: bands { id }', 320)} }}", TOO_COMPLEX),
    "aliases in one list again and again": (
        f"{{ {repeated('bands { a{0}: name }', 320)} }}",
        TOO_COMPLEX,
    ),
    "thousands of levels": (f"{{ {nested('node { ', '} ', 2000)} }}", TOO_COMPLEX),
    "a hundred levels": (
        f"{{ bands {{ {nested('albums { band { ', '} } ', 50)} }} }}",
        TOO_COMPLEX,
    ),
    # Directives.
    "directives on one field": (
        f"{{ __typename {repeated('@skip(if: false)', 280)} }}",
        TOO_COMPLEX,
    ),
    "directives on many fields": (
        f"{{ {repeated('a: __typename @skip(if: true) @include(if: true)', 140)} }}",
        TOO_COMPLEX,
    ),
    # Values.
    "deep lists": (
        JSON(nested("[", "]", 140, "1")),
        TOO_COMPLEX,
    ),
    "very deep lists": (
        JSON(nested("[", "]", 1400, "1")),
        TOO_COMPLEX,
    ),
    "deep filters": (
        f"{{ bands(filters: {nested('{AND: ', '}', 60, '{}')}) {{ id }} }}",
        TOO_COMPLEX,
    ),
    "deep types of variables": (f"query($v: {nested('[', ']', 300, 'Int')}) {{ __typename }}",
                                TOO_COMPLEX),
    # Text.
    "a long document": ("{ __typename }" + " " * 3_000_000, TOO_COMPLEX),
    "comments": ("#\n" * 45_000 + "{ __typename }", TOO_COMPLEX),
    "a long name": (f"{{ {'a' * 90_000} }}", INVALID),
    "tens of thousands of tokens": ("{ " + "a " * 45_000 + "}", TOO_COMPLEX),
    # Operations.
    "many operations": (repeated("query q{0} { __typename }", 390), TOO_COMPLEX),
    "many operations of one fragment": (
        repeated("query q{0}($v: ID!) { ...F }", 100)
        + f"fragment F on Query {{ {repeated('b{0}: band(pk: $v) { id }', 60)} }}",
        TOO_COMPLEX,
    ),
    # Errors.
    "a thousand unknown fields": (f"{{ {repeated('unknown{0}', 1950)} }}", INVALID),
    "ten thousand unknown fields": (f"{{ {repeated('unknown{0}', 10_000)} }}", TOO_COMPLEX),
    "unknown arguments": (f"{{ bands({repeated('u{0}: 1', 640)}) {{ id }} }}", INVALID),
    "unknown members of an input": (
        DATA(repeated("u{0}: 1", 600)),
        INVALID,
    ),
    "unknown types of variables": (
        f"query({repeated('$u{0}: Bant{0}', 390)}) {{ __typename }}",
        INVALID,
    ),
    "variables that nothing uses": (
        f"query({repeated('$u{0}: Int', 390)}) {{ __typename }}",
        INVALID,
    ),
    # Introspection.
    "types of fields of types": (
        f"{{ __schema {{ types {{ {nested('fields { type { ', '} } ', 4, 'name')} }} }} }}",
        INVALID,
    ),
    "types of types": (
        f"{{ __schema {{ types {{ {nested('ofType { ', '} ', 40, 'name')} }} }} }}",
        TOO_COMPLEX,
    ),
    "introspection a hundred times": (
        f"{{ {repeated('a{0}: __schema { types { fields { type { name } } } }', 120)} }}",
        TOO_COMPLEX,
    ),
    # Cost.
    "lists in lists in lists": (
        "{ bands { albums { songs { album { songs { album { songs { title } } } } } } } }",
        TOO_COMPLEX,
    ),
    "long pages in long pages": (
        ("{ bands(pagination: {limit: 100}) { members(pagination: {limit: 100}) { band {"
        " albums(pagination: {limit: 100}) { title } } } } }"),
        TOO_COMPLEX,
    ),
    "a page without an end": ("{ bands(pagination: {limit: 2147483647}) { id } }", TOO_COMPLEX),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_document_is_refused_soon_and_says_little(client: Client, name: str) -> None:
    """With the code of a limit, or of what is wrong; a text names a limit and nothing inside."""
    query, code = ATTACKS[name]
    await refused(client, name, code, query)


def bomb(depth: int) -> Any:
    """Return a list in a list and so on."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def pages(count: int) -> Iterator[str]:
    """Yield lists in lists, each with a page that a variable gives."""
    for number in range(count):
        yield f"members(pagination: {{limit: $v}}) {{ a{number}: band {{"


VARIABLES: dict[str, tuple[str, Any, str]] = {
    "a deep variable": ("query($v: JSON) { __typename @skip(if: false) }", bomb(900), INVALID),
    "a deep variable that is used": (
        "mutation($v: JSON) { openBandDraft(json: $v) { errors { code } } }",
        bomb(900),
        TOO_COMPLEX,
    ),
    "a deep filter": (
        "query($v: BandFilter) { bands(filters: $v) { id } }",
        json.loads('{"AND":' * 300 + "{}" + "}" * 300),
        TOO_COMPLEX,
    ),
    "a huge list": (
        "query($v: [ID!]) { bands(filters: {pk: {inList: $v}}) { id } }",
        ["1"] * 500_000,
        TOO_COMPLEX,
    ),
    "hundreds of thousands of changes": (
        EDIT,
        [{"members": {"clear": True}}] * 100_000,
        TOO_COMPLEX,
    ),
    "changes that are none": (
        EDIT,
        [{}] * 20_000,
        "BAD_USER_INPUT",
    ),
    "long pages in long pages": (
        f"query($v: Int) {{ bands {{ {' '.join(pages(3))} id {'}}' * 3} }} }}",
        99,
        TOO_COMPLEX,
    ),
    "a page without an end": (
        "query($v: Int) { bandsConnection(first: $v) { totalCount } }",
        10**9,
        TOO_COMPLEX,
    ),
}


@pytest.mark.parametrize("name", VARIABLES)
async def test_variables_are_refused_soon(client: Client, name: str) -> None:
    """However deep, however many, and whatever pages they ask for."""
    query, value, code = VARIABLES[name]
    await refused(client, f"variables: {name}", code, query, v=value)


async def refused(client: Client, name: str, code: str, query: str, **variables: Any) -> None:
    """Send what is refused with a code, and record how long that took."""
    began = time.perf_counter()
    result = await client.send(query, **variables)
    seconds = time.perf_counter() - began
    record(name, seconds)
    assert result.data is None
    assert {error.extensions["code"] for error in result.errors} == {code}
    assert len(result.errors) <= 60
    for error in result.errors:
        assert not {"Traceback", "gql_cluster", "site-packages", "recursion"} & {
            *error.message.split()
        }
        assert len(error.message) <= 600 or code == "BAD_USER_INPUT"
    assert seconds < SECONDS


async def test_what_tools_send_is_not_refused(client: Client) -> None:
    """The whole introspection, deeper than GraphiQL's."""
    result = await client.send(get_introspection_query(one_of=True, type_depth=13))
    assert result.errors is None
