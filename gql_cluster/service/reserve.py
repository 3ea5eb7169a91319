"""How many drafts a session may have: a place is taken for one before it is stored."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from gql_cluster.domain.draft import Draft, DraftState
from gql_cluster.domain.error import LimitExceededError
from gql_cluster.domain.tree import Want

if TYPE_CHECKING:
    from gql_cluster.service.engine import Engine
    from gql_cluster.store.sessions import Listed

_STORING = timedelta(minutes=1)
"""How long a place may be taken for a draft that is not stored yet."""


async def reserve(engine: Engine, draft: Draft) -> None:
    """Put a draft on its owner's list, before it is stored; several at once never pass the limit.

    Where the list is full, those that are closed or have expired are taken off it first. Raises
    `LimitExceededError`.
    """
    sessions, most = engine.parts.sessions, engine.parts.settings.MAX_DRAFTS
    session, at = draft.owner, draft.created_at
    listed = await sessions.reserve(session, draft.id, at, most=most)
    if listed is not None:
        over = await asyncio.gather(*(_is_over(engine, each, draft) for each in listed))
        gone = [each.draft_id for each, is_over in zip(listed, over, strict=True) if is_over]
        await sessions.forget(session, gone)
        listed = await sessions.reserve(session, draft.id, at, most=most)
    if listed is not None:
        raise LimitExceededError.of(
            f"A session may have {most} open drafts: commit or discard one of them first."
        )


async def _is_over(engine: Engine, listed: Listed, draft: Draft) -> bool:
    """Tell whether a draft that is listed is one no more."""
    read = await engine.parts.store.read(listed.draft_id, Want())
    if read is None:
        return listed.at < draft.created_at - _STORING
    return read.draft.state is not DraftState.OPEN
