"""Waiting for a draft to change: one listener a draft and worker, however many watch.

The channel layer only wakes it, and may lose a wake-up: the truth is the draft's log, which is
looked at every `poll` seconds at the latest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from channels.layers import get_channel_layer

from gql_cluster.domain.error import ClusterError
from gql_cluster.domain.tree import Want
from gql_cluster.store.cache import CopyCache

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Watch:
    """One draft that somebody watches here; `news` counts what may have happened to it."""

    news: int = 0
    watchers: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    task: asyncio.Task[None] | None = None


class Hub:
    """The watched drafts of one event loop."""

    def __init__(self, cache: CopyCache, *, prefix: str, poll: float) -> None:
        """`poll` is in seconds."""
        self._cache = cache
        self._prefix = prefix
        self._poll = poll
        self._watches: dict[str, Watch] = {}

    async def wake(self, draft_id: str) -> None:
        """Tell every worker that a draft has changed; that this can fail is of no account."""
        layer: Any = get_channel_layer()
        if layer is None:
            return
        try:
            await layer.group_send(self._group(draft_id), {"type": "draft.changed"})
        except Exception:  # noqa: BLE001 - whatever the layer raises, the poll makes up for it
            logger.warning("A wake-up of draft watchers was lost.", exc_info=True)

    @asynccontextmanager
    async def watching(self, draft_id: str) -> AsyncIterator[Watch]:
        """Keep a draft's copy up to date as long as the block runs."""
        watch = self._watches.get(draft_id)
        if watch is None:
            watch = self._watches[draft_id] = Watch()
            watch.task = asyncio.create_task(self._listen(draft_id, watch))
        watch.watchers += 1
        try:
            yield watch
        finally:
            watch.watchers -= 1
            if watch.watchers == 0 and self._watches.get(draft_id) is watch:
                del self._watches[draft_id]
                await _end(watch)

    async def aclose(self) -> None:
        """Stop listening."""
        watches = list(self._watches.values())
        self._watches.clear()
        for watch in watches:
            await _end(watch)

    def _group(self, draft_id: str) -> str:
        return f"{self._prefix}.draft.{draft_id}"

    async def _listen(self, draft_id: str, watch: Watch) -> None:
        layer: Any = get_channel_layer()
        while True:
            try:
                if layer is None:
                    await self._poll_only(draft_id, watch)
                else:
                    await self._follow(layer, draft_id, watch)
            except Exception:  # the layer is away: go on as soon as it is back
                logger.warning("Listening for a draft was interrupted.", exc_info=True)
            await self._look(draft_id, watch)
            await asyncio.sleep(self._poll)

    async def _poll_only(self, draft_id: str, watch: Watch) -> None:
        while True:
            await self._look(draft_id, watch)
            await asyncio.sleep(self._poll)

    async def _follow(self, layer: Any, draft_id: str, watch: Watch) -> None:
        channel = await layer.new_channel()
        group = self._group(draft_id)
        await layer.group_add(group, channel)
        try:
            while True:
                # Looked at first, because something may have happened before the group was joined.
                await self._look(draft_id, watch)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll):
                        await layer.receive(channel)
        finally:
            await layer.group_discard(group, channel)

    async def _look(self, draft_id: str, watch: Watch) -> None:
        try:
            await self._cache.get(draft_id, Want(), fresh=True)
        except ClusterError:
            return  # the store is away: the watchers will know when it is back
        async with watch.changed:
            watch.news += 1
            watch.changed.notify_all()


async def _end(watch: Watch) -> None:
    if watch.task is not None:
        watch.task.cancel()
        with suppress(asyncio.CancelledError):
            await watch.task
