"""What a change of a draft comes to, and finding the outcome of one that was made before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.tree import Want

if TYPE_CHECKING:
    from gql_cluster.domain.copy import Copy
    from gql_cluster.domain.draft import Entry
    from gql_cluster.models import Receipt
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.view import View
    from gql_cluster.store.results import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The draft now, and the entry that the request made in its log.

    `entry` is None for a retry of a request so old that its entry has been trimmed.
    """

    view: View
    entry: Entry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed(Outcome):
    """The same for a commit, with its receipt."""

    receipt: Receipt


async def find_outcome(engine: Engine, copy: Copy, change_id: str, mark: str) -> Outcome | None:
    """Return what the request with this change id came to, None where there was none.

    `mark` is the fingerprint of the request at hand.
    """
    read = await engine.parts.store.read(copy.draft.id, Want(), change_id=change_id)
    if read is None or read.outcome is None:
        return None
    return await first_outcome(engine, copy, read.outcome, mark)


async def first_outcome(engine: Engine, copy: Copy, seen: Seen, mark: str) -> Outcome:
    """Return the outcome of a change id that was used before.

    Raises `InvalidChangeError` if it was used for something else.
    """
    if seen.fingerprint != mark:
        raise InvalidChangeError.of("This change id was used for another request.")
    now = await engine.parts.cache.get(copy.draft.id, Want(), fresh=True) or copy
    read = await engine.parts.store.entries(copy.draft.id, seen.version - 1, 1)
    entry = next(iter(read.entries), None) if read is not None else None
    if entry is not None and entry.version != seen.version:
        entry = None
    return Outcome(view=engine.view(now), entry=entry)
