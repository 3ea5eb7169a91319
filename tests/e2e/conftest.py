"""Workers for a test, on a copy of the sample database of their own.

A test asks for `workers`, which are two, or for `start_workers`, and says how many and with
which environment: `(worker,) = start_workers(1, LOG_LEVEL="DEBUG")`.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.e2e.workers import Worker, manage, start_worker, wait_for_worker
from tests.plugin import POSTGRES
from tests.topologies import apart, connect

StartWorkers: TypeAlias = Callable[..., list[Worker]]


@pytest.fixture(scope="session")
def sample_database_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated database with the sample data, made once a run, to copy from."""
    if POSTGRES:
        postgres("CREATE DATABASE samples")
        url = postgres_url("samples")
    else:
        url = f"sqlite:///{tmp_path_factory.mktemp('samples') / 'db.sqlite3'}"
    manage("migrate", environ={"DATABASE_URL": url})
    manage("load_samples", environ={"DATABASE_URL": url})
    return url


@pytest.fixture
def database_url(sample_database_url: str, tmp_path: Path) -> Iterator[str]:
    """A copy of the sample database for this test."""
    if POSTGRES:
        postgres("CREATE DATABASE workers TEMPLATE samples")
        yield postgres_url("workers")
        postgres("DROP DATABASE workers WITH (FORCE)")
    else:
        path = tmp_path / "db.sqlite3"
        shutil.copyfile(urlsplit(sample_database_url).path, path)
        yield f"sqlite:///{path}"


@pytest.fixture
def worker_redis_url(redis_url: str) -> str:
    """The workers' Redis: the run's server, emptied, and apart from the in-process tests' data."""
    url = apart(redis_url, 1)
    with connect(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def start_workers(
    database_url: str, worker_redis_url: str, tmp_path: Path
) -> Iterator[StartWorkers]:
    """Start so many more workers, with these environment variables besides.

    All share one database and one Redis, connect as in production (pooled), answer when
    this returns, and are stopped after the test; their logs are shown if it fails.
    """
    logs: list[Path] = []
    with ExitStack() as stack:

        def start(count: int, **environ: str) -> list[Worker]:
            shared = {
                "DATABASE_URL": database_url,
                "DATABASE_POOL_SIZE": "20",
                "REDIS_URL": worker_redis_url,
            }
            started = []
            for _ in range(count):
                logs.append(tmp_path / f"worker-{len(logs)}.log")
                process = start_worker(logs[-1], shared | environ)
                stack.callback(Worker(url="", process=process, log=logs[-1]).stop)
                started.append((process, logs[-1]))
            return [wait_for_worker(process, log) for process, log in started]

        yield start
    for log in logs:
        sys.stdout.write(f"---- {log.name}\n{log.read_text(errors='replace')}")


@pytest.fixture
def workers(start_workers: StartWorkers) -> list[Worker]:
    """Two workers."""
    return start_workers(2)


def postgres(statement: str) -> None:
    """Run a statement on the run's own database."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(statement.encode())


def postgres_url(name: str) -> str:
    """Return where another database of the same server is."""
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
