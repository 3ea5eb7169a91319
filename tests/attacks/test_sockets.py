"""Attacks by sockets: too many, too busy, too large, and those that never read."""

from __future__ import annotations

import json
import secrets
import socket
import struct
import time
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.attacks.conftest import ELSEWHERE, Bystander
from tests.attacks.figures import measured, record
from tests.attacks.raw import HANDSHAKE, POST, connected, memory_of, send
from tests.conformance.websocket.frames import NEW, begun, dial
from tests.e2e import operations
from tests.e2e.samples import named, wings
from tests.e2e.workers import Worker
from tests.served import DEADLINE, LIMITS

MIB = 1024 * 1024
WATCH = """subscription ($draft: ID!) { draftEvents(draft: $draft) { version draft {
    ... on BandDraft { cluster { biography } } } } }"""
RENAME = """mutation ($draft: ID!, $changes: [BandChange!]!) {
    editBandDraft(draft: $draft, changes: $changes) { errors { code } } }"""


def frame(opcode: int, data: bytes) -> bytes:
    """Return a short frame, masked with nothing."""
    return bytes([opcode, 0x80 | len(data)]) + b"\0\0\0\0" + data


INIT = frame(0x81, b'{"type": "connection_init"}')


def ask(http: httpx.Client, query: str, **variables: Any) -> Any:
    """Return the data of an operation over HTTP."""
    answer = http.post("/graphql", json={"query": query, "variables": variables}).json()
    assert not answer.get("errors"), answer
    return answer["data"]


def _address_of(server: Worker) -> tuple[str, int]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return host, int(port)


@pytest.fixture
def draft(http: httpx.Client, token: str) -> str:
    """An open draft of the session, with a long text that can't be compressed well."""
    http.headers["Authorization"] = f"Bearer {token}"
    band = wings(biography=secrets.token_hex(30_000))
    return str(ask(http, operations.OPEN, data=band)["payload"]["draft"]["id"])


def test_thousands_of_subscriptions_on_one_socket(
    server: Worker, token: str, draft: str, bystander: Bystander
) -> None:
    """As many as may be run; each of the others gets an error, and the socket goes on."""
    count, limit = 2000, 100
    with begun(server, token) as found:
        began = time.monotonic()
        for number in range(count):
            found.subscribe(str(number), WATCH, variables={"draft": draft})
        refused: set[str] = set()
        heard: set[str] = set()
        while len(refused) + len(heard) < count:
            message = found.receive()
            if message["type"] == "error":
                refused.add(message["id"])
                assert message["payload"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
            else:
                heard.add(message["id"])
        seconds = time.monotonic() - began
        assert (len(heard), len(refused)) == (limit, count - limit)
        found.send({"type": "complete", "id": "0"})
        found.subscribe("again")
        assert found.of("again")["payload"] == {"data": {"__typename": "Query"}}
    each = seconds / count
    record("one of 2,000 subscriptions", each, all=seconds, others_waited=bystander.longest)


def test_a_thousand_sockets_of_one_address(server: Worker, bystander: Bystander) -> None:
    """403 past the limit; others come in; and all may again when they are gone, however they go."""
    limit = int(LIMITS["MAX_SOCKETS_PER_ADDRESS"])
    slowest = 0.0
    with ExitStack() as stack:
        statuses = []
        for number in range(1000):
            connection = stack.enter_context(connected(server))
            if number % 2:  # gone by a reset, and not by a word
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            began = time.monotonic()
            send(connection, HANDSHAKE)
            statuses.append(connection.recv(4096).split(b" ")[1])
            send(connection, INIT)
            slowest = max(slowest, time.monotonic() - began)
        assert statuses[:limit] == [b"101"] * limit
        assert set(statuses[limit:]) == {b"403"}
        other = socket.create_connection(
            _address_of(server), timeout=DEADLINE, source_address=(ELSEWHERE, 0)
        )
        stack.enter_context(other)
        send(other, HANDSHAKE)
        assert b" 101 " in other.recv(4096)
    until = time.monotonic() + DEADLINE
    while True:
        with connected(server) as connection:
            send(connection, HANDSHAKE)
            if b" 101 " in connection.recv(4096):
                break
        assert time.monotonic() < until
    record("slowest of 1,000 sockets", slowest, others_waited=bystander.longest)


@pytest.mark.usefixtures("bystander")
def test_more_sockets_of_a_session_than_it_may_have(server: Worker, token: str) -> None:
    """1013, as for all that may be tried again; one that is closed makes place."""
    limit = int(LIMITS["MAX_SOCKETS_PER_SESSION"])
    init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}
    with ExitStack() as stack:
        for _ in range(limit):
            stack.enter_context(begun(server, token))
        with dial(server) as one_more, measured("one socket of a session too many"):
            one_more.send(init)
            assert one_more.closed()[0] == 1013
    until = time.monotonic() + DEADLINE
    while True:
        with dial(server) as again:
            again.send(init)
            try:
                assert again.receive()["type"] == "connection_ack"
                break
            except ConnectionClosed:
                assert time.monotonic() < until


