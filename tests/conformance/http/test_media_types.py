"""Sections “Media Types”, “Accept” and “Body”: what is accepted, and what it is answered with."""

from __future__ import annotations

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


@pytest.mark.parametrize("media", BOTH)
def test_media_types_both_are_served(http: httpx.Client, media: str) -> None:
    """“A server MUST support responses using” the one, and legacy clients have the other."""
    for answer in (post(http, TYPENAME, media), get(http, media, **TYPENAME)):
        assert (answer.status_code, media_of(answer), answer.json()) == (200, media, ANSWER)


@pytest.mark.parametrize("media", BOTH)
def test_body_the_encoding_is_indicated(http: httpx.Client, media: str) -> None:
    """“SHOULD indicate the encoding”."""
    assert post(http, TYPENAME, media).headers["Content-Type"] == f"{media}; charset=utf-8"


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (f"{JSON}, {GRAPHQL}", JSON),
        (f"{GRAPHQL}, {JSON}", GRAPHQL),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON};q=0.9", JSON),
        (f"{JSON};q=0.1, */*;q=0.5", GRAPHQL),
        (f"{JSON};q=0, */*", GRAPHQL),
        (f"{JSON};q=0, application/*;q=0.2", GRAPHQL),
        (f"text/html, image/png;q=0.9, {GRAPHQL};q=0.001", GRAPHQL),
        ("*/*", JSON),
        ("application/*", JSON),
        (f"application/*;q=0.1, {GRAPHQL}", GRAPHQL),
        (f"{JSON}; charset=UTF-8", JSON),
        (f"{GRAPHQL};charset=utf-8;q=0.3", GRAPHQL),
        ("APPLICATION/GRAPHQL-RESPONSE+JSON", GRAPHQL),
        ("", JSON),
        (None, JSON),
    ],
)
def test_body_the_highest_priority_that_is_accepted_is_taken(
    http: httpx.Client, accept: str | None, media: str
) -> None:
    """“MUST respect the given Accept header”, by RFC 9110, 12.5.1; without one it may choose."""
    answer = post(http, TYPENAME, accept)
    assert (answer.status_code, media_of(answer)) == (200, media)


@pytest.mark.parametrize(
    "accept",
    [
        "text/plain",
        "application/xml;q=0.5, image/*",
        f"{JSON};charset=utf-16",
        "*/*;q=0",
        "*/*," * 10_000,
    ],
)
def test_body_nothing_acceptable_is_406(http: httpx.Client, accept: str) -> None:
    """“SHOULD respond with 406 Not Acceptable”, and stop."""
    answer = post(http, {"query": "mutation { startSession { token } }"}, accept)
    assert (answer.status_code, codes_of(answer)) == (406, ["BAD_REQUEST"])


def test_body_caches_are_told_what_it_depends_on(http: httpx.Client) -> None:
    """RFC 9110, 12.5.5: a response that was negotiated says so in `Vary`."""
    assert "accept" in get(http, **TYPENAME).headers["Vary"].lower()


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", ';charset="UTF-8"', "; charset=utf8"])
def test_media_types_utf_8_is_assumed_and_accepted(http: httpx.Client, charset: str) -> None:
    """“If the media type does not include encoding information, utf-8 MUST be assumed”."""
    body = '{"query": "{ __type(name: \\"Run🏃Swim🏊\\") { name } }"}'.encode()
    headers = {"Content-Type": f"application/json{charset}"}
    answer = send(http, "POST", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"data": {"__type": None}})


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/graphql-response+json",
        "application/jsonp",
        "text/json; application/json",
        "application/json; charset=utf-16",
        "application/json; charset=nonsense",
    ],
)
def test_status_codes_an_unsupported_content_type_is_415(
    http: httpx.Client, content_type: str | None
) -> None:
    """“If the Content-Type of the request is not supported, 415 SHOULD be used”."""
    headers = {"Content-Type": content_type} if content_type else {}
    answer = send(http, "POST", content=b'{"query": "{ __typename }"}', headers=headers)
    assert (answer.status_code, codes_of(answer)) == (415, ["BAD_REQUEST"])
    assert answer.headers["Accept"] == "application/json"  # RFC 9110, 15.5.16


def test_status_codes_an_encoded_body_is_415(http: httpx.Client) -> None:
    """RFC 9110, 15.5.16: with what would be accepted."""
    headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
    answer = send(http, "POST", content=b"\x1f\x8b", headers=headers)
    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "identity")
