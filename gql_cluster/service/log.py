"""Reading a draft's log: what is kept of it in memory, else from the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.tree import Want

if TYPE_CHECKING:
    from gql_cluster.domain.copy import Copy
    from gql_cluster.domain.draft import Entry
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.view import View


async def entries_behind(engine: Engine, copy: Copy, after: int) -> Sequence[Entry] | None:
    """Return the entries behind a version, None where the log does not reach back to it.

    So it is for a version that is ahead of the draft, or that its history does not have.
    """
    if after > copy.version:
        return None
    kept = copy.entries(after)
    if kept is not None:
        return kept
    read = await engine.parts.store.read(copy.draft.id, Want(), since=after)
    if read is None or read.gap:
        return None
    copy.recall(read.entries, size=read.size)
    return copy.entries(after)


async def history(engine: Engine, view: View, first: int, after: int) -> Sequence[Entry]:
    """Return the first entries behind a version that are kept, up to the view's."""
    found = await engine.parts.store.entries(view.draft.id, after, first) if first else []
    if found:
        # So that each can be seen as it was.
        await entries_behind(engine, view.snapshot.copy, found[0].previous)
    return [entry for entry in found if entry.version <= view.draft.version]


async def later_than(engine: Engine, view: View, version: int) -> Sequence[Entry]:
    """Return the entries behind a version, up to the view's; raises `InvalidChangeError`."""
    behind = await entries_behind(engine, view.snapshot.copy, version)
    if behind is None:
        raise InvalidChangeError.of(f"What followed version {version} is not kept.")
    return [entry for entry in behind if entry.version <= view.draft.version]


async def entry_at(engine: Engine, view: View, version: int) -> Entry:
    """Return what a version did; raises `InvalidChangeError` where that is not kept."""
    entry = view.snapshot.copy.entry(version)
    if entry is None:
        entry = await engine.parts.store.entry(view.draft.id, version)
    if entry is None:
        raise InvalidChangeError.of(f"What version {version} did is not kept.")
    return entry
