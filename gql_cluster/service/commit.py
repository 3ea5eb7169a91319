"""Committing: the whole cluster is saved in one transaction, once, or not at all."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from asgiref.sync import sync_to_async
from django.db import DatabaseError, IntegrityError

from gql_cluster.domain.error import (
    ClosedError,
    NotFoundError,
    StaleVersionError,
    StoreUnavailableError,
)
from gql_cluster.models import Receipt
from gql_cluster.orm import commit as orm
from gql_cluster.service.locked import (
    COMMIT_MARK,
    finish,
    finish_if_saved,
    resolve,
    wait_for_commit,
)
from gql_cluster.service.open import release
from gql_cluster.service.outcome import Committed, find_outcome
from gql_cluster.service.read import ROOT, plan_of
from gql_cluster.store.results import Acquired, Closed, Gone, Locked, Stale

if TYPE_CHECKING:
    from gql_cluster.domain.draft import Draft
    from gql_cluster.orm.describe import Cluster
    from gql_cluster.service.engine import Caller, Engine

_ATTEMPTS = 400
# In seconds: a commit is given up earlier than others may ask what became of it.
_MARGIN = 5


async def commit(  # noqa: PLR0913 - one request, said whole
    engine: Engine,
    caller: Caller,
    cluster: Cluster,
    draft_id: str,
    *,
    expected_version: int | None,
    change_id: str | None,
) -> Committed:
    """Save the cluster as the draft has it, with a receipt, and close the draft.

    No edit gets in between: the draft is locked meanwhile, and edits wait. A retry with the
    same `change_id` gives the first outcome, also when the worker died right after the
    database had committed. Once begun it ends, even if the caller is gone. Raises
    `ValidationFailedError`, `ConflictError`, `StaleVersionError`, `ClosedError` and
    `NotFoundError`; then nothing was saved and the draft is as it was.
    """
    copy = await engine.copy(caller, draft_id, ROOT, fresh=True, cluster=cluster.name)
    work = _Commit(engine, caller, cluster, copy.draft, expected_version, change_id)
    return await asyncio.shield(asyncio.ensure_future(work.run()))


@dataclass(frozen=True, slots=True)
class _Commit:
    """One request to commit a draft."""

    engine: Engine
    caller: Caller
    cluster: Cluster
    draft: Draft
    expected_version: int | None
    change_id: str | None

    async def run(self) -> Committed:
        seen = await self._seen()
        if seen is not None:
            return seen
        token = secrets.token_urlsafe(12)
        lease = timedelta(seconds=self.engine.parts.settings.COMMIT_LEASE)
        for attempt in range(_ATTEMPTS):
            seconds = lease.total_seconds()
            until = time.monotonic() + max(seconds - _MARGIN, seconds / 2)
            locking = await self.engine.parts.store.lock(
                self.draft.id, version=self.expected_version, token=token, lease=lease
            )
            match locking:
                case Acquired():
                    return await self._commit(token, until)
                case Locked() if attempt == 0:
                    await finish_if_saved(self.engine, self.draft, locking)
                case Locked():
                    await wait_for_commit(self.engine, self.draft, locking)
                case Closed(state=state):
                    if (seen := await self._seen()) is not None:
                        return seen
                    raise ClosedError.of(f"The draft has been {state.value.lower()}.")
                case Stale(version=version):
                    raise StaleVersionError.of(
                        f"The draft is at version {version}, not at {self.expected_version}."
                    )
                case Gone():
                    raise NotFoundError.of("There is no such draft.")
                case _:
                    assert_never(locking)
        raise StoreUnavailableError.of("Another commit of this draft is running; retry.")

    async def _commit(self, token: str, until: float) -> Committed:
        try:
            receipt = await self._save(until)
        except DatabaseError:
            # Perhaps it was carried out all the same: only the database knows.
            await resolve(self.engine, self.draft, token)
            raise
        except BaseException:
            await self.engine.parts.store.unlock(self.draft.id, token)
            raise
        await finish(self.engine, self.draft, receipt, token)
        await release(self.engine, self.cluster, self.draft)
        copy = await self.engine.copy(self.caller, self.draft.id, ROOT, fresh=True)
        entry = next(iter(copy.entries(copy.version - 1) or ()), None)
        return Committed(view=self.engine.view(copy), entry=entry, receipt=receipt)

    async def _save(self, until: float) -> Receipt:
        copy = await self.engine.copy(self.caller, self.draft.id, ROOT, fresh=True)
        view = self.engine.view(copy)
        plan = await plan_of(self.engine, view)
        receipt = Receipt(
            draft_id=self.draft.id,
            version=view.draft.version,
            session=self.caller.required_session(),
            change_id=self.change_id or "",
            cluster=self.cluster.label,
        )
        try:
            return await sync_to_async(orm.commit)(view, plan, receipt, until=until)
        except IntegrityError:
            earlier = await sync_to_async(orm.committed)(self.draft.id, self.cluster.model)
            if earlier is None:
                raise
            return earlier

    async def _seen(self) -> Committed | None:
        """Return the outcome of this change id, if it has committed the draft before."""
        if self.change_id is None:
            return None
        copy = await self.engine.copy(self.caller, self.draft.id, ROOT, fresh=True)
        outcome = await find_outcome(self.engine, copy, self.change_id, COMMIT_MARK)
        if outcome is None:
            return None
        model = self.cluster.model
        receipt = await sync_to_async(orm.committed)(self.draft.id, model)
        if receipt is None:
            return None
        return Committed(view=outcome.view, entry=outcome.entry, receipt=receipt)
