"""What every test has: an empty Redis, and a database that threads can share."""

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import pytest
from django.db import connections

from tests.topologies import connect

pytest.register_assert_rewrite("tests.shapes.walk")

# The machine is shared: how long an example takes says nothing. Each run has the same examples;
# HYPOTHESIS_PROFILE=random looks for others.
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True)
hypothesis.settings.register_profile("random", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))


@pytest.fixture(scope="session")
def redis_url() -> str:
    """Where the Redis of this test run is; the settings name the same."""
    return os.environ["REDIS_URL"]


@pytest.fixture(scope="session")
def redis_client(redis_url: str) -> Iterator[Any]:
    """A plain client of the Redis, or of the Redis Cluster, of this test run."""
    with connect(redis_url) as client:
        yield client


@pytest.fixture(autouse=True)
def _empty_redis(redis_client: Any) -> None:
    redis_client.flushdb()


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """On SQLite the test database is a file: each thread has a connection of its own to it."""
    url = urlsplit(os.environ["DATABASE_URL"])
    if url.scheme == "sqlite":
        connections["default"].settings_dict["TEST"]["NAME"] = url.path
