"""HTTP and WebSocket as such: who may come in, and what is said to nonsense."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.e2e import operations
from tests.e2e.client import DEADLINE, Client, Watcher, dial, open_socket
from tests.e2e.samples import named, wings
from tests.e2e.workers import Worker

pytestmark = pytest.mark.once

TYPENAME = "{ __typename }"
START = "mutation { startSession { token } }"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def browser(http: httpx.AsyncClient, workers: list[Worker]) -> Client:
    """A browser that has opened GraphiQL at the first worker: it has a cookie and no token."""
    page = await http.get(workers[0].graphql, headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "graphiql" in page.text.lower()
    cookie = page.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    http.headers["Sec-Fetch-Site"] = "same-origin"  # as it says of what the page asks for
    return Client(http=http, worker=workers[0])


def cookie_of(browser: Client) -> str:
    """Return what the browser would send with a handshake."""
    return "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())


async def test_a_browser_edits_and_follows_by_its_cookie(
    browser: Client, workers: list[Worker]
) -> None:
    """GraphiQL gives it a session, which is its own on every worker and over both transports."""
    draft = await browser.open(data=wings())
    there = workers[1]
    async with open_socket(there, cookie=cookie_of(browser), origin=there.url) as socket:
        events = Watcher(socket, await socket.start(operations.WATCH, draft=draft, after=0))
        await browser.edit(draft, named("By cookie"))
        assert (await events.next())["version"] == 1


async def test_the_first_requests_of_a_browser_are_one_session(browser: Client) -> None:
    """They come all at once, and each finds what the others opened."""
    drafts = await asyncio.gather(*(browser.open(data=wings()) for _ in range(5)))
    listed = await browser.data("{ drafts { edges { node { id } } } }")
    assert {edge["node"]["id"] for edge in listed["drafts"]["edges"]} == set(drafts)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"]
)
async def test_a_foreign_page_can_not_connect(browser: Client, origin: str) -> None:
    """With the browser's cookie, and without."""
    for cookie in (cookie_of(browser), ""):
        with pytest.raises(InvalidStatus) as refused:
            async with dial(browser.worker, cookie=cookie, origin=origin):
                pass
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_what_a_foreign_page_could_post_is_refused(
    browser: Client, content_type: str | None
) -> None:
    """A form can send the cookie along, but not JSON: nothing of it is done."""
    body = json.dumps({"query": operations.OPEN, "variables": {"data": wings()}})
    headers = {"Content-Type": content_type} if content_type else {}
    answer = await browser.answer("POST", content=body, headers=headers)
    assert (answer.status, answer.codes) == (415, ["BAD_REQUEST"])
    assert (await browser.data("{ drafts { edges { cursor } } }"))["drafts"]["edges"] == []


