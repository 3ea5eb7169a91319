"""Starts the servers of a test run, before pytest-django reads the settings.

One private Redis, or with TEST_REDIS=cluster a Redis Cluster of three; with
TEST_DATABASE=postgres one private PostgreSQL, and then only the tests that use a database run.
They live in a temporary directory and end with the run, also by Ctrl-C and SIGTERM.
"""

import os
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from config.embedded import end_on_sigterm, postgres_server, redis_server
from tests.topologies import redis_cluster

CLUSTER = os.environ.get("TEST_REDIS", "one") == "cluster"
POSTGRES = os.environ.get("TEST_DATABASE", "sqlite") == "postgres"
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup", "database_url"}


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config,
) -> Generator[None, object, object]:
    """Run before every other plugin's part of this hook."""
    end_on_sigterm()
    stack = ExitStack()
    early_config.add_cleanup(stack.close)
    directory = Path(stack.enter_context(TemporaryDirectory(prefix="gql_cluster-")))
    if CLUSTER:
        redis_url = stack.enter_context(redis_cluster(directory / "redis")).url
    else:
        # TCP, as in production, and not the socket of `make run`.
        redis_url = stack.enter_context(redis_server(directory / "redis", port=0, appendonly=False))
    if POSTGRES:
        database_url = stack.enter_context(postgres_server(directory / "postgres"))
    else:
        database_url = f"sqlite:///{directory / 'tests.sqlite3'}"
    os.environ |= {
        "DEBUG": "1",  # cookies over plain HTTP; pytest-django turns off the rest
        "SECRET_KEY": "tests",
        "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
        "DATABASE_URL": database_url,
        # The threads of a test run keep their connections: a pool would run dry.
        "DATABASE_POOL_SIZE": "0",
        "REDIS_URL": redis_url,
        "RUN_DIR": str(directory / "run"),
    }
    return (yield)


def pytest_report_header() -> str:
    """Name the servers of this run."""
    redis = "Redis Cluster" if CLUSTER else "one Redis"
    return f"database: {'PostgreSQL' if POSTGRES else 'SQLite'}, drafts: {redis}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL, run what uses a database; the rest ran on SQLite and needs no second run.

    On a Redis Cluster, leave out what looks into the one Redis that there is else.
    """
    chosen = [
        item
        for item in items
        if (not POSTGRES or _uses_database(item))
        and not (CLUSTER and item.get_closest_marker("one_redis"))
    ]
    if len(chosen) == len(items):
        return
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def _uses_database(item: pytest.Item) -> bool:
    if item.get_closest_marker("once") is not None:
        return False
    fixtures: list[str] = getattr(item, "fixturenames", [])
    return item.get_closest_marker("django_db") is not None or not DATABASE_FIXTURES.isdisjoint(
        fixtures
    )
