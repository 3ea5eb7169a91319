"""Waiting for a draft to change: one listener a draft and worker, however many watch.

The channel layer only wakes it, and may lose a wake-up: the truth is the draft's log, which is
looked at every `poll` seconds at the latest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from channels.layers import get_channel_layer

from gql_cluster.domain.error import ClusterError
from gql_cluster.domain.tree import Want
from gql_cluster.store.cache import CopyCache

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Watch:
    """One draft that is watched here; each watcher's event is set when it may have changed."""

    watchers: set[asyncio.Event] = field(default_factory=set)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Hub:
    """The watched drafts of one event loop."""

    def __init__(self, cache: CopyCache, *, prefix: str, poll: float) -> None:
        """`poll` is in seconds."""
        self._cache = cache
        self._prefix = prefix
        self._poll = poll
        self._watches: dict[str, Watch] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def wake(self, draft_id: str) -> None:
        """Tell every worker that a draft has changed; that this can fail is of no account."""
        layer: Any = get_channel_layer()
        if layer is None:
            return
        try:
            await layer.group_send(self._group(draft_id), {"type": "draft.changed"})
        except Exception:  # whatever the layer raises, the poll makes up for it
            logger.warning("A wake-up of draft watchers was lost.", exc_info=True)

    @contextmanager
    def watching(self, draft_id: str) -> Iterator[asyncio.Event]:
        """Keep a draft's copy up to date as long as the block runs.

        The event is set whenever something may have happened to the draft.
        """
        watch = self._watches.get(draft_id)
        if watch is None:
            watch = self._watches[draft_id] = Watch()
            task = asyncio.create_task(self._listen(draft_id, watch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        changed = asyncio.Event()
        watch.watchers.add(changed)
        try:
            yield changed
        finally:
            watch.watchers.discard(changed)
            if not watch.watchers and self._watches.get(draft_id) is watch:
                del self._watches[draft_id]
                watch.over.set()

    async def aclose(self) -> None:
        """Stop listening."""
        for watch in self._watches.values():
            watch.over.set()
        self._watches.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._poll)

    def _group(self, draft_id: str) -> str:
        return f"{self._prefix}.draft.{draft_id}"

    async def _listen(self, draft_id: str, watch: Watch) -> None:
        # Ended by an event and not by cancelling: a receive that is cancelled leaves its group.
        over = asyncio.ensure_future(watch.over.wait())
        layer: Any = get_channel_layer()
        while not over.done():
            try:
                await self._follow(layer, draft_id, watch, over)
            except Exception:
                logger.warning("Listening for a draft was interrupted.", exc_info=True)
                await self._look(draft_id, watch)
                await asyncio.wait({over}, timeout=self._poll)

    async def _follow(
        self, layer: Any, draft_id: str, watch: Watch, over: asyncio.Future[Any]
    ) -> None:
        if layer is None:
            while not over.done():
                await self._look(draft_id, watch)
                await asyncio.wait({over}, timeout=self._poll)
            return
        channel = await layer.new_channel()
        await layer.group_add(self._group(draft_id), channel)
        received: asyncio.Future[Any] = asyncio.ensure_future(layer.receive(channel))
        try:
            while not over.done():
                # Looked at first: something may have happened before the group was joined.
                await self._look(draft_id, watch)
                await asyncio.wait(
                    {received, over}, timeout=self._poll, return_when=asyncio.FIRST_COMPLETED
                )
                if received.done():
                    received.result()
                    received = asyncio.ensure_future(layer.receive(channel))
        finally:
            await layer.group_discard(self._group(draft_id), channel)
            received.cancel()
            await asyncio.wait({received})

    async def _look(self, draft_id: str, watch: Watch) -> None:
        try:
            await self._cache.get(draft_id, Want(), fresh=True)
        except ClusterError:
            return  # the store is away: the watchers will know when it is back
        except Exception:
            logger.exception("A draft that is watched can't be read.")
            return
        for changed in watch.watchers:
            changed.set()
