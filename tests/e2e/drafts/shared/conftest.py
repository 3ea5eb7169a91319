"""Two workers for all of these tests, and a session of its own for each."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.e2e.client import Client
from tests.e2e.conftest import postgres, postgres_url
from tests.e2e.drafts.conftest import StartSession
from tests.e2e.workers import Worker, start_worker, wait_for_worker
from tests.plugin import POSTGRES
from tests.topologies import apart, connect


@pytest.fixture(scope="package")
def database_url(
    sample_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A copy of the sample database; what one test commits, another does not look at."""
    if POSTGRES:
        postgres("CREATE DATABASE shared TEMPLATE samples")
        yield postgres_url("shared")
        postgres("DROP DATABASE shared WITH (FORCE)")
    else:
        path = tmp_path_factory.mktemp("shared") / "db.sqlite3"
        shutil.copyfile(urlsplit(sample_database_url).path, path)
        yield f"sqlite:///{path}"


@pytest.fixture(scope="package")
def worker_redis_url(redis_url: str) -> str:
    """The workers' Redis, apart from that of every other test."""
    url = apart(redis_url, 2)
    with connect(url) as client:
        client.flushdb()
    return url


@pytest.fixture(scope="package")
def workers(
    database_url: str, worker_redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Worker]]:
    """Two workers, for all of these tests."""
    directory = tmp_path_factory.mktemp("workers")
    environ = {
        "DATABASE_URL": database_url,
        "DATABASE_POOL_SIZE": "20",
        "REDIS_URL": worker_redis_url,
    }
    with ExitStack() as stack:
        started = []
        for log in (directory / "first.log", directory / "second.log"):
            process = start_worker(log, environ)
            stack.callback(Worker(url="", process=process, log=log).stop)
            started.append((process, log))
        yield [wait_for_worker(process, log) for process, log in started]


@pytest.fixture(autouse=True)
def _nothing_unforeseen(workers: list[Worker]) -> Iterator[None]:
    """Show what the workers logged if the test fails; a traceback is a failure of its own."""
    before = [worker.log.stat().st_size for worker in workers]
    yield
    logged = [
        worker.log.read_bytes()[start:].decode(errors="replace")
        for worker, start in zip(workers, before, strict=True)
    ]
    for worker, text in zip(workers, logged, strict=True):
        sys.stdout.write(f"---- {worker.log.name}\n{text}")
    assert not any("Traceback" in text for text in logged)


@pytest.fixture
async def client(start_session: StartSession, workers: list[Worker]) -> Client:
    """A session, at the first worker."""
    return await start_session(workers[0])


@pytest.fixture
def elsewhere(client: Client, workers: list[Worker]) -> Client:
    """The same session at the second worker."""
    return client.at(workers[1])


@pytest.fixture
async def stranger(start_session: StartSession, workers: list[Worker]) -> Client:
    """Another session, at the first worker."""
    return await start_session(workers[0])
