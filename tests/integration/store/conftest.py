"""A Redis for these tests, and a store in it whose keys no other test has."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from shutil import copytree, ignore_patterns, rmtree
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from redis import Redis as SyncRedis

from config.embedded import redis_server
from gql_cluster.store.client import Client, make_client
from gql_cluster.store.drafts import DraftStore
from gql_cluster.store.keys import Keys
from gql_cluster.store.sessions import SessionIndex
from tests.integration.store.band import OpeningStore

MakeStore = Callable[..., DraftStore]


class Server:
    """A redis-server of one test, which it can stop and begin again at the same address."""

    def __init__(self, folder: Path, *, keeps: bool = False) -> None:
        self._data = folder / "data"
        self._aside = folder / "aside"
        self._keeps = keeps
        self._running = ExitStack()
        self.url = ""

    def start(self) -> None:
        """Begin, with nothing kept unless it `keeps` all."""
        self.url = self._running.enter_context(redis_server(self._data, appendonly=self._keeps))
        if self._keeps:
            with SyncRedis.from_url(self.url) as client:
                client.config_set("appendfsync", "always")

    def stop(self) -> None:
        """End, with every connection."""
        self._running.close()

    def restart(self) -> None:
        """Be killed, and begin again with all that was acknowledged."""
        self._kill()
        self.start()

    def set_aside(self) -> None:
        """Copy the data as they are now."""
        self._copy(self._data, self._aside)

    def lose(self) -> None:
        """Be killed, and begin again with the data that were set aside: all since is lost."""
        self._kill()
        self._copy(self._aside, self._data)
        self.start()

    def _kill(self) -> None:
        with SyncRedis.from_url(self.url) as client:
            pid = client.info("server")["process_id"]
        os.kill(pid, signal.SIGKILL)
        self.stop()

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        special = ignore_patterns("redis.sock", "redis.log", "server.pid")
        rmtree(target, ignore_errors=True)
        copytree(source, target, ignore=special)


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A Redis for one test, which may stop it or look at its counts."""
    with TemporaryDirectory(prefix="gqlc-") as folder:  # short: it becomes a socket's path
        server = Server(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def keeping_server() -> Iterator[Server]:
    """A Redis for one test that keeps all it acknowledges, also when it is killed."""
    with TemporaryDirectory(prefix="gqlc-") as folder:
        server = Server(Path(folder), keeps=True)
        server.start()
        yield server
        server.stop()


@pytest.fixture
async def keeping_client(keeping_server: Server) -> AsyncIterator[Client]:
    """A client of the Redis that keeps all."""
    client = make_client(keeping_server.url, timeout=30, connect_timeout=30)
    yield client
    await client.aclose()


@pytest.fixture
async def own_client(own_server: Server) -> AsyncIterator[Client]:
    """A client of the Redis for one test."""
    client = make_client(own_server.url)
    yield client
    await client.aclose()


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    """A client as the service makes it, but more patient: the machine is shared."""
    client = make_client(redis_url, timeout=30, connect_timeout=30)
    yield client
    await client.aclose()


@pytest.fixture
def keys() -> Keys:
    """Key names of this test alone."""
    return Keys(prefix=f"test-{uuid4().hex}")


@pytest.fixture
def make_store(client: Client, keys: Keys) -> MakeStore:
    """Makes stores on the same keys, as of several workers."""

    def make(
        client: Client = client,
        ttl: timedelta = timedelta(minutes=5),
        closed_ttl: timedelta = timedelta(minutes=1),
        log_length: int = 1000,
    ) -> DraftStore:
        return OpeningStore(
            client, ttl=ttl, closed_ttl=closed_ttl, log_length=log_length, keys=keys
        )

    return make


@pytest.fixture
def store(make_store: MakeStore) -> DraftStore:
    """A store."""
    return make_store()


@pytest.fixture
def sessions(client: Client, keys: Keys) -> SessionIndex:
    """A session index."""
    return SessionIndex(client, ttl=timedelta(minutes=5), keys=keys)
