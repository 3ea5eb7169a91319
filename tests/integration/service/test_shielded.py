"""Work that goes on when whoever asked for it has hung up."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from gql_cluster.domain.error import ConflictError
from gql_cluster.service.shielded import shielded

pytestmark = pytest.mark.once


@pytest.mark.parametrize(("error", "logged"), [(OSError("disk"), 1), (ConflictError.of("x"), 0)])
async def test_a_failure_that_nobody_waits_for_is_logged_unless_it_is_a_refusal(
    error: Exception, logged: int, caplog: pytest.LogCaptureFixture
) -> None:
    """With its cause, once, by the engine and not by asyncio."""
    go_on, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        done.set()
        raise error

    waiting = asyncio.create_task(shielded(work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with caplog.at_level(logging.INFO):
        go_on.set()
        await done.wait()
        await asyncio.sleep(0)
        gc.collect()
    assert [record.name for record in caplog.records] == ["gql_cluster.service.shielded"] * logged


async def test_who_waits_is_told_and_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """As if it were not shielded."""

    async def work() -> None:
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        await shielded(work())
    gc.collect()
    assert not caplog.records
