"""Sections “Communication”, “ConnectionInit”, “ConnectionAck”, “Ping” and “Pong”."""

from __future__ import annotations

import time

import pytest

from tests.conformance.websocket.frames import DATA, NEW, OLD, begun, dial
from tests.e2e.workers import Worker
from tests.served import PATIENCE


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [((NEW,), NEW), ((OLD,), OLD), ((NEW, OLD), NEW), ((OLD, NEW), OLD), (("soap", NEW), NEW)],
)
def test_communication_the_first_protocol_that_is_known_is_taken(
    server: Worker, offered: tuple[str, ...], chosen: str
) -> None:
    """“The WebSocket sub-protocol for this specification is: graphql-transport-ws.”."""
    with dial(server, *offered) as socket:
        assert socket.connection.subprotocol == chosen
        socket.begin()


def test_communication_without_a_known_protocol_it_is_4406(server: Worker) -> None:
    """As graphql-ws closes it: Subprotocol not acceptable."""
    with dial(server, "soap") as socket:
        assert socket.closed()[0] == 4406


@pytest.mark.parametrize(
    "message",
    [
        '{"type": "connection_init"}',
        '{"type": "connection_init", "payload": null}',
        '{"type": "connection_init", "payload": {}}',
        '{"type": "connection_init", "payload": {"anything": [1, {"a": null}]}, "more": 1}',
    ],
)
@pytest.mark.parametrize("protocol", [NEW, OLD])
def test_connection_init_has_any_map_as_payload_or_none(
    server: Worker, message: str, protocol: str
) -> None:
    """“payload?: Record<string, unknown> | null”."""
    with dial(server, protocol) as socket:
        assert socket.ask(message)["type"] == "connection_ack"


@pytest.mark.parametrize("protocol", [NEW, OLD])
def test_connection_init_has_to_come_in_time_or_it_is_4408(server: Worker, protocol: str) -> None:
    """“The server will close the socket with the event 4408” behind `INIT_TIMEOUT`."""
    with dial(server, protocol) as socket:
        began = time.monotonic()
        assert socket.closed() == (4408, "Connection initialisation timeout")
        assert time.monotonic() - began > PATIENCE / 2


def test_connection_init_a_ping_does_not_stand_for_it(server: Worker) -> None:
    """Nor does anything else keep the socket open."""
    with dial(server) as socket:
        for _ in range(3):
            assert socket.ask({"type": "ping"}) == {"type": "pong"}
        assert socket.closed()[0] == 4408


def test_connection_init_twice_is_4429(server: Worker) -> None:
    """“Too many initialisation requests”: also where the second one is wrong besides."""
    with begun(server) as socket:
        socket.send({"type": "connection_init"})
        assert socket.closed() == (4429, "Too many initialisation requests")


@pytest.mark.parametrize("authorization", ["Bearer garbage", "Basic YTpi", "x"])
def test_connection_init_that_is_rejected_is_4403(server: Worker, authorization: str) -> None:
    """“It is recommended to close the socket with 4403: Forbidden.”."""
    with dial(server) as socket:
        socket.send({"type": "connection_init", "payload": {"Authorization": authorization}})
        assert socket.closed()[0] == 4403


@pytest.mark.parametrize("payload", [{}, {"a": {"b": [1, None]}}])
def test_ping_is_answered_at_any_time_with_what_it_brought(
    server: Worker, payload: dict[str, object]
) -> None:
    """“A Pong must be sent in response as soon as possible”, also before the init."""
    with dial(server) as socket:
        assert socket.ask({"type": "ping"}) == {"type": "pong"}
        assert socket.ask({"type": "ping", "payload": None}) == {"type": "pong"}
        socket.begin()
        pong = socket.ask({"type": "ping", "payload": payload})
        assert pong == {"type": "pong", "payload": payload}


def test_pong_may_come_unsolicited(server: Worker) -> None:
    """“As an unidirectional heartbeat”."""
    with begun(server) as socket:
        for pong in ({"type": "pong"}, {"type": "pong", "payload": {"a": 1}}):
            socket.send(pong)
        socket.subscribe("1")
        assert socket.receive()["payload"] == DATA
