"""Sections “Subscribe”, “Next”, “Error”, “Complete”, and the examples of operations."""

from __future__ import annotations

import httpx
import pytest

from tests.conformance.websocket.frames import DATA, OLD, TYPENAME, begun, dial
from tests.e2e import operations
from tests.e2e.samples import named, wings
from tests.e2e.workers import Worker

WATCH = "subscription ($draft: ID!) { draftEvents(draft: $draft) { __typename version } }"
GARBAGE = 'subscription { draftEvents(draft: "garbage") { version } }'
START = "mutation { startSession { id } }"


@pytest.fixture
def draft(http: httpx.Client, token: str) -> str:
    """An open draft of the session."""
    http.headers["Authorization"] = f"Bearer {token}"
    body = {"query": operations.OPEN, "variables": {"data": wings()}}
    return str(http.post("/graphql", json=body).json()["data"]["payload"]["draft"]["id"])


def rename(http: httpx.Client, draft: str, name: str) -> None:
    """Stage a change."""
    body = {"query": operations.EDIT, "variables": {"draft": draft, "changes": [named(name)]}}
    assert not http.post("/graphql", json=body).json()["data"]["payload"]["errors"]


@pytest.mark.parametrize("query", ["{ __typename }", START, WATCH])
def test_subscribe_before_the_acknowledgement_is_4401(server: Worker, query: str) -> None:
    """“Executing operations is allowed only after the server has acknowledged the connection.”."""
    with dial(server) as socket:
        socket.subscribe("1", query)
        assert socket.closed() == (4401, "Unauthorized")


def test_subscribe_right_behind_the_init_waits_for_it(server: Worker) -> None:
    """Messages are taken in their order."""
    with dial(server) as socket:
        socket.send({"type": "connection_init"})
        socket.subscribe("1")
        assert socket.receive()["type"] == "connection_ack"
        assert socket.receive()["payload"] == DATA


def test_subscribe_single_results_come_as_next_and_complete(server: Worker) -> None:
    """“At most one Next message is sent”, of a query and of a mutation."""
    with begun(server) as socket:
        for name, query in (("a", "{ __typename }"), ("b", START)):
            socket.subscribe(name, query)
            result = socket.receive()
            assert (result["type"], result["id"], set(result["payload"])) == (
                "next",
                name,
                {"data"},
            )
            assert socket.receive() == {"type": "complete", "id": name}


def test_subscribe_has_variables_a_name_and_extensions(server: Worker) -> None:
    """Each may be null."""
    query = "query A { a: __typename } query B($n: String!) { __type(name: $n) { name } }"
    with begun(server) as socket:
        more = {"variables": {"n": "Query"}, "operationName": "B", "extensions": {"x": 1}}
        socket.subscribe("1", query, **more)
        assert socket.of("1")["payload"] == {"data": {"__type": {"name": "Query"}}}
        socket.subscribe("2", variables=None, operationName=None, extensions=None)
        assert socket.of("2")["payload"] == DATA


def test_subscribe_with_the_id_of_an_active_one_is_4409(
    server: Worker, token: str, draft: str
) -> None:
    """“Subscriber for <unique-operation-id> already exists”, regardless of the operation type."""
    for name in ("1", "ü" * 200):  # a closing frame has place for 123 bytes
        with begun(server, token) as socket:
            socket.subscribe(name, WATCH, variables={"draft": draft})
            assert socket.of(name)["type"] == "next"
            socket.subscribe(name)
            code, reason = socket.closed()
            assert code == 4409
            assert reason.startswith("Subscriber for ")


def test_subscribe_may_use_an_id_again_behind_complete(
    server: Worker, token: str, draft: str
) -> None:
    """“Once a client completes an operation, it is free to re-use that ID.”."""
    with begun(server, token) as socket:
        for _ in range(3):
            socket.subscribe("1", WATCH, variables={"draft": draft})
            assert socket.of("1")["payload"]["data"]["draftEvents"]["__typename"] == "DraftSnapshot"
            socket.send({"type": "complete", "id": "1"})
        socket.subscribe("1")
        while (message := socket.of("1"))["payload"] != DATA:
            assert message["payload"]["data"]["draftEvents"]["__typename"] == "EditorsChanged"


def test_complete_from_the_client_ends_the_stream(
    http: httpx.Client, server: Worker, token: str, draft: str
) -> None:
    """“No further events, relevant to the original subscription, should be sent through.”."""
    with begun(server, token) as socket:
        socket.subscribe("1", WATCH, variables={"draft": draft})
        assert socket.of("1")["type"] == "next"
        socket.send({"type": "complete", "id": "1"})
        assert socket.ask({"type": "ping"})["type"] in {"pong", "next"}
        rename(http, draft, "Unheard")
        socket.subscribe("2")
        while (message := socket.receive())["id"] != "2":
            assert message["payload"]["data"]["draftEvents"]["version"] == 0
        assert message["payload"] == DATA


def test_complete_from_the_server_ends_the_stream(
    http: httpx.Client, server: Worker, token: str, draft: str
) -> None:
    """“Indicates that the requested operation execution has completed.”."""
    with begun(server, token) as socket:
        socket.subscribe("1", WATCH, variables={"draft": draft})
        assert socket.of("1")["type"] == "next"
        body = {"query": "mutation ($id: ID!) { discardDraft(draft: $id) { errors { code } } }"}
        http.post("/graphql", json={**body, "variables": {"id": draft}})
        told = []
        while (message := socket.of("1"))["type"] == "next":
            told.append(message["payload"]["data"]["draftEvents"]["__typename"])
        assert told[-1] == "DraftDiscarded"
        assert message == {"type": "complete", "id": "1"}


