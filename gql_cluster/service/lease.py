"""The lock that a commit holds on its draft, renewed for as long as the worker lives."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.store.results import Acquired

if TYPE_CHECKING:
    from gql_cluster.service.engine import Engine
    from gql_cluster.store.results import Locking

# In seconds: a commit is given up earlier than others may ask what became of it.
_MARGIN = 5
_SHORTEST = 0.05


class Lease:
    """One commit's hold on a draft. When its worker dies, it is over within `COMMIT_LEASE`."""

    def __init__(self, engine: Engine, draft_id: str) -> None:
        """Hold nothing as yet."""
        self.token = secrets.token_urlsafe(12)
        self._store = engine.parts.store
        self._draft_id = draft_id
        self._span = timedelta(seconds=engine.parts.settings.COMMIT_LEASE)
        self._until = 0.0
        self._version: int | None = None

    async def take(self, version: int | None) -> Locking:
        """Try to lock the draft, at this version if one is given; renews what is held."""
        seconds = self._span.total_seconds()
        until = time.monotonic() + max(seconds - _MARGIN, seconds / 2)
        locking = await self._store.lock(
            self._draft_id, version=version, token=self.token, lease=self._span
        )
        if isinstance(locking, Acquired):
            self._until = until
            self._version = locking.draft.version
        return locking

    def until(self) -> float:
        """Return when the commit has to be given up, as `time.monotonic()` counts."""
        return self._until

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Renew the lease as long as the block runs, and as the store answers."""
        over = asyncio.Event()
        renewing = asyncio.create_task(self._renew(over))
        try:
            yield
        finally:
            over.set()
            # Not cancelled: a renewal on its way would lock the draft behind whatever ends this.
            await asyncio.wait({renewing})

    async def _renew(self, over: asyncio.Event) -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), max(self._span.total_seconds() / 3, _SHORTEST))
                return
            with suppress(StoreUnavailableError):
                # At its version alone: a lock that was lost may have let an edit in.
                if not isinstance(await self.take(self._version), Acquired):
                    return

    async def give_back(self) -> None:
        """Unlock the draft."""
        await self._store.unlock(self._draft_id, self.token)
