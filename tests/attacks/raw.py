"""Bytes on a socket, for what no client library would send."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from tests.e2e.workers import Worker
from tests.served import DEADLINE

POST = b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
QUERY = b'{"query": "{ __typename }"}'


@contextmanager
def connected(server: Worker, buffer: int | None = None) -> Iterator[socket.socket]:
    """Connect; every wait ends after `DEADLINE` seconds. `buffer` is how much it can receive."""
    url = urlsplit(server.url)
    with socket.socket() as found:
        found.settimeout(DEADLINE)
        if buffer is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        found.connect((url.hostname, url.port))
        yield found


def send(connection: socket.socket, data: bytes) -> bool:
    """Send; tell whether the other side took it."""
    try:
        connection.sendall(data)
    except OSError:
        return False
    return True


def receive(connection: socket.socket) -> bytes:
    """Return all that comes until the other side closes."""
    found = b""
    with suppress(ConnectionError):
        while more := connection.recv(65_536):
            found += more
    return found


def memory_of(worker: Worker) -> int:
    """Return how much memory a process has, in bytes; 0 where that is not told."""
    status = Path(f"/proc/{worker.process.pid}/status")
    if not status.exists():
        return 0
    line = next(each for each in status.read_text().splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) * 1024
