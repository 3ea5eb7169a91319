"""Section “Invalid message”: of a type or format that is not specified, of whatever JSON."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.websocket.frames import DATA, NEW, OLD, begun, dial
from tests.e2e.workers import Worker

REQUEST = '"payload": {"query": "{ __typename }"}'
INVALID: list[str | bytes] = [
    "",
    " ",
    "{",
    "nonsense",
    "null",
    "true",
    "1",
    "1e999",
    "NaN",
    '"x"',
    "[]",
    "[1]",
    '[{"type": "ping"}]',
    "{}",
    '{"type": null}',
    '{"type": 1}',
    '{"type": ["ping"]}',
    '{"type": {}}',
    '{"type": "unheard"}',
    '{"type": "' + "x" * 1000 + '"}',
    '{"type": "connection_ack"}',
    '{"type": "next", "id": "1", "payload": {}}',
    '{"type": "ping", "payload": "x"}',
    '{"type": "ping", "payload": [1]}',
    '{"type": "pong", "payload": 1}',
    '{"type": "complete"}',
    '{"type": "complete", "id": null}',
    '{"type": "complete", "id": 1}',
    '{"type": "complete", "id": {}}',
    '{"type": "subscribe", ' + REQUEST + "}",
    '{"type": "subscribe", "id": "", ' + REQUEST + "}",
    '{"type": "subscribe", "id": {}, ' + REQUEST + "}",
    '{"type": "subscribe", "id": 1, ' + REQUEST + "}",
    '{"type": "subscribe", "id": "1"}',
    '{"type": "subscribe", "id": "1", "payload": null}',
    '{"type": "subscribe", "id": "1", "payload": "x"}',
    '{"type": "subscribe", "id": "1", "payload": {}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": null}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "variables": [1]}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "variables": "{}"}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "operationName": 1}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "extensions": 1}}',
    '{"type": "subscribe", "id": "\\ud800", ' + REQUEST + "}",
    "[" * 100_000,
    '{"a":' * 100_000,
    b"",
    b'{"type": "ping"}',
    b"\xff\xfe",
]


def _name(message: str | bytes) -> str:
    return repr(message[:70])


@pytest.mark.parametrize("message", INVALID, ids=_name)
def test_invalid_message_is_4400(server: Worker, message: str | bytes) -> None:
    """“An immediate socket closure with the event 4400”; the socket is not left open and mute."""
    with begun(server) as socket:
        socket.send(message)
        code, reason = socket.closed()
        assert (code, bool(reason)) == (4400, True)


@pytest.mark.parametrize("message", ["null", "[1]", '{"type": 1}', b"\x00"], ids=_name)
@pytest.mark.parametrize("protocol", [NEW, OLD])
def test_invalid_message_is_4400_before_the_init_too(
    server: Worker, message: str | bytes, protocol: str
) -> None:
    """In the older protocol as well."""
    with dial(server, protocol) as socket:
        socket.send(message)
        assert socket.closed()[0] == 4400


@pytest.mark.parametrize("payload", ["x", 1, [1], True])
@pytest.mark.parametrize("protocol", [NEW, OLD])
def test_invalid_message_an_init_of_another_payload_is_4400(
    server: Worker, payload: Any, protocol: str
) -> None:
    """It is a map or null."""
    with dial(server, protocol) as socket:
        socket.send({"type": "connection_init", "payload": payload})
        assert socket.closed()[0] == 4400


def test_invalid_message_of_the_other_protocol_is_4400(server: Worker) -> None:
    """Each has its own types."""
    with begun(server) as socket:
        socket.send({"type": "start", "id": "1", "payload": {"query": "{ __typename }"}})
        assert socket.closed()[0] == 4400
    with begun(server, protocol=OLD) as socket:
        socket.subscribe("1")
        assert socket.closed()[0] == 4400


def test_invalid_message_ends_what_came_before_and_takes_nothing_behind(
    server: Worker, token: str
) -> None:
    """What is sent behind it is not executed any more."""
    with begun(server, token) as socket:
        socket.send("null")
        opening = 'mutation { openBandDraft(data: {name: "Late", formed: 1971}) { draft { id } } }'
        socket.subscribe("1", opening)
        assert socket.closed()[0] == 4400
    with begun(server, token) as socket:
        socket.subscribe("1", "{ drafts { edges { cursor } } }")
        assert socket.receive()["payload"] == {"data": {"drafts": {"edges": []}}}


def test_invalid_message_a_complete_of_an_unknown_operation_is_none(server: Worker) -> None:
    """“It is permissable to simply ignore all unknown IDs without closing the connection.”."""
    with begun(server) as socket:
        socket.send({"type": "complete", "id": "never"})
        socket.subscribe("1")
        assert socket.receive()["payload"] == DATA
        assert socket.receive() == {"type": "complete", "id": "1"}
        socket.send({"type": "complete", "id": "1"})
        socket.subscribe("2")
        assert socket.receive()["id"] == "2"
