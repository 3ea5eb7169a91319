"""The word to end, held back; real signals to this process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from gql_cluster.transport.draining import Draining

pytestmark = pytest.mark.once


@pytest.fixture
def heard() -> Iterator[asyncio.Event]:
    """What the server hears of SIGTERM."""
    event = asyncio.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: event.set())
    yield event
    signal.signal(signal.SIGTERM, before)


async def test_a_second_word_ends_a_worker_at_once(heard: asyncio.Event) -> None:
    """Whatever it was to wait for."""
    draining = Draining()
    leave = draining.hold_back(600)
    os.kill(os.getpid(), signal.SIGTERM)
    assert draining.is_draining
    assert not heard.is_set()
    os.kill(os.getpid(), signal.SIGTERM)
    assert heard.is_set()
    leave()


async def test_the_word_is_passed_on_when_the_time_is_over(heard: asyncio.Event) -> None:
    """And at once where there is none to wait for; it ends all the same."""
    for seconds in (0.05, 0):
        draining = Draining()
        leave = draining.hold_back(seconds)
        os.kill(os.getpid(), signal.SIGTERM)
        assert draining.is_draining
        async with asyncio.timeout(20):
            await heard.wait()
        heard.clear()
        leave()


async def test_a_server_that_goes_on_hears_as_before(heard: asyncio.Event) -> None:
    """Nothing of it stays when the lifespan is over."""
    Draining().hold_back(600)()
    os.kill(os.getpid(), signal.SIGTERM)
    assert heard.is_set()