@pytest.mark.usefixtures("bystander")
@pytest.mark.parametrize("size", [3 * MIB, 20 * MIB], ids=["3 MiB", "20 MiB, compressed"])
def test_a_message_that_is_too_large(server: Worker, size: int) -> None:
    """1009, RFC 6455, 7.4.1; what compresses well is counted as it would be."""
    with dial(server) as found:
        with suppress(ConnectionClosed):
            found.send('{"type": "ping", "payload": {"a": "' + "x" * size + '"}}')
        with measured(f"message of {size // MIB} MiB, when it was sent"):
            assert found.closed()[0] == 1009


@pytest.mark.usefixtures("bystander")
def test_nobody_reads_what_is_told(
    http: httpx.Client, server: Worker, token: str, draft: str
) -> None:
    """A WebSocket and a stream whose clients read nothing cost little, and are cut off in time."""
    before, number = memory_of(server), 0
    with ExitStack() as stack:
        found = stack.enter_context(_unread_socket(server))
        init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}
        found.send(json.dumps(init))
        payload = {"query": WATCH, "variables": {"draft": draft}}
        found.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        stream = stack.enter_context(connected(server, buffer=4096))
        body = json.dumps(payload).encode()
        head = f"Authorization: Bearer {token}\r\nAccept: text/event-stream\r\n".encode()
        length = f"Content-Length: {len(body)}\r\n\r\n".encode()
        send(stream, POST + head + length + body)
        while not ask(http, operations.PRESENT, draft=draft)["draft"]["editors"]:
            pass
        began = time.monotonic()
        while ask(http, operations.PRESENT, draft=draft)["draft"]["editors"]:
            assert time.monotonic() - began < 2 * DEADLINE
            for _ in range(5):
                number += 1
                ask(http, RENAME, draft=draft, changes=[named(f"Name {number}")])
        record("2 readers that don't read (limit: 2 s)", time.monotonic() - began, edits=number)
        assert memory_of(server) - before < 60 * MIB


def _unread_socket(server: Worker) -> AbstractContextManager[ClientConnection]:
    """Return the way to a WebSocket of which nothing is read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(_address_of(server))
    protocols = [Subprotocol(NEW)]
    return connect(
        server.websocket,
        sock=connection,
        subprotocols=protocols,
        max_queue=1,
        close_timeout=0,
        proxy=None,
    )


@pytest.mark.usefixtures("bystander")
@pytest.mark.parametrize("kind", ["ping", "frame"])
def test_a_flood_whose_answers_nobody_reads(server: Worker, kind: str) -> None:
    """The server stops to read, and in the end cuts the connection off."""
    text = b'{"type": "ping", "payload": {"a": "' + b"x" * 60 + b'"}}'
    opcode, data = {"ping": (0x81, text), "frame": (0x89, b"x" * 120)}[kind]
    flood, before = frame(opcode, data) * 1000, memory_of(server)
    with connected(server, buffer=4096) as connection:
        send(connection, HANDSHAKE)
        assert b" 101 " in connection.recv(4096)
        connection.settimeout(0.5)
        send(connection, INIT)
        sent, began = 0, time.monotonic()
        while sent < 100 * MIB and send(connection, flood):
            sent += len(flood)
        record(f"flood of {kind}s, unread", time.monotonic() - began, sent=sent)
        assert sent < 50 * MIB
        assert memory_of(server) - before < 60 * MIB


@pytest.mark.usefixtures("bystander")
def test_sockets_that_say_nothing(server: Worker) -> None:
    """Each is closed with 4408 in time."""
    with ExitStack() as stack:
        began = time.monotonic()
        mute = [stack.enter_context(connected(server)) for _ in range(80)]
        for connection in mute:
            send(connection, HANDSHAKE)
        for connection in mute:
            told = b""
            while not told.endswith(struct.pack("!H", 4408) + b"Connection initialisation timeout"):
                told += connection.recv(4096) or pytest.fail("closed without a word")
        record("80 mute sockets (limit: 2 s)", time.monotonic() - began)