@pytest.mark.parametrize(
    "bad",
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("", "BAD_REQUEST"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { a: __typename } query B { b: __typename }", "OPERATION_RESOLUTION_FAILURE"),
        ("fragment A on Band { name }", "OPERATION_RESOLUTION_FAILURE"),
        ("subscription { draftEvents { version } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription ($d: ID!) { draftEvents(draft: $d) { version } }", "BAD_USER_INPUT"),
        (GARBAGE, "NOT_FOUND"),
    ],
)
def test_error_ends_its_operation_and_no_other(
    http: httpx.Client, server: Worker, token: str, draft: str, bad: tuple[str, str]
) -> None:
    """“This message terminates the operation and no further messages will be sent.”."""
    query, code = bad
    with begun(server, token) as socket:
        socket.subscribe("before", WATCH, variables={"draft": draft})
        assert socket.of("before")["type"] == "next"
        socket.subscribe("bad", query)
        error = socket.of("bad")
        assert (error["type"], isinstance(error["payload"], list)) == ("error", True)
        assert [each["extensions"]["code"] for each in error["payload"]] == [code]
        rename(http, draft, "Still there")
        while socket.of("before")["payload"]["data"]["draftEvents"]["version"] != 1:
            pass
        socket.subscribe("bad")  # the id is free again, and no `complete` came behind the error
        assert socket.of("bad")["payload"] == DATA


def test_next_an_error_of_a_field_is_a_result(server: Worker) -> None:
    """It was executed: a `next` with data and errors, and then `complete`."""
    with begun(server) as socket:
        socket.subscribe("1", "{ __typename drafts { edges { cursor } } }")
        payload = socket.of("1")["payload"]
        assert payload["data"] is None
        assert payload["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert socket.receive() == {"type": "complete", "id": "1"}


def test_next_each_subscription_hears_of_its_own_draft(
    http: httpx.Client, server: Worker, token: str, draft: str
) -> None:
    """Strawberry on channels gives an event to all that listen for its type."""
    body = {"query": operations.OPEN, "variables": {"data": wings(), "resume": False}}
    other = http.post("/graphql", json=body).json()["data"]["payload"]["draft"]["id"]
    watch = "subscription ($draft: ID!) { draftEvents(draft: $draft) { draftId version } }"
    with begun(server, token) as socket:
        for name, which in (("a", draft), ("b", other)):
            socket.subscribe(name, watch, variables={"draft": which})
            event = socket.of(name)["payload"]["data"]["draftEvents"]
            assert event == {"draftId": which, "version": 0}
        rename(http, draft, "A")
        rename(http, other, "B")
        heard: set[str] = set()
        while len(heard) < 2:
            message = socket.receive()
            event = message["payload"]["data"]["draftEvents"]
            assert event["draftId"] == {"a": draft, "b": other}[message["id"]]
            if event["version"] == 1:
                heard.add(message["id"])


# The older protocol: subscriptions-transport-ws


def test_older_operations_are_started_and_stopped(
    http: httpx.Client, server: Worker, token: str, draft: str
) -> None:
    """GQL_START, GQL_DATA, GQL_COMPLETE, GQL_STOP."""
    with begun(server, token, OLD) as socket:
        payload = {"query": WATCH, "variables": {"draft": draft}}
        socket.send({"type": "start", "id": "1", "payload": payload})
        assert socket.receive()["type"] == "data"
        rename(http, draft, "Heard")
        while socket.receive()["payload"]["data"]["draftEvents"]["version"] != 1:
            pass
        socket.send({"type": "stop", "id": "1"})
        while (message := socket.receive())["type"] != "complete":
            pass
        assert message["id"] == "1"


@pytest.mark.parametrize(
    "query", ["{", "{ nothing }", 'subscription { draftEvents(draft: "x") { version } }']
)
def test_older_errors_end_their_operation_alone(server: Worker, token: str, query: str) -> None:
    """GQL_ERROR."""
    with begun(server, token, OLD) as socket:
        for name in ("1", "1"):
            socket.send({"type": "start", "id": name, "payload": {"query": query}})
            error = socket.receive()
            assert (error["type"], error["id"]) == ("error", name)
            assert error["payload"]["extensions"]["code"]


def test_older_queries_are_answered(server: Worker) -> None:
    """It is for all operations, too."""
    with begun(server, protocol=OLD) as socket:
        socket.send({"type": "start", "id": "1", "payload": TYPENAME})
        assert socket.receive() == {"type": "data", "id": "1", "payload": DATA}
        assert socket.receive() == {"type": "complete", "id": "1"}


def test_older_it_ends_by_terminate_or_without_a_start(server: Worker) -> None:
    """GQL_CONNECTION_TERMINATE; and an operation needs the init before."""
    with begun(server, protocol=OLD) as socket:
        socket.send({"type": "connection_terminate"})
        assert socket.closed()[0] == 1000
    with dial(server, OLD) as socket:
        socket.send({"type": "start", "id": "1", "payload": TYPENAME})
        assert socket.closed()[0] == 4401
    with dial(server, OLD) as socket:
        refused = socket.ask({"type": "connection_init", "payload": {"Authorization": "Bearer x"}})
        assert refused["type"] == "connection_error"
        assert socket.closed()[0] == 1011
