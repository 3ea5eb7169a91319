"""Looking behind a service in production: the schema, what fails in it, and what it runs on."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.attacks.figures import measured
from tests.e2e.workers import ROOT, Worker
from tests.production import HEADERS, SECRET_KEY, client, database, production, records

pytestmark = pytest.mark.once

INTROSPECTION = {
    "whole": "query IntrospectionQuery { __schema { types { name fields { name } } } }",
    "type": '{ __type(name: "Band") { fields { name } } }',
    "fragment": "{ ...a } fragment a on Query { ...b } fragment b on Query { __schema { types { "
    "name } } }",
    "alias": "{ harmless: __schema { queryType { name } } }",
    "inline": "query($yes: Boolean!) { ... @include(if: $yes) { __schema { types { name } } } }",
    "beside": "{ __typename bands { name } __schema { queryType { name } } }",
}
ALMOST = {
    "field": ("{ band { name } }", {}),
    "another field": ('{ band(pk: "1") { nam } }', {}),
    "argument": ("{ bands(filter: {}) { name } }", {}),
    "enum": ("{ bands(ordering: [{name: ASCC}]) { name } }", {}),
    "enum in a variable": (
        "query($by: Ordering!) { bands(ordering: [{name: $by}]) { name } }",
        {"by": "ASCC"},
    ),
    "member": ("{ bands(filters: {nme: {}}) { name } }", {}),
    "member in a variable": (
        "query($by: BandFilter) { bands(filters: $by) { name } }",
        {"by": {"nme": {}}},
    ),
    "type": ("query($by: BandFiltr) { bands(filters: $by) { name } }", {}),
    "fragment": ("{ bands { ... on Bnd { name } } }", {}),
    "directive": ("{ bands { name @inclde(if: true) } }", {}),
}
# What would tell of the code, of the machine, or of what else is kept.
LEAKS = re.compile(
    r"traceback|file \"|\.py\b|timedelta|sqlite|select |exception|error:|settings|django|redis:"
    rf"|{re.escape(str(ROOT))}|{re.escape(SECRET_KEY)}|{re.escape(SECRET_KEY[:12])}",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Worker]:
    """A service in production."""
    with production(tmp_path_factory.mktemp("attacked"), redis_url) as worker:
        yield worker


@pytest.fixture(scope="module")
def http(service: Worker) -> Iterator[httpx.Client]:
    """A stranger."""
    with client(service) as made:
        yield made


def post(http: httpx.Client, query: str, variables: Any = None) -> Any:
    """Return what is answered."""
    body = {"query": query, "variables": variables or {}}
    return http.post("/graphql", json=body).json()


def over_socket(service: Worker, query: str, variables: Any = None) -> Any:
    """Return what is answered to the same over a WebSocket."""
    headers = {"X-Forwarded-Proto": "https"}
    with connect(
        service.websocket, subprotocols=[Subprotocol("graphql-transport-ws")],
        additional_headers=headers,
    ) as socket:  # fmt: skip
        socket.send('{"type": "connection_init"}')
        assert json.loads(socket.recv(20))["type"] == "connection_ack"
        payload = {"query": query, "variables": variables or {}}
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        return json.loads(socket.recv(20))


@pytest.mark.parametrize("query", INTROSPECTION.values(), ids=INTROSPECTION)
def test_the_schema_is_not_told(service: Worker, http: httpx.Client, query: str) -> None:
    """Neither over HTTP nor over a WebSocket, wherever in the document it is asked for."""
    variables = {"yes": True}
    with measured("introspection in production"):
        answer = post(http, query, variables)
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "INTROSPECTION_DISABLED"
    assert answer.get("data") is None
    message = over_socket(service, query, variables)
    assert message["type"] == "error"
    assert [each["extensions"]["code"] for each in message["payload"]] == ["INTROSPECTION_DISABLED"]


def test_what_clients_need_of_introspection_is_answered(http: httpx.Client) -> None:
    """They tell the type of an object by it."""
    assert post(http, "{ __typename }")["data"] == {"__typename": "Query"}


@pytest.mark.parametrize(("query", "variables"), ALMOST.values(), ids=ALMOST)
def test_no_name_is_suggested(
    service: Worker, http: httpx.Client, query: str, variables: dict[str, Any]
) -> None:
    """Else the schema is found out by wrong guesses, as tools do."""
    with measured("suggestions in production"):
        answer = post(http, query, variables)
    told = json.dumps(answer["errors"]) + json.dumps(over_socket(service, query, variables))
    assert answer["errors"]
    assert "Did you mean" not in told
    assert "BAD_USER_INPUT" in told or "GRAPHQL_VALIDATION_FAILED" in told


def test_neither_get_nor_a_page_is_answered(http: httpx.Client) -> None:
    """A browser that is sent there gets no page that runs scripts of others."""
    for accept in ("application/json", "text/html"):
        answer = http.get(
            "/graphql", params={"query": "{ __typename }"}, headers={"Accept": accept}
        )
        assert answer.status_code in {405, 406}
        assert "html" not in answer.headers["Content-Type"]


def test_what_fails_is_told_by_an_id_alone(service: Worker, http: httpx.Client) -> None:
    """By which the log has all of it."""
    with closing(sqlite3.connect(database(service))) as broken, broken:
        broken.execute("UPDATE bands_song SET duration = 'secret' WHERE id = 1")
    page = "(pagination: {limit: 1})"
    query = f"{{ band(pk: 1) {{ albums{page} {{ songs{page} {{ duration }} }} }} }}"
    with measured("error text in production"):
        answer = http.post("/graphql", json={"query": query})
    assert not LEAKS.search(answer.text)
    assert "secret" not in answer.text
    (error,) = answer.json()["errors"]
    assert error["message"] == "Something went wrong on the server."
    (record,) = [each for each in records(service) if each.get("error_id")]
    assert record["error_id"] == error["extensions"]["id"]
    assert "timedelta" in record["exc_info"]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/graphql", {"Host": "evil.example"}, 400),
        ("/missing", {}, 404),
        ("/graphql/", {}, 404),
        ("/graphql", {"Cookie": "sessionid=" + "x" * 4000}, 401),
    ],
)
def test_no_page_of_django_tells_of_the_service(
    http: httpx.Client, path: str, headers: dict[str, str], status: int
) -> None:
    """JSON with a code, and no HTML; the words are few."""
    with measured("a page of Django in production"):
        answer = http.post(path, json={"query": "{ drafts { edges { cursor } } }"}, headers=headers)
    if status != 401:
        assert answer.status_code == status
        assert answer.json()["errors"][0]["extensions"]["code"] in {"BAD_REQUEST", "NOT_FOUND"}
    assert "html" not in answer.headers["Content-Type"]
    assert not LEAKS.search(answer.text)


def test_plain_http_is_sent_to_https(service: Worker) -> None:
    """And what comes by HTTPS is told to stay with it."""
    answer = httpx.post(f"{service.url}/graphql", headers={"Host": HEADERS["Host"]})
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"https://{HEADERS['Host']}/graphql"


def test_a_browser_is_told_to_stay_with_https(http: httpx.Client) -> None:
    """And to frame nothing, and to guess no type."""
    headers = http.post("/graphql", json={"query": "{ __typename }"}).headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
