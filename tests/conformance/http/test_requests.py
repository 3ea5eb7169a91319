"""Sections “Request Parameters”, “GET”, “POST” and “JSON Encoding”."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.conformance.http.asking import (
    ANSWER,
    BOTH,
    GRAPHQL,
    JSON,
    TYPENAME,
    codes_of,
    get,
    media_of,
    post,
    send,
)

NAMED = {"query": "query One { one: __typename } query Two { two: __typename }"}
TYPED = {"query": "query ($name: String!) { __type(name: $name) { name } }"}
START = "mutation { startSession { token } }"


@pytest.mark.parametrize("media", BOTH)
def test_request_parameters_operation_name_chooses(http: httpx.Client, media: str) -> None:
    """“The name of the Operation in the Document to execute”."""
    answer = post(http, {**NAMED, "operationName": "Two"}, media)
    assert answer.json() == {"data": {"two": "Query"}}


@pytest.mark.parametrize("media", BOTH)
def test_request_parameters_variables_are_a_map(http: httpx.Client, media: str) -> None:
    """“Values for any Variables defined by the Operation”."""
    answer = post(http, {**TYPED, "variables": {"name": "Query"}}, media)
    assert answer.json() == {"data": {"__type": {"name": "Query"}}}


@pytest.mark.parametrize("media", BOTH)
def test_request_parameters_extensions_are_a_map(http: httpx.Client, media: str) -> None:
    """“Reserved for implementers”: what is not understood is left alone."""
    assert post(http, {**TYPENAME, "extensions": {"some": {"x": 1}}}, media).json() == ANSWER


@pytest.mark.parametrize("name", ["variables", "operationName", "extensions"])
@pytest.mark.parametrize("media", BOTH)
def test_json_encoding_null_is_as_absent(http: httpx.Client, name: str, media: str) -> None:
    """“Specifying null for optional request parameters is equivalent to not specifying them”."""
    assert post(http, {**TYPENAME, name: None}, media).json() == ANSWER


def test_json_encoding_other_members_are_ignored(http: httpx.Client) -> None:
    """“MUST ignore properties they do not understand”."""
    assert post(http, {**TYPENAME, "id": 1, "doc": {"a": []}}).json() == ANSWER


def test_json_encoding_the_last_of_equal_members_counts(http: httpx.Client) -> None:
    """RFC 8259, 4, leaves it open; there is one meaning here, also for what stands before us."""
    body = b'{"query": "{ nothing }", "query": "{ __typename }"}'
    assert post(http, body).json() == ANSWER


def test_json_encoding_a_byte_order_mark_is_ignored(http: httpx.Client) -> None:
    """RFC 8259, 8.1: an implementation may."""
    assert post(http, b"\xef\xbb\xbf" + json.dumps(TYPENAME).encode()).json() == ANSWER


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"qeury": "{ __typename }"},
        {"query": None},
        {"query": {"a": 1}},
        {"query": 0},
        {"query": False},
        {"query": ["{ __typename }"]},
        *({**TYPENAME, "variables": wrong} for wrong in ("{}", 0, False, ["a"])),
        *({**TYPENAME, "extensions": wrong} for wrong in ("{}", 0, False, ["a"])),
        *({**TYPENAME, "operationName": wrong} for wrong in ({"a": 1}, 0, False, ["a"])),
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("media", BOTH)
def test_request_parameters_of_the_wrong_type_are_400(
    http: httpx.Client, wrong: Any, media: str
) -> None:
    """“Is not a well-formed GraphQL-over-HTTP request”, whatever is accepted."""
    answer = post(http, wrong, media)
    assert (answer.status_code, media_of(answer)) == (400, media)
    assert codes_of(answer) == ["BAD_REQUEST"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"NONSENSE",
        b'{"query":',
        b'{"query": "{ __typename }"} {}',
        b"{'query': '{ __typename }'}",
        b"null",
        b"1",
        b"true",
        b'"{ __typename }"',
        b"\xff\xfe",
        b'{"query": "\xff"}',
        b'{"query": "{ __typename }"}'.decode().encode("utf-16"),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"query": "{ __typename }", "variables": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
        b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}',
        b'{"query": "\\udc00"}',
        b'{"query": "{ __typename }", "variables": {"a": 1e999}}',
        b'{"query": "{ __typename }", "variables": {"a": NaN}}',
        b'{"query": "{ __typename }", "variables": {"a": -Infinity}}',
        b'{"query": "{ __typename }", "variables": {"a": ' + b"9" * 5000 + b"}}",
        b'{"query": "{ __typename }", "variables": {"a": 01}}',
        b'{"query": "{\x00}"}',
    ],
    ids=lambda body: repr(body[:48]),
)
@pytest.mark.parametrize("media", BOTH)
def test_status_codes_what_is_no_json_is_400(http: httpx.Client, body: bytes, media: str) -> None:
    """“If the JSON body of the request could not be parsed, 400 SHOULD be used”."""
    answer = post(http, body, media)
    assert (answer.status_code, codes_of(answer)) == (400, ["BAD_REQUEST"])


@pytest.mark.parametrize("batch", [[], [TYPENAME], [TYPENAME, TYPENAME]], ids=len)
def test_post_a_batch_is_refused_as_such(http: httpx.Client, batch: Any) -> None:
    """There is no batching in the specification; the message says so."""
    answer = post(http, batch)
    assert (answer.status_code, codes_of(answer)) == (400, ["BAD_REQUEST"])
    assert "Batches are not supported" in answer.json()["errors"][0]["message"]


# GET


def test_get_parameters_are_in_the_url(http: httpx.Client) -> None:
    """“Encoded in the application/x-www-form-urlencoded format”, maps as JSON."""
    variables = json.dumps({"name": "Query"})
    answer = get(http, **TYPED, variables=variables, extensions='{"a": 1}')
    assert answer.json() == {"data": {"__type": {"name": "Query"}}}
    assert get(http, **NAMED, operationName="One").json() == {"data": {"one": "Query"}}


def test_get_an_empty_parameter_is_as_absent(http: httpx.Client) -> None:
    """“Equivalent to not specifying them at all”."""
    answer = get(http, **TYPENAME, variables="", operationName="", extensions="")
    assert answer.json() == ANSWER


def test_get_null_is_a_name_of_an_operation(http: httpx.Client) -> None:
    """“operationName=null represents an operation with the name "null"”."""
    query = "query null { a: __typename } query other { b: __typename }"
    assert get(http, query=query, operationName="null").json() == {"data": {"a": "Query"}}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"query": ""},
        {**TYPENAME, "variables": "{"},
        {**TYPENAME, "variables": "[1]"},
        {**TYPENAME, "variables": "1e999"},
        {**TYPENAME, "variables": '{"a": "\\ud800"}'},
        {**TYPENAME, "variables": "[" * 9_000},
        {**TYPENAME, "extensions": "x"},
        {"a" + str(number): "" for number in range(1500)},
    ],
    ids=lambda wrong: str(wrong)[:40],
)
@pytest.mark.parametrize("media", BOTH)
def test_get_malformed_parameters_are_400(
    http: httpx.Client, wrong: dict[str, str], media: str
) -> None:
    """As those of a body."""
    answer = get(http, media, **wrong)
    assert (answer.status_code, codes_of(answer)) == (400, ["BAD_REQUEST"])


@pytest.mark.parametrize("media", BOTH)
def test_get_never_executes_a_mutation(http: httpx.Client, media: str) -> None:
    """“The server MUST respond with an appropriate 4xx”; 405 needs `Allow` (RFC 9110, 15.5.6)."""
    query = f"query Read {{ __typename }} mutation Write {{ {START.partition('{')[2]}"
    assert get(http, media, query=query, operationName="Read").json() == ANSWER
    for parameters in ({"query": START}, {"query": query, "operationName": "Write"}):
        answer = get(http, media, **parameters)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
        assert codes_of(answer) == ["BAD_REQUEST"]


def test_status_codes_a_url_that_is_too_large_is_414(http: httpx.Client) -> None:
    """“If the size of the URI was too large, 414 SHOULD be used”."""
    assert get(http, query="{ __typename }" + "," * 10_000).status_code == 200
    answer = get(http, query="{ __typename }" + "," * 11_000)  # each is three in the URL
    assert (answer.status_code, codes_of(answer)) == (414, ["LIMIT_EXCEEDED"])


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "REPORT"])
def test_status_codes_other_methods_are_405(http: httpx.Client, method: str) -> None:
    """“If the request uses an unsupported HTTP method, 405 SHOULD be used”, with `Allow`."""
    answer = send(http, method, headers={"Content-Type": JSON})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")
    assert method == "HEAD" or codes_of(answer) == ["BAD_REQUEST"]


def test_status_codes_a_body_that_is_too_large_is_413(http: httpx.Client) -> None:
    """“If the size of the POST request body was too large, 413 SHOULD be used”."""
    answer = post(http, {"query": "#" * 3_000_000}, GRAPHQL)
    assert (answer.status_code, codes_of(answer)) == (413, ["LIMIT_EXCEEDED"])
    assert (
        post(http, {"query": "{ __typename }", "extensions": {"x": "#" * 2_500_000}}).json()
        == ANSWER
    )
