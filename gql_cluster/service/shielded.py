"""Work that goes on to its end whoever waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar

from gql_cluster.domain.error import ClusterError

logger = logging.getLogger(__name__)

T = TypeVar("T")


async def shielded(work: Awaitable[T]) -> T:
    """Wait for some work; when the waiting is cancelled, the work is not."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_tell)
        raise


def _tell(task: asyncio.Future[T]) -> None:
    """Log what failed; a refusal is only of interest to whoever waited."""
    exc = None if task.cancelled() else task.exception()
    if exc is not None and not isinstance(exc, ClusterError):
        logger.warning("Work that nobody waited for any more has failed.", exc_info=exc)
