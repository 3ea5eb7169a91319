"""Rebasing: a draft's base is brought up to what is saved now, and its changes are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gql_cluster.domain.draft import Cause
from gql_cluster.domain.editor import Applied
from gql_cluster.domain.error import ConflictError, ConflictPolicy
from gql_cluster.service.outcome import Outcome
from gql_cluster.service.read import ROOT
from gql_cluster.service.rebased import on_saved
from gql_cluster.service.stage import Request, Work, stage
from gql_cluster.store.results import Rebased

if TYPE_CHECKING:
    from gql_cluster.service.caller import Caller
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.view import View


async def rebase(  # noqa: PLR0913 - one request, said whole
    engine: Engine,
    caller: Caller,
    draft_id: str,
    policy: ConflictPolicy,
    *,
    expected_version: int | None,
    change_id: str | None,
) -> Outcome:
    """Lay the draft's changes over what is saved now; conflicts are decided by the policy.

    The whole draft and the whole cluster are read. A draft of a new cluster has no base, and
    stays as it is. Raises `ConflictError` for what the policy does not decide, and whatever
    `stage` raises.
    """
    copy = await engine.copy(caller, draft_id, ROOT, fresh=True)
    if copy.draft.is_new:
        return Outcome(view=engine.view(copy), entry=None)

    async def work(view: View, version: int) -> Work:
        state = await on_saved(engine, view, policy, version)
        if state.found.conflicts:
            raise ConflictError.about(state.found.conflicts)
        rebased = state.rebased
        applied = Applied(
            deltas=rebased.deltas,
            changes=(None,) * len(rebased.deltas),
            nodes=rebased.nodes,
            tail=view.draft.tail,
        )
        return Work(
            applied=applied,
            theirs=rebased.theirs,
            rebased=Rebased(base=rebased.base, stamp=state.stamp),
        )

    request = Request(
        draft_id=draft_id,
        cause=Cause.REBASE,
        mark=f"rebase:{policy.value}",
        work=work,
        want=ROOT,
        expected_version=expected_version,
        change_id=change_id,
    )
    return await stage(engine, caller, request)
