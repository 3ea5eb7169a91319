"""Attacks by HTTP requests: too much, too deep, too slow."""

from __future__ import annotations

import time
from contextlib import ExitStack

import httpx
import pytest

from tests.attacks.conftest import Bystander
from tests.attacks.figures import measured, record
from tests.attacks.raw import POST, QUERY, connected, memory_of, receive, send
from tests.e2e.workers import Worker
from tests.served import DEADLINE

MIB = 1024 * 1024
CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"


@pytest.mark.usefixtures("bystander")
def test_a_chunked_body_of_60_mib_is_not_read(server: Worker) -> None:
    """413, when 2.5 MiB have come: what is behind that is not taken."""
    before = memory_of(server)
    with connected(server) as connection:
        sent, began = 0, time.monotonic()
        send(connection, POST + b"Transfer-Encoding: chunked\r\n\r\n")
        while sent < 60 * MIB and send(connection, CHUNK):
            sent += 0x10000
        answer = receive(connection)
    seconds = time.monotonic() - began
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"LIMIT_EXCEEDED"' in answer
    assert sent < 20 * MIB
    assert memory_of(server) - before < 30 * MIB
    record("chunked body of 60 MiB", seconds, sent=sent)


@pytest.mark.usefixtures("bystander")
@pytest.mark.parametrize("address", ["/graphql", "/nowhere"])
def test_a_body_that_is_announced_too_large_is_not_read_at_all(
    server: Worker, address: str
) -> None:
    """413 for the head alone; nor is the client told to go on."""
    head = POST.replace(b"/graphql", address.encode())
    announced = head + b"Content-Length: 62914560\r\nExpect: 100-continue\r\n\r\n"
    with connected(server) as connection, measured(f"announced body of 60 MiB to {address}"):
        send(connection, announced)
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.usefixtures("bystander")
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"query": "{ __typename }", "variables": {"a": '
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}}",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
    ids=["open", "variables", "objects"],
)
def test_json_of_100_000_levels(
    http: httpx.Client, body: bytes, request: pytest.FixtureRequest
) -> None:
    """400: it is not valid for us."""
    headers = {"Content-Type": "application/json"}
    with measured(f"JSON of 100,000 levels ({request.node.callspec.id})"):
        answer = http.post("/graphql", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.usefixtures("bystander")
def test_numbers_that_take_long_to_read(http: httpx.Client) -> None:
    """A number of two million digits costs its bytes, and not their square."""
    body = b'{"query": "{ __typename }", "variables": {"a": ' + b"9" * 2_000_000 + b"}}"
    with measured("number of two million digits"):
        answer = http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_a_body_that_comes_slowly(server: Worker, bystander: Bystander) -> None:
    """408 after `BODY_TIMEOUT`, for hundreds at once."""
    with ExitStack() as stack:
        began = time.monotonic()
        slow = [stack.enter_context(connected(server)) for _ in range(200)]
        for connection in slow:
            send(connection, POST + b"Content-Length: 1000\r\n\r\n{")
        for connection in slow:
            answer = receive(connection)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b'"LIMIT_EXCEEDED"' in answer
        seconds = time.monotonic() - began
    assert seconds < DEADLINE
    record("200 slow bodies (limit: 2 s)", seconds, others_waited=bystander.longest)


def test_a_head_that_comes_slowly_or_never(server: Worker, bystander: Bystander) -> None:
    """408 after `BODY_TIMEOUT` (`config.protocols`), for hundreds at once."""
    with ExitStack() as stack:
        began = time.monotonic()
        slow = [stack.enter_context(connected(server)) for _ in range(200)]
        for number, connection in enumerate(slow):
            send(connection, (b"", b"GET", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b")[number % 3])
        for connection in slow:
            assert receive(connection).startswith(b"HTTP/1.1 408 ")
        seconds = time.monotonic() - began
    record("200 slow heads (limit: 2 s)", seconds, others_waited=bystander.longest)


@pytest.mark.usefixtures("bystander")
@pytest.mark.parametrize(
    "line", [b"X-A: " + b"a" * 1000 + b"\r\n", b"a" * 1000], ids=["many headers", "one header"]
)
def test_a_head_without_an_end(server: Worker, line: bytes, request: pytest.FixtureRequest) -> None:
    """431: httptools would take all of it."""
    with connected(server) as connection:
        with measured(f"endless head ({request.node.callspec.id})"):
            send(connection, b"GET / HTTP/1.1\r\nHost: x\r\nX-B: ")
            sent = 0
            while sent < 20 * MIB and send(connection, line):
                sent += len(line)
            answer = receive(connection)
        assert answer.startswith(b"HTTP/1.1 431 ") or not answer  # reset while it still sent
        assert sent < 10 * MIB


@pytest.mark.usefixtures("bystander")
def test_requests_in_one_another(server: Worker) -> None:
    """Neither Content-Length with chunks, nor two lengths, nor a second request in a body."""
    smuggled = b"0\r\n\r\nGET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    for head in (
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 27\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\n",
    ):
        with connected(server) as connection, measured("smuggled request"):
            send(connection, POST + head + smuggled)
            answer = receive(connection)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"store" not in answer
    with connected(server) as connection:
        send(connection, POST + b"Content-Length: 27\r\nConnection: close\r\n\r\n" + QUERY)
        assert receive(connection).startswith(b"HTTP/1.1 200 ")
