"""Meeting a draft that a commit has locked: wait for it, or find out that it died."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async

from gql_cluster.domain.draft import Cause, Draft, DraftState, Entry
from gql_cluster.orm.commit import committed, receipt_of

if TYPE_CHECKING:
    from gql_cluster.models import Receipt
    from gql_cluster.service.engine import Engine
    from gql_cluster.store.results import Locked

COMMIT_MARK = "commit"
"""The fingerprint of every commit: it says nothing but which draft."""

_STEP = 0.05


async def wait_for_commit(engine: Engine, draft: Draft, locked: Locked) -> None:
    """Return when it is worth trying again, 50 ms later at most.

    Where the commit has outlived its lease, its receipt tells whether it was carried out:
    then the draft is closed as it would have done, else it is opened again.
    """
    if locked.lease_over:
        await resolve(engine, draft, locked.token)
        return
    await asyncio.sleep(_STEP)


async def finish_if_saved(engine: Engine, draft: Draft, locked: Locked) -> None:
    """Close a draft whose cluster is saved, though whoever saved it holds the lock as yet.

    So that a retry need not wait for the lease of a worker that died.
    """
    model = engine.clusters[draft.cluster].model
    receipt = await sync_to_async(receipt_of)(draft.id, model)
    if receipt is not None:
        await finish(engine, draft, receipt, locked.token)


async def resolve(engine: Engine, draft: Draft, token: str) -> None:
    """Bring a draft to the end that a commit which died had given it in the database."""
    model = engine.clusters[draft.cluster].model
    receipt = await sync_to_async(committed)(draft.id, model)
    if receipt is None:
        await engine.parts.store.unlock(draft.id, token)
    else:
        await finish(engine, draft, receipt, token)


async def finish(engine: Engine, draft: Draft, receipt: Receipt, token: str) -> None:
    """Close a draft whose cluster is saved; a draft that is closed already stays as it is."""

    def entry_of(version: int) -> Entry:
        return Entry(
            version=version,
            at=datetime.now(UTC),
            session=receipt.session,
            change_id=receipt.change_id or None,
            cause=Cause.COMMIT,
            keys=receipt.keys,
        )

    await engine.parts.store.close(
        draft.id,
        token=token,
        state=DraftState.COMMITTED,
        entry_of=entry_of,
        fingerprint=COMMIT_MARK,
    )
    await engine.parts.hub.wake(draft.id)
