"""Dry runs: what a commit would refuse now, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async

from gql_cluster.domain.error import Conflict, ConflictPolicy, Problem
from gql_cluster.orm.commit import DryRun, dry_run
from gql_cluster.service.read import plan_of
from gql_cluster.service.rebased import on_saved

if TYPE_CHECKING:
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.view import View


async def draft_errors(engine: Engine, view: View) -> list[Problem]:
    """Return what a commit would find wrong now; empty where it would find conflicts first."""
    return list((await _dry_run(engine, view)).problems)


async def draft_conflicts(engine: Engine, view: View) -> list[Conflict]:
    """Return what a commit would overwrite now of what others have saved since the base."""
    return list((await _dry_run(engine, view)).conflicts)


async def _dry_run(engine: Engine, view: View) -> DryRun:
    async def run() -> DryRun:
        plan = await plan_of(engine, view)
        # A view of its own, because the saved instances take the place of the draft's in it.
        found = await sync_to_async(dry_run)(engine.view_at(view), plan)
        if found.is_apart:
            state = await on_saved(engine, view, ConflictPolicy.FAIL, view.draft.version + 1)
            return state.found
        return found

    return await view.once("dry_run", run)
