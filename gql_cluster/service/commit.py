"""Committing: the whole cluster is saved in one transaction, once, or not at all."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from asgiref.sync import sync_to_async
from django.db import DatabaseError, IntegrityError

from gql_cluster import metrics
from gql_cluster.domain.error import (
    ClosedError,
    ClusterError,
    ConflictError,
    ConflictPolicy,
    InvalidChangeError,
    NotFoundError,
    StaleVersionError,
    StoreUnavailableError,
)
from gql_cluster.models import Receipt
from gql_cluster.orm import commit as orm
from gql_cluster.orm.receipts import committed, receipt_named
from gql_cluster.service.lease import Lease
from gql_cluster.service.locked import (
    commit_mark,
    finish,
    finish_if_saved,
    resolve,
    wait_for_commit,
)
from gql_cluster.service.open import claim, release
from gql_cluster.service.outcome import Committed, find_outcome
from gql_cluster.service.policy import Saving, require
from gql_cluster.service.read import ROOT, plan_of
from gql_cluster.service.rebased import on_saved
from gql_cluster.service.shielded import shielded
from gql_cluster.store.results import Acquired, Closed, Gone, Locked, Stale

if TYPE_CHECKING:
    from gql_cluster.domain.draft import Draft
    from gql_cluster.domain.plan import Plan
    from gql_cluster.orm.describe import Cluster
    from gql_cluster.service.caller import Caller
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.view import View

_ATTEMPTS = 400
# How often others may save the cluster between a merge and its save before it is given up.
_MERGES = 5


async def commit(  # noqa: PLR0913 - one request, said whole
    engine: Engine,
    caller: Caller,
    cluster: Cluster,
    draft_id: str,
    *,
    expected_version: int | None,
    change_id: str | None,
    policy: ConflictPolicy = ConflictPolicy.FAIL,
    keep_open: bool = False,
) -> Committed:
    """Save the cluster as the draft has it, with a receipt, and close the draft.

    With `keep_open` it goes on from what is saved. Conflicts are decided by `policy`. No edit
    gets in between: the draft is locked meanwhile, and edits wait. A retry with the same
    `change_id` gives the first outcome, also when the worker died right after the database had
    committed, and when the draft has expired since. Once begun it ends, even if the caller is
    gone. Raises `ValidationFailedError`, `ConflictError`, `StaleVersionError`, `ClosedError`
    and `NotFoundError`; then nothing was saved and the draft is as it was.
    """
    try:
        copy = await engine.copy(caller, draft_id, ROOT, fresh=True, cluster=cluster.name)
    except NotFoundError:
        if change_id is None:
            raise
        work = _Forgotten(caller, cluster, draft_id, change_id, policy, keep_open)
        return await work.outcome()
    running = _Commit(
        engine, caller, cluster, copy.draft, expected_version, change_id, policy, keep_open
    )
    return await shielded(_counted(running))


async def _counted(running: _Commit) -> Committed:
    code = "FAILED"
    try:
        committed = await running.run()
        code = "OK"
    except ClusterError as exc:
        code = exc.code.value
        raise
    finally:
        metrics.commits[code] += 1
    return committed


@dataclass(frozen=True, slots=True)
class _Forgotten:
    """A commit that may have been carried out, of a draft that is gone."""

    caller: Caller
    cluster: Cluster
    draft_id: str
    change_id: str
    policy: ConflictPolicy
    keep_open: bool

    async def outcome(self) -> Committed:
        receipt = await sync_to_async(receipt_named)(
            self.draft_id, self.change_id, self.caller.required_session(), self.cluster.model
        )
        if receipt is None or receipt.cluster != self.cluster.label:
            raise NotFoundError.of("There is no such draft.")
        _check_same(receipt, self.policy, keep_open=self.keep_open)
        return Committed(view=None, entry=None, receipt=receipt)


@dataclass(frozen=True, slots=True)
class _Commit:
    """One request to commit a draft."""

    engine: Engine
    caller: Caller
    cluster: Cluster
    draft: Draft
    expected_version: int | None
    change_id: str | None
    policy: ConflictPolicy
    keep_open: bool

    async def run(self) -> Committed:
        seen = await self._seen()
        if seen is not None:
            return seen
        lease = Lease(self.engine, self.draft.id)
        for attempt in range(_ATTEMPTS):
            locking = await lease.take(self.expected_version)
            match locking:
                case Acquired(draft=draft):
                    return await self._commit(draft, lease)
                case Locked() if attempt == 0:
                    await finish_if_saved(self.engine, self.draft, locking)
                case Locked():
                    await wait_for_commit(self.engine, self.draft, locking)
                case Closed() | Stale() | Gone():
                    # Perhaps by this very request, sent twice.
                    if (seen := await self._seen()) is not None:
                        return seen
                    raise _refusal(locking, self.expected_version)
                case _:
                    assert_never(locking)
        raise StoreUnavailableError.of("Another commit of this draft is running; retry.")

    async def _commit(self, draft: Draft, lease: Lease) -> Committed:
        try:
            # The lock may have waited for another commit with this change id.
            if (seen := await self._seen()) is not None:
                await lease.give_back()
                return seen
            async with lease.kept():
                receipt = await self._save(lease)
        except DatabaseError:
            # Perhaps it was carried out all the same: only the database knows.
            await resolve(self.engine, draft, lease.token)
            raise
        except BaseException:
            await lease.give_back()
            raise
        entry = await finish(self.engine, draft, receipt, lease.token)
        copy = await self.engine.any_copy(draft.id, ROOT)
        if self.keep_open:
            await claim(self.engine, self.cluster, copy.draft)
        else:
            await release(self.engine, self.cluster, draft)
        return Committed(view=self.engine.view(copy), entry=entry, receipt=receipt)

    async def _save(self, lease: Lease) -> Receipt:
        copy = await self.engine.copy(self.caller, self.draft.id, ROOT, fresh=True)
        view = self.engine.view(copy)
        try:
            return await self._save_once(view, await plan_of(self.engine, view), lease)
        except orm.ApartError:
            pass
        except ConflictError:
            if self.policy is ConflictPolicy.FAIL or view.draft.is_new:
                raise
        for _ in range(_MERGES):
            again = self.engine.view_at(view)
            state = await on_saved(self.engine, again, self.policy, view.draft.version + 1)
            if state.found.conflicts:
                raise ConflictError.about(state.found.conflicts)
            # Else somebody has saved it meanwhile.
            with suppress(ConflictError, orm.ApartError):
                return await self._save_once(state.view, state.plan, lease, is_merged=True)
        raise StoreUnavailableError.of("The cluster is saved too fast by others; retry.")

    async def _save_once(
        self, view: View, plan: Plan, lease: Lease, *, is_merged: bool = False
    ) -> Receipt:
        draft = view.draft
        await require_commit(self.engine, self.caller, view, plan)
        user = await self.caller.user()
        receipt = Receipt(
            draft_id=draft.id,
            version=draft.version,
            session=self.caller.required_session(),
            user="" if user is None else str(user.pk),
            change_id=self.change_id or "",
            on_conflict=self.policy.value,
            is_merged=is_merged,
            keep_open=self.keep_open,
            cluster=self.cluster.label,
        )
        try:
            return await sync_to_async(orm.commit)(view, plan, receipt, until=lease.until)
        except IntegrityError:
            model = self.cluster.model
            earlier = await sync_to_async(committed)(draft.id, draft.version, model)
            if earlier is None:
                raise
            return earlier

    async def _seen(self) -> Committed | None:
        """Return the outcome of this change id, if it has committed the draft before."""
        if self.change_id is None:
            return None
        copy = await self.engine.copy(self.caller, self.draft.id, ROOT, fresh=True)
        mark = commit_mark(self.policy, keep_open=self.keep_open)
        outcome = await find_outcome(self.engine, copy, self.change_id, mark)
        if outcome is None:
            return None
        receipt = await sync_to_async(receipt_named)(
            self.draft.id, self.change_id, self.caller.required_session(), self.cluster.model
        )
        if receipt is None:
            return None
        return Committed(view=outcome.view, entry=outcome.entry, receipt=receipt)


async def require_commit(engine: Engine, caller: Caller, view: View, plan: Plan) -> None:
    """Raise `ForbiddenError` or `UnauthenticatedError` unless the policy lets a plan be saved."""
    below = await view.load_below(plan.removed)
    # Their rows are saved, too: what is above a change, and siblings that get other numbers.
    saved = [*plan.ancestors.values()]
    for place in plan.rearranged:
        saved += [node for node in view.children(*place) if node.pk is not None]
    types = {
        "add": {node.type for node in plan.added.values()},
        "change": {
            *(after.type for _, after in plan.updated.values()),
            *(node.type for node in saved if node.key not in plan.added),
        },
        "delete": {node.type for node in (*plan.removed.values(), *below)},
    }
    types["add" if view.draft.is_new else "change"].add(view.cluster.spec.root)
    models = view.cluster.models
    saving = {
        Saving(model=models[name], action=action)
        for action, names in types.items()
        for name in names
    }
    may_commit = await engine.parts.policy.may_commit(caller, engine.subject(view.draft), saving)
    await require(caller, allowed=may_commit)


def _refusal(locking: Closed | Stale | Gone, expected: int | None) -> ClusterError:
    match locking:
        case Closed(state=state):
            return ClosedError.of(f"The draft has been {state.value.lower()}.")
        case Stale(version=version):
            return StaleVersionError.of(f"The draft is at version {version}, not at {expected}.")
        case Gone():
            return NotFoundError.of("There is no such draft.")
        case _:
            assert_never(locking)


def _check_same(receipt: Receipt, policy: ConflictPolicy, *, keep_open: bool) -> None:
    if (receipt.on_conflict, receipt.keep_open) != (policy.value, keep_open):
        raise InvalidChangeError.of("This change id was used for another request.")
