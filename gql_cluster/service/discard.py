"""Discarding: the draft is dropped, and those who watch it are told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never

from gql_cluster.domain.draft import Cause, DraftState, Entry
from gql_cluster.domain.error import ClosedError, NotFoundError, StoreUnavailableError
from gql_cluster.service.locked import wait_for_commit
from gql_cluster.service.open import release
from gql_cluster.service.outcome import Outcome
from gql_cluster.service.read import ROOT, get_draft
from gql_cluster.store.results import Closed, Ended, Gone, Locked, LockLost

if TYPE_CHECKING:
    from gql_cluster.service.caller import Caller
    from gql_cluster.service.engine import Engine

_ATTEMPTS = 400


async def discard(engine: Engine, caller: Caller, draft_id: str) -> Outcome:
    """Close the caller's own draft without saving anything; it can be read for a while yet.

    Raises `ClosedError` for one that has been closed before, `NotFoundError`, and
    `ForbiddenError` for one that the caller has only joined.
    """
    copy = await engine.own_copy(caller, draft_id, ROOT)
    await engine.require_edit(caller, copy.draft)
    session = caller.required_session()

    entry = Entry(
        version=0,
        previous=0,
        at=datetime.now(UTC),
        session=session,
        change_id=None,
        cause=Cause.DISCARD,
    )

    for _ in range(_ATTEMPTS):
        closing = await engine.parts.store.close(
            draft_id, token=None, state=DraftState.DISCARDED, entry=entry
        )
        match closing:
            case Ended(entry=ended):
                await release(engine, engine.clusters[copy.draft.cluster], copy.draft)
                engine.parts.hub.wake(draft_id)
                return Outcome(view=await get_draft(engine, caller, draft_id), entry=ended)
            case Locked():
                await wait_for_commit(engine, copy.draft, closing)
            case Closed(state=state):
                raise ClosedError.of(f"The draft has been {state.value.lower()}.")
            case Gone() | LockLost():
                raise NotFoundError.of("There is no such draft.")
            case _:
                assert_never(closing)
    raise StoreUnavailableError.of("A commit of this draft is running; retry.")
