"""Watching a draft: every event once and in order, over any number of reconnects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gql_cluster.domain.draft import DraftState, Entry
from gql_cluster.domain.tree import Want
from gql_cluster.service.read import ROOT

if TYPE_CHECKING:
    from gql_cluster.domain.copy import Copy
    from gql_cluster.service.engine import Caller, Engine
    from gql_cluster.service.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a draft; a snapshot of it where `entry` is None.

    `view` is the draft now, `at` as it was right after the entry.
    """

    view: View
    at: View
    entry: Entry | None


async def watch(
    engine: Engine, caller: Caller, draft_id: str, *, after: int | None
) -> AsyncIterator[Event]:
    """Yield each event behind the version `after`, then each one as it happens.

    Without `after`, or where the log does not reach back to it, a snapshot comes first. Ends
    behind the event that closes the draft. Raises `NotFoundError`, at the expiry too. A lost
    wake-up delays an event by `POLL_INTERVAL` at most.
    """
    await engine.copy(caller, draft_id, ROOT, fresh=True)
    with engine.parts.hub.watching(draft_id) as changed:
        cursor = after
        while True:
            changed.clear()
            copy = await engine.copy(caller, draft_id, ROOT, fresh=False)
            entries = await _entries(engine, copy, cursor)
            if entries is None:
                view = engine.view(copy)
                cursor = view.draft.version
                yield Event(view=view, at=view, entry=None)
            # Made before the first is given away: each keeps what it needs of the log.
            views = [engine.view(copy, version=entry.version) for entry in entries or ()]
            for entry, at in zip(entries or (), views, strict=True):
                cursor = entry.version
                yield Event(view=engine.view(copy), at=at, entry=entry)
            copy = await engine.copy(caller, draft_id, ROOT, fresh=False)
            if cursor != copy.version:
                continue
            if copy.draft.state is not DraftState.OPEN:
                return
            await changed.wait()


async def _entries(engine: Engine, copy: Copy, after: int | None) -> Sequence[Entry] | None:
    """Return the entries behind a version, None where a snapshot has to stand for them."""
    if after is None or after > copy.version:
        return None
    kept = copy.entries(after)
    if kept is not None:
        return kept
    read = await engine.parts.store.read(copy.draft.id, Want(), since=after)
    if read is None or read.gap:
        return None
    copy.recall(read.entries, size=read.size)
    return copy.entries(after)
