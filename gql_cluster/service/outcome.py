"""What a change of a draft comes to, and finding the outcome of one that was made before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.tree import Want

if TYPE_CHECKING:
    from gql_cluster.domain.copy import Copy
    from gql_cluster.domain.draft import Entry
    from gql_cluster.domain.undo import Kept
    from gql_cluster.models import Receipt
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.view import View
    from gql_cluster.store.results import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The draft now, and the entry that the request made in its log.

    `entry` is None for a retry of a request so old that its entry has been trimmed. `kept` are
    the parts of an undone change set that could not be undone; a retry is not told of them.
    """

    view: View
    entry: Entry | None
    kept: Sequence[Kept] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What a commit came to; `view` is None where the draft is gone since."""

    view: View | None
    entry: Entry | None
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
    entry = await engine.parts.store.entry(copy.draft.id, seen.version)
    return Outcome(view=engine.view(now), entry=entry)