async def test_a_worker_says_that_it_is_alive_and_ready(client: Client) -> None:
    """Without a session."""
    health = await client.http.get(f"{client.worker.url}/healthz")
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    ready = await client.http.get(f"{client.worker.url}/readyz")
    assert (ready.status_code, ready.json()) == (200, {"store": "ok", "database": "ok"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"1",
        b"null",
        b'"text"',
        b"[]",
        b"[1]",
        b"{}",
        b'{"query": 1}',
        b'{"query": null}',
        b'{"query": "{ __typename }", "variables": 1}',
        b'{"query": "{ __typename }", "extensions": "x"}',
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_a_body_that_is_no_request(client: Client, body: bytes) -> None:
    """It is the client's fault, said in JSON with a code."""
    answer = await client.answer("POST", content=body, headers=JSON)
    assert (answer.status, answer.codes) == (400, ["BAD_REQUEST"])


async def test_a_body_that_is_too_large(client: Client) -> None:
    """Refused before it is parsed."""
    body = b'{"query": "' + b" " * 4_000_000 + b'"}'
    answer = await client.answer("POST", content=body, headers=JSON)
    assert (answer.status, answer.codes) == (413, ["LIMIT_EXCEEDED"])


async def test_get_is_for_queries(client: Client) -> None:
    """A mutation by GET is refused, as an image in a page could send it."""
    accept = {"Accept": "application/json"}
    answer = await client.answer("GET", params={"query": TYPENAME}, headers=accept)
    assert answer.data == {"__typename": "Query"}
    answer = await client.answer("GET", params={"query": START}, headers=accept)
    assert (answer.status, answer.codes, answer.data) == (405, ["BAD_REQUEST"], None)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_other_methods_are_refused(client: Client, method: str) -> None:
    """There is GET and POST."""
    answer = await client.answer(method, json={"query": TYPENAME})
    assert (answer.status, answer.codes) == (405, ["BAD_REQUEST"])


async def test_a_subscription_needs_a_websocket(client: Client) -> None:
    """Over HTTP it is the client's fault, and not the server's."""
    draft = await client.open(data=wings())
    answer = await client.post(operations.WATCH, draft=draft)
    assert answer.codes[0] in ("BAD_REQUEST", "OPERATION_RESOLUTION_FAILURE")


@pytest.mark.parametrize("query", ["{ nothing }", "{", "", "fragment A on Band { name }"])
async def test_a_query_that_can_not_be_run_has_a_code(client: Client, query: str) -> None:
    """Whatever is wrong with it."""
    answer = await client.post(query)
    assert len(answer.codes) == 1
    assert answer.codes[0] in {
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "OPERATION_RESOLUTION_FAILURE",
        "BAD_REQUEST",
    }


@pytest.mark.parametrize("authorization", ["Bearer garbage", "Bearer", "Basic YTpi", "{token}x"])
async def test_a_bad_token_is_refused(client: Client, authorization: str) -> None:
    """Over HTTP with 401; a WebSocket is closed with 4403."""
    given = authorization.format(token=f"Bearer {client.token}")
    answer = await client.answer("POST", json={"query": TYPENAME}, headers={"Authorization": given})
    assert (answer.status, answer.codes) == (401, ["UNAUTHENTICATED"])
    assert await closed_after(client.worker, init({"Authorization": given})) == 4403


def init(payload: Any) -> str:
    """Return the message that opens a connection."""
    return json.dumps({"type": "connection_init", "payload": payload})


async def closed_after(worker: Worker, *messages: str) -> int:
    """Return the code with which a worker closes a socket after these messages."""
    async with dial(worker) as connection, asyncio.timeout(DEADLINE):
        for message in messages:
            await connection.send(message)
        await connection.wait_closed()
    assert connection.close_code is not None
    return connection.close_code


async def test_a_socket_has_to_begin_with_its_init(client: Client) -> None:
    """Once; graphql-transport-ws says with which codes it is closed else."""
    subscribe = json.dumps({"type": "subscribe", "id": "1", "payload": {"query": TYPENAME}})
    assert await closed_after(client.worker, subscribe) == 4401
    assert await closed_after(client.worker, init({}), init({})) == 4429
    assert await closed_after(client.worker, init({}), "{") == 4400
    assert await closed_after(client.worker, init({}), '{"type": "unheard"}') == 4400


@pytest.mark.parametrize(
    "message",
    [
        "[1]",
        "null",
        '"x"',
        "[" * 10_000,
        '{"type": 1}',
        '{"type": "ping", "payload": "x"}',
        '{"type": "subscribe", "id": {}, "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": "x"}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": 1}}',
    ],
    ids=lambda message: message[:60],
)
async def test_a_message_of_no_protocol_closes_the_socket(client: Client, message: str) -> None:
    """It is not left open and mute."""
    assert await closed_after(client.worker, init({}), message) == 4400


async def test_an_init_may_have_a_payload_of_null(client: Client) -> None:
    """As it may have none."""
    async with dial(client.worker) as connection, asyncio.timeout(DEADLINE):
        await connection.send('{"type": "connection_init", "payload": null}')
        assert json.loads(await connection.recv())["type"] == "connection_ack"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { draftEvents { version } }", "GRAPHQL_VALIDATION_FAILED"),
        ('subscription { draftEvents(draft: "garbage") { version } }', "NOT_FOUND"),
    ],
)
async def test_a_bad_operation_leaves_the_socket_alone(
    client: Client, query: str, code: str
) -> None:
    """Only that one fails; those before it and behind it go on."""
    draft = await client.open(data=wings())
    async with open_socket(client.worker, token=client.token) as socket:
        before = Watcher(socket, await socket.start(operations.WATCH, draft=draft, after=0))
        bad = Watcher(socket, await socket.start(query))
        assert await bad.refused() == [code]
        behind = await socket.start(TYPENAME)
        assert (await socket.receive(behind))["payload"]["data"] == {"__typename": "Query"}
        await client.edit(draft, named("Still there"))
        assert (await before.next())["version"] == 1
