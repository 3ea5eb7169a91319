"""What an operator sees of a worker: its log, its numbers, its health, and its end."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.e2e import operations
from tests.e2e.client import DEADLINE, Client
from tests.e2e.conftest import StartWorkers
from tests.e2e.samples import named, wings
from tests.e2e.workers import Worker
from tests.production import HEADERS, client, production, records

pytestmark = pytest.mark.once

AT = re.compile(r"Metrics are at (http://\S+/metrics)")
SERVICE_RESTART = 1012
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, sample_database_url: str
) -> Iterator[Worker]:
    """A service in production, with metrics."""
    folder = tmp_path_factory.mktemp("operated")
    variables = {"METRICS_PORT": "0", "ANONYMOUS_EDITING": "1"}
    with production(folder, redis_url, sample_database_url, **variables) as worker:
        yield worker


@pytest.fixture
def http(service: Worker) -> Iterator[httpx.Client]:
    """A client of it."""
    with client(service) as made:
        yield made


@pytest.fixture
async def outside() -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client for workers of a test."""
    async with httpx.AsyncClient(timeout=DEADLINE, trust_env=False) as made:
        yield made


def post(http: httpx.Client, query: str, token: str = "", **variables: Any) -> httpx.Response:
    """Send an operation."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)


def started(http: httpx.Client) -> tuple[str, str]:
    """Start a session; return its public id and its token."""
    session = post(http, "mutation { startSession { id token } }").json()["data"]["startSession"]
    return session["id"], session["token"]


def opened(http: httpx.Client, token: str) -> str:
    """Open a draft of a new band and return its id."""
    payload = post(http, operations.OPEN, token, data=wings()).json()["data"]["payload"]
    return str(payload["draft"]["id"])


def numbers(service: Worker) -> dict[tuple[str, ...], float]:
    """Return what Prometheus would read: by name and the values of its labels, sorted by name."""
    found = AT.search(service.log.read_text())
    assert found
    text = httpx.get(found[1], trust_env=False).text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Request-ID": "proxy-7.1"}, "proxy-7.1"),
        ({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}, TRACE),
        ({"X-Request-ID": "mine", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}, "mine"),
        ({"X-Request-ID": 'x" level="ERROR'}, None),
        ({"X-Request-ID": "x" * 129}, None),
        ({"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"}, None),
        ({}, None),
    ],
)
def test_a_request_has_an_id_that_the_log_has(
    service: Worker, http: httpx.Client, headers: dict[str, str], expected: str | None
) -> None:
    """The one that it came with, if it is fit for a log, or else a new one."""
    answer = http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    given = answer.headers["X-Request-ID"]
    assert given == expected if expected else re.fullmatch("[0-9a-f]{16}", given)
    found = [each for each in records(service) if each.get("request_id") == given]
    assert found[-1]["logger"] == "uvicorn.access"


def test_records_of_an_operation_name_session_and_draft(
    service: Worker, http: httpx.Client
) -> None:
    """Over HTTP and over a WebSocket, whose operations have their own names besides."""
    session, token = started(http)
    draft = opened(http, token)
    answer = post(http, operations.EDIT, token, draft=draft, changes=[named("Wings!")], id="e")
    assert answer.json()["data"]["payload"]["errors"] == []
    given = answer.headers["X-Request-ID"]
    (record,) = [each for each in records(service) if each.get("request_id") == given]
    assert record["session_id"] == session
    assert record["draft_id"]
    assert record["level"] == "INFO"


def test_nothing_that_opens_a_door_is_logged(service: Worker, http: httpx.Client) -> None:
    """No token, cookie, link or value, wherever a client puts it."""
    _, token = started(http)
    draft = opened(http, token)
    shared = post(
        http,
        "mutation($id: ID!) { shareDraft(draft: $id) { token } }",
        token,
        id=draft,
    ).json()["data"]["shareDraft"]["token"]
    secrets = {"token": token, "link": shared, "cookie": "sessionid-of-a-user", "value": "Xanadu"}
    post(http, operations.EDIT, token, draft=draft, changes=[named(secrets["value"])])
    post(http, "mutation($t: String!) { joinDraft(token: $t) { errors { code } } }", t=shared)
    post(http, "{ drafts { edges { cursor } } }", token + "x")
    http.get("/graphql", params={"query": f'{{ a(b: "{secrets["value"]}") }}', "token": token})
    http.post(f"/missing?share={shared}", headers={"Cookie": f"sessionid={secrets['cookie']}"})
    http.post("/graphql", headers={"Host": "evil.example", "Cookie": f"s={secrets['cookie']}"})
    address = f"{service.websocket}?token={token}"
    with connect(
        address, subprotocols=[Subprotocol("graphql-transport-ws")], additional_headers=HEADERS
    ) as socket:
        init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}
        socket.send(json.dumps(init))
        socket.recv(20)
        payload = {
            "query": operations.EDIT,
            "variables": {"draft": draft, "changes": [named("Xanadu")]},
        }
        socket.send(json.dumps({"type": "subscribe", "id": f"a\n{token}", "payload": payload}))
        socket.recv(20)
    text = service.log.read_text()
    assert "WebSocket /graphql" in text
    assert [name for name, value in secrets.items() if value in text] == []


def test_every_line_of_the_log_is_json(service: Worker) -> None:
    """Uvicorn's own, too, from the first to the last."""
    found = records(service)
    assert {"uvicorn"} <= {each["logger"] for each in found}
    assert all(each.keys() >= {"time", "level", "logger", "message"} for each in found)


