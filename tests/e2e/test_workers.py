"""The processes of a test: they serve, share and end."""

import pytest
from redis import Redis

from tests.e2e.conftest import StartWorkers
from tests.e2e.workers import Worker

pytestmark = pytest.mark.once


def test_each_worker_answers_on_an_address_of_its_own(workers: list[Worker]) -> None:
    """A test can tell one worker from another."""
    first, second = workers
    assert first.url != second.url


def test_a_killed_worker_leaves_the_others(
    start_workers: StartWorkers, redis_client: Redis
) -> None:
    """Only the one that the test named is gone, and another can take its place."""
    first, second = start_workers(2)
    first.kill()
    (third,) = start_workers(1)
    assert first.process.poll() is not None
    assert second.process.poll() is None
    assert third.process.poll() is None
    assert redis_client.ping()
