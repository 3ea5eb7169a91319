"""Meeting a draft that a commit has locked: wait for it, or find out that it died."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async

from gql_cluster.domain.draft import Cause, Draft, DraftState, Entry
from gql_cluster.domain.error import ConflictPolicy
from gql_cluster.domain.tree import Want
from gql_cluster.orm.receipts import committed, receipt_of
from gql_cluster.service.lease import Lease
from gql_cluster.service.rebased import after_commit
from gql_cluster.store.results import Acquired, Closed, Ended

if TYPE_CHECKING:
    from gql_cluster.models import Receipt
    from gql_cluster.service.engine import Engine
    from gql_cluster.store.results import Locked

_STEP = 0.05


def commit_mark(policy: ConflictPolicy, *, keep_open: bool) -> str:
    """Return what tells a commit from other requests with its change id."""
    return f"commit:{policy.value}:{keep_open}"


async def wait_for_commit(engine: Engine, draft: Draft, locked: Locked) -> None:
    """Return when it is worth trying again, 50 ms later at most.

    Where the commit has outlived its lease, its receipt tells whether it was carried out:
    then the draft is closed as it would have done, else it is opened again.
    """
    if locked.lease_over:
        await resolve(engine, replace(draft, version=locked.version), locked.token)
        return
    await asyncio.sleep(_STEP)


async def finish_if_saved(engine: Engine, draft: Draft, locked: Locked) -> None:
    """End the commit of a draft whose cluster is saved, though its saver holds the lock as yet.

    So that a retry need not wait for the lease of a worker that died.
    """
    model = engine.clusters[draft.cluster].model
    receipt = await sync_to_async(receipt_of)(draft.id, locked.version, model)
    if receipt is not None:
        await finish(engine, draft, receipt, locked.token)


async def finish_if_forgotten(engine: Engine, draft: Draft) -> None:
    """End a commit of this version that Redis has forgotten, having come back with older data."""
    model = engine.clusters[draft.cluster].model
    receipt = await sync_to_async(receipt_of)(draft.id, draft.version, model)
    if receipt is None:
        return
    lease = Lease(engine, draft.id)
    # At this very version: nothing that was staged meanwhile is closed over.
    if isinstance(await lease.take(draft.version), Acquired):
        await finish(engine, draft, receipt, lease.token)


async def resolve(engine: Engine, draft: Draft, token: str) -> None:
    """Bring a draft to the end that a commit which died had given it in the database.

    `draft` is at the version that the commit has locked.
    """
    model = engine.clusters[draft.cluster].model
    receipt = await sync_to_async(committed)(draft.id, draft.version, model)
    if receipt is None:
        await engine.parts.store.unlock(draft.id, token)
    else:
        await finish(engine, draft, receipt, token)


async def finish(engine: Engine, draft: Draft, receipt: Receipt, token: str) -> Entry | None:
    """End the commit of a draft whose cluster is saved, whoever did it; returns its entry.

    The draft is closed, or goes on from what is saved. One that has been ended already stays
    as it is; the entry is None where it is not kept.
    """
    entry = Entry(
        version=0,
        previous=0,
        at=datetime.now(UTC),
        session=receipt.session,
        change_id=receipt.change_id or None,
        cause=Cause.COMMIT,
        keys=receipt.keys,
        named=await _unnamed(engine, draft.id, receipt.keys),
    )
    policy = ConflictPolicy(receipt.on_conflict)
    settled = None
    if receipt.keep_open or receipt.is_merged:
        now, settled = await after_commit(engine, draft.id, receipt)
        entry = replace(entry, deltas=now.deltas)
    ending = await engine.parts.store.close(
        draft.id,
        token=token,
        state=DraftState.OPEN if receipt.keep_open else DraftState.COMMITTED,
        entry=entry,
        fingerprint=commit_mark(policy, keep_open=receipt.keep_open),
        settled=settled,
    )
    engine.parts.hub.wake(draft.id)
    match ending:
        case Ended(entry=ended):
            return ended
        case Closed(version=version):
            return await engine.parts.store.entry(draft.id, version)
        case _:
            # Another has ended it, and the draft went on: that is what followed the saved version.
            found = await engine.parts.store.entries(draft.id, receipt.version, 1)
            return next((each for each in found if each.cause is Cause.COMMIT), None)


async def _unnamed(engine: Engine, draft_id: str, keys: Iterable[str]) -> tuple[str, ...]:
    """Return those of a draft's keys whose nodes have no primary key as yet."""
    copy = await engine.any_copy(draft_id, Want(keys=frozenset(keys)))
    nodes = {key: copy.node_at(copy.version, key) for key in keys}
    return tuple(key for key, node in nodes.items() if node is not None and node.pk is None)
