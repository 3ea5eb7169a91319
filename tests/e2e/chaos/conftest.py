"""Servers of these tests' own, which they may kill, and must leave running."""

from __future__ import annotations

import itertools
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tests.e2e.chaos.servers import PostgresServer, RedisServer
from tests.e2e.client import DEADLINE, Client
from tests.e2e.workers import Worker, manage, start_worker, wait_for_worker


@pytest.fixture(scope="package", autouse=True)
def _quiet() -> Iterator[None]:
    """What is sent is told by the records."""
    logger = logging.getLogger("httpx")
    before = logger.level
    logger.setLevel(logging.WARNING)
    yield
    logger.setLevel(before)


@pytest.fixture(scope="package")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL with a database `samples` to copy from."""
    with TemporaryDirectory(prefix="gql_cluster-") as directory:
        server = PostgresServer(Path(directory) / "postgres")
        try:
            server.start()
            server.execute("CREATE DATABASE samples")
            url = server.database("samples")
            manage("migrate", environ={"DATABASE_URL": url})
            manage("load_samples", environ={"DATABASE_URL": url})
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="package")
def copy_samples(postgres: PostgresServer) -> Callable[[], str]:
    """Make another copy of the sample database, and return where it is."""
    names = (f"samples{number}" for number in itertools.count())

    def copy() -> str:
        name = next(names)
        postgres.execute(f"CREATE DATABASE {name} TEMPLATE samples")
        # Else a crash would take the sequences back to the template's numbers: those that they
        # have logged ahead there are not logged again for the copy.
        postgres.execute("CHECKPOINT")
        return postgres.database(name)

    return copy


@pytest.fixture(scope="package")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that keeps what it has acknowledged."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def saved_url(copy_samples: Callable[[], str]) -> str:
    """The database of the workers of a module."""
    return copy_samples()


@pytest.fixture(scope="module")
def workers(
    tmp_path_factory: pytest.TempPathFactory, redis: RedisServer, saved_url: str
) -> Iterator[list[Worker]]:
    """Two workers, for all tests of a module."""
    directory = tmp_path_factory.mktemp("workers")
    environ = {
        "DATABASE_URL": saved_url,
        "DATABASE_POOL_SIZE": "10",
        "REDIS_URL": redis.url,
        "GQL_CLUSTER": '{"COMMIT_LEASE": 6}',
    }
    with ExitStack() as stack:
        started = []
        for log in (directory / "first.log", directory / "second.log"):
            process = start_worker(log, environ)
            stack.callback(Worker(url="", process=process, log=log).stop)
            started.append((process, log))
        yield [wait_for_worker(process, log) for process, log in started]


@pytest.fixture
async def client(workers: list[Worker]) -> AsyncIterator[Client]:
    """A session, at the first worker; what the workers log is shown if the test fails."""
    before = [worker.log.stat().st_size for worker in workers]
    async with httpx.AsyncClient(timeout=DEADLINE, trust_env=False) as http:
        yield await Client(http=http, worker=workers[0]).started()
    for worker, start in zip(workers, before, strict=True):
        logged = worker.log.read_bytes()[start:].decode(errors="replace")
        sys.stdout.write(f"---- {worker.log.name}\n{logged}")


@pytest.fixture
def elsewhere(client: Client, workers: list[Worker]) -> Client:
    """The same session at the second worker."""
    return client.at(workers[1])
