"""Section “Distinct connections mode” of https://github.com/enisdenjo/graphql-sse PROTOCOL.md."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.conformance.sse.stream import EVENTS, opened
from tests.e2e import operations
from tests.e2e.samples import named, wings
from tests.served import DEADLINE, LIMITS

WATCH = "subscription ($draft: ID!) { draftEvents(draft: $draft) { __typename version } }"
START = "mutation { startSession { id } }"
DONE = ("complete", None)


@pytest.fixture
def mine(http: httpx.Client, token: str) -> httpx.Client:
    """A client with a session."""
    http.headers["Authorization"] = f"Bearer {token}"
    return http


@pytest.fixture
def draft(mine: httpx.Client) -> str:
    """An open draft of the session."""
    return str(ask(mine, operations.OPEN, data=wings())["payload"]["draft"]["id"])


def ask(http: httpx.Client, query: str, **variables: Any) -> Any:
    """Return the data of an operation over HTTP."""
    answer = http.post("/graphql", json={"query": query, "variables": variables}).json()
    assert not answer.get("errors"), answer
    return answer["data"]


def editors(http: httpx.Client, draft: str) -> int:
    """Return how many sessions watch a draft."""
    return len(ask(http, operations.PRESENT, draft=draft)["draft"]["editors"])


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_the_content_type_is_always_that_of_events(http: httpx.Client, method: str) -> None:
    """“The Content-Type MUST always be text/event-stream”; and nothing on the way may hold it."""
    with opened(http, "{ __typename }", method=method) as stream:
        headers = stream.response.headers
        assert stream.response.status_code == 200
        assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert headers["Cache-Control"] == "no-cache, no-transform"
        assert headers["X-Accel-Buffering"] == "no"
        assert "Content-Encoding" not in headers
        assert stream.rest() == [("next", {"data": {"__typename": "Query"}}), DONE]


def test_next_is_sent_for_the_result_of_a_query_and_of_a_mutation(http: httpx.Client) -> None:
    """“After all results have been emitted, the complete event will follow.”."""
    with opened(
        http, "query ($n: String!) { __type(name: $n) { name } }", variables={"n": "Query"}
    ) as stream:
        assert stream.rest() == [("next", {"data": {"__type": {"name": "Query"}}}), DONE]
    with opened(http, START) as stream:
        (name, result), *rest = stream.rest()
        assert (name, bool(result["data"]["startSession"]["id"]), rest) == ("next", True, [DONE])


def test_complete_has_an_empty_data_field(http: httpx.Client) -> None:
    """“If the field is omitted, the complete event won't trigger the listener.”."""
    headers = {"Accept": EVENTS}
    answer = http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert answer.text.endswith("event: complete\ndata:\n\n")


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_next_is_sent_for_each_event_of_a_subscription(
    mine: httpx.Client, draft: str, method: str
) -> None:
    """As it happens; and the stream completes with its source."""
    with opened(mine, WATCH, variables={"draft": draft}, method=method) as stream:
        first = {"__typename": "DraftSnapshot", "version": 0}
        assert stream.next() == ("next", {"data": {"draftEvents": first}})
        ask(mine, operations.EDIT, draft=draft, changes=[named("Heard")])
        while stream.next()[1]["data"]["draftEvents"]["version"] != 1:
            pass
        ask(mine, "mutation ($d: ID!) { discardDraft(draft: $d) { errors { code } } }", d=draft)
        *_, last, done = stream.rest()
        assert last[1]["data"]["draftEvents"]["__typename"] == "DraftDiscarded"
        assert done == DONE


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { a: __typename } query B { b: __typename }", "OPERATION_RESOLUTION_FAILURE"),
        ("subscription ($d: ID!) { draftEvents(draft: $d) { version } }", "BAD_USER_INPUT"),
        ('subscription { draftEvents(draft: "garbage") { version } }', "NOT_FOUND"),
        ("query ($id: ID!) { node(id: $id) { id } }", "BAD_USER_INPUT"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_validation_errors_are_reported_as_next(
    mine: httpx.Client, query: str, code: str, method: str
) -> None:
    """“MUST report errors through an accepted SSE connection by emitting next events.”."""
    with opened(mine, query, method=method) as stream:
        assert stream.response.status_code == 200
        (name, result), *rest = stream.rest()
        assert (name, set(result), rest) == ("next", {"errors"}, [DONE])
        assert [error["extensions"]["code"] for error in result["errors"]] == [code]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"{}", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"json": {"query": "{ __typename }"}, "headers": {"Authorization": "Bearer x"}}, 401),
        ({"method": "PUT"}, 405),
        ({"method": "GET", "params": {"query": START}}, 405),
        ({"method": "GET"}, 400),
    ],
)
def test_what_is_no_request_is_refused_as_over_http(
    http: httpx.Client, request_: Any, status: int
) -> None:
    """“Operation requests need to conform to the GraphQL over HTTP spec.”."""
    headers = {"Accept": EVENTS, **request_.get("headers", {})}
    given = {"method": "POST", **request_, "headers": headers}
    answer = http.request(url="/graphql", **given)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["extensions"]["code"]


def test_an_idle_stream_says_that_it_lives(mine: httpx.Client, draft: str) -> None:
    """By comments, which no client takes for an event (HTML, 9.2.6)."""
    with opened(mine, WATCH, variables={"draft": draft}) as stream:
        stream.next()
        began, already = time.monotonic(), stream.comments
        stream.await_comments(already + 3)
        assert time.monotonic() - began >= 2 * float(LIMITS["KEEP_ALIVE"])


def test_the_stream_ends_with_its_client(mine: httpx.Client, draft: str) -> None:
    """“Completed by having the client simply close the SSE connection”: an editor is gone."""
    for _ in range(int(LIMITS["MAX_SOCKETS_PER_SESSION"]) + 3):  # each gives its place back
        with opened(mine, WATCH, variables={"draft": draft}) as stream:
            assert stream.response.status_code == 200
            stream.next()
            assert editors(mine, draft) == 1
        deadline = time.monotonic() + DEADLINE
        while editors(mine, draft):
            assert time.monotonic() < deadline


def test_a_stream_counts_as_a_socket(mine: httpx.Client, draft: str) -> None:
    """Past `MAX_SOCKETS_PER_SESSION` it is 429."""
    open_ones: list[Any] = []
    try:
        for _ in range(int(LIMITS["MAX_SOCKETS_PER_SESSION"])):
            open_ones.append(opened(mine, WATCH, variables={"draft": draft}))
            assert open_ones[-1].__enter__().response.status_code == 200
        with opened(mine, WATCH, variables={"draft": draft}) as stream:
            assert stream.response.status_code == 429
            assert stream.response.headers["Retry-After"]
            code = httpx.Response(429, content=stream.response.read()).json()["errors"][0]
            assert code["extensions"] == {"code": "LIMIT_EXCEEDED"}
    finally:
        for each in open_ones:
            each.__exit__(None, None, None)


def test_a_stream_is_authorised_as_any_request(http: httpx.Client, draft: str) -> None:
    """Another session does not find the draft; a foreign page has no part in a cookie."""
    other = ask(http, "mutation { startSession { token } }")["startSession"]["token"]
    http.headers["Authorization"] = f"Bearer {other}"
    with opened(http, WATCH, variables={"draft": draft}) as stream:
        assert stream.next()[1]["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    del http.headers["Authorization"]
    foreign = {"Cookie": "sessionid=x", "Sec-Fetch-Site": "cross-site"}
    with opened(http, "{ __typename }", method="GET", headers=foreign) as stream:
        assert stream.response.status_code == 403