def test_numbers_grow_with_what_is_done(service: Worker, http: httpx.Client) -> None:
    """Requests by type and code, edits, commits, and calls of the store."""
    before = numbers(service)
    _, token = started(http)
    draft = opened(http, token)
    post(http, operations.EDIT, token, draft=draft, changes=[named("Wings!")])
    post(http, operations.EDIT, token, draft=draft, changes=[named("Wings?")], expected=99)
    post(http, operations.COMMIT, token, draft=draft)
    post(http, "{ nothing }")
    after = numbers(service)

    def grown(*name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert grown("gql_cluster_requests_total", "OK", "mutation") == 5
    assert grown("gql_cluster_requests_total", "GRAPHQL_VALIDATION_FAILED", "query") == 1
    assert grown("gql_cluster_edits_total", "OK") == 1
    assert grown("gql_cluster_edits_total", "STALE_VERSION") == 1
    assert grown("gql_cluster_commits_total", "OK") == 1
    assert grown("gql_cluster_store_seconds_count", "DraftStore.append") >= 1
    assert after["gql_cluster_store_seconds_bucket", "DraftStore.append", "+Inf"] >= 1
    assert after["gql_cluster_circuit_open",] == 0
    assert after["gql_cluster_cache_bytes",] > 0


def test_subscriptions_are_counted_while_they_run(service: Worker, http: httpx.Client) -> None:
    """With what they are told, and how late."""
    _, token = started(http)
    draft = opened(http, token)
    before = numbers(service)
    with connect(
        service.websocket,
        subprotocols=[Subprotocol("graphql-transport-ws")],
        additional_headers=HEADERS,
    ) as socket:
        init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}
        socket.send(json.dumps(init))
        socket.recv(20)
        payload = {"query": operations.WATCH, "variables": {"draft": draft}}
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        socket.recv(20)
        post(http, operations.EDIT, token, draft=draft, changes=[named("Wings!")])
        socket.recv(20)
        after = numbers(service)
    names = ("gql_cluster_sockets", "gql_cluster_subscriptions")
    assert [after[name,] - before[name,] for name in names] == [1, 1]
    told = "gql_cluster_events_total"
    assert after[told, "Edit"] - before.get((told, "Edit"), 0) == 1
    lag = "gql_cluster_event_lag_seconds_count"
    assert after[lag,] - before[lag,] == 1


def test_a_probe_is_answered_by_address(service: Worker) -> None:
    """Whatever host it asks for, and over plain HTTP: no supervisor knows our names."""
    for path in ("/healthz", "/readyz"):
        answer = httpx.get(f"{service.url}{path}", headers={"Host": "10.0.0.7"}, trust_env=False)
        assert answer.status_code == 200
        assert set(answer.json().values()) == {"ok"}
        head = httpx.head(f"{service.url}{path}", trust_env=False)
        assert (head.status_code, head.text) == (200, "")


def test_there_is_no_admin_site_unless_it_is_switched_on(http: httpx.Client) -> None:
    """Nor its files."""
    for address in ("/admin/", "/static/admin/css/base.css"):
        assert http.get(address).status_code == 404


def test_a_database_that_is_not_migrated_is_not_ready(
    start_workers: StartWorkers, tmp_path: Any
) -> None:
    """A release whose migrations have not run must get no clients."""
    (worker,) = start_workers(1, DATABASE_URL=f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    answer = httpx.get(f"{worker.url}/readyz", trust_env=False)
    assert (answer.status_code, answer.json()["database"]) == (503, "not migrated")
    assert httpx.get(f"{worker.url}/healthz", trust_env=False).status_code == 200


async def test_a_worker_that_is_drained_serves_until_its_proxy_has_noticed(
    start_workers: StartWorkers, outside: httpx.AsyncClient
) -> None:
    """It says that it ends, takes new requests all the same, and closes its sockets at last."""
    (worker,) = start_workers(1, GQL_CLUSTER='{"DRAIN": 2}')
    ann = await Client(http=outside, worker=worker).started()
    draft = await ann.open(data=wings())
    async with ann.watch(draft) as watcher:
        assert (await watcher.next())["version"] == 0
        worker.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE):
            while (await outside.get(f"{worker.url}/readyz")).status_code == 200:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await ann.edit(draft, named("Wings at last"))
        assert (await watcher.next())["version"] == 1
        with pytest.raises(ConnectionClosed) as closed:
            await watcher.next()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == SERVICE_RESTART
    assert await asyncio.to_thread(worker.process.wait, DEADLINE) in (0, -signal.SIGTERM)
