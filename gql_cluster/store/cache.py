"""Each worker's memory of the drafts that it works on, kept up to date from their logs."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace
from weakref import WeakValueDictionary

from gql_cluster import metrics
from gql_cluster.domain.copy import Copy
from gql_cluster.domain.draft import Draft, DraftState, Entry
from gql_cluster.domain.error import NotFoundError, StoreUnavailableError
from gql_cluster.domain.tree import Want
from gql_cluster.store.drafts import DraftStore
from gql_cluster.store.results import Read


class CopyCache:
    """Copies of drafts, the least recently used forgotten first; it belongs to one event loop.

    `max_bytes` bounds their size as stored, `max_count` their number. A copy that a caller holds
    stays whole when it is forgotten here; it is brought up to date only by `load`.

    One task at a time loads or advances a draft: its lock is held across one or two calls of
    the store, which end by the client's timeout.
    """

    def __init__(self, store: DraftStore, *, max_bytes: int, max_count: int) -> None:
        """Take the store and the bounds."""
        self._store = store
        self._max_bytes = max_bytes
        self._max_count = max_count
        self._copies: OrderedDict[str, Copy] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        metrics.caches.add(self)

    @property
    def size(self) -> int:
        """How many bytes are kept, as stored; any thread may ask."""
        return sum(copy.size for copy in list(self._copies.values()))

    async def get(self, draft_id: str, want: Want, *, fresh: bool) -> Copy | None:
        """Return the copy with all that is wanted; None where there is no such draft.

        `fresh` takes exactly one round trip, and the copy is at the version of its time;
        otherwise there is none where nothing is missing. A copy that can't be brought up to
        date is begun anew, which may take one more.
        """
        copy = self._copies.get(draft_id)
        if not fresh and copy is not None and not copy.missing(want):
            self._copies.move_to_end(draft_id)
            return copy
        async with self._lock(draft_id):
            return await self._load(draft_id, want, fresh=fresh)

    async def load(self, copy: Copy, want: Want) -> None:
        """Bring what is wanted into a copy that a caller holds, whether it is kept here or not.

        Raises `NotFoundError` where the draft is gone, and `StoreUnavailableError` where it has
        moved on by more than its log tells.
        """
        async with self._lock(copy.draft.id):
            while missing := copy.missing(want):
                read = await self._store.read(copy.draft.id, missing, since=copy.version)
                if read is None:
                    raise NotFoundError.of("The draft has expired.")
                if not follow(copy, read):
                    raise StoreUnavailableError.of("The draft has moved on; retry.")
                copy.learn(read.nodes, read.relations, size=read.size)
            self._trim()

    async def apply(self, copy: Copy, entry: Entry, draft: Draft, *, size: int = 0) -> None:
        """Take what this worker appended itself; a copy that has it already stays as it is."""
        async with self._lock(draft.id):
            if entry.previous == copy.version:
                # An append does not tell who may see the draft: the copy may have newer news.
                known = copy.draft
                copy.advance(entry, replace(draft, members=known.members, share=known.share))
                copy.size += size
                self._trim()

    async def take(self, copy: Copy, read: Read) -> None:
        """Take the entries that an append came behind; a copy they can't follow is forgotten."""
        async with self._lock(read.draft.id):
            # Read without the lock: where it brings nothing new, its header may be older.
            is_new = read.gap or read.draft.version > copy.version
            if is_new and not follow(copy, read):
                self.forget(read.draft.id)
            self._trim()

    def knows(self, draft_id: str, version: int) -> bool:
        """Tell whether the copy that is kept of a draft has heard of a version."""
        copy = self._copies.get(draft_id)
        return copy is not None and copy.version >= version

    def keeps(self, copy: Copy) -> bool:
        """Tell whether a copy is the one that is kept up to date here."""
        return self._copies.get(copy.draft.id) is copy

    def forget(self, draft_id: str) -> None:
        """Forget a draft."""
        self._copies.pop(draft_id, None)

    def _lock(self, draft_id: str) -> asyncio.Lock:
        return self._locks.setdefault(draft_id, asyncio.Lock())

    async def _load(self, draft_id: str, want: Want, *, fresh: bool) -> Copy | None:
        copy = self._copies.get(draft_id)
        missing = want if copy is None else copy.missing(want)
        while missing or fresh:
            since = None if copy is None else copy.version
            read = await self._store.read(draft_id, missing, since=since)
            if read is None:
                self.forget(draft_id)
                return None
            if copy is None or not follow(copy, read):
                copy = self._copies[draft_id] = await self._begin(read.draft)
            copy.learn(read.nodes, read.relations, size=read.size)
            missing, fresh = copy.missing(want), False
        self._copies.move_to_end(draft_id)
        self._trim()
        return copy

    async def _begin(self, draft: Draft) -> Copy:
        """Return an empty copy; of a committed draft it knows what was saved."""
        copy = Copy(draft)
        if draft.state is DraftState.COMMITTED:
            closing = await self._store.entry(draft.id, draft.version)
            copy.settle((closing.keys if closing is not None else None) or {})
        return copy

    def _trim(self) -> None:
        total = sum(copy.size for copy in self._copies.values())
        while self._copies and (total > self._max_bytes or len(self._copies) > self._max_count):
            _, copy = self._copies.popitem(last=False)
            total -= copy.size


def follow(copy: Copy, read: Read) -> bool:
    """Bring a copy to the version of a read, or leave it where it is ahead of that.

    False where it can't be done. A draft that lost versions, as after a failover, is told by a
    read behind the copy's own version: that is a gap.
    """
    if read.gap or read.draft.created_at != copy.draft.created_at:
        return False
    for entry in read.entries:
        if entry.version > copy.version:
            if entry.previous != copy.version:
                return False  # the copy was brought on meanwhile, to what is lost since
            copy.advance(entry, replace(read.draft, version=entry.version))
    if copy.version == read.draft.version:
        copy.renew(read.draft)
    return copy.version >= read.draft.version
