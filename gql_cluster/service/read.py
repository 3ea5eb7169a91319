"""Reading drafts: one, the caller's all, and what one has of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async

from gql_cluster.domain.delta import Delta
from gql_cluster.domain.draft import DraftState
from gql_cluster.domain.error import Conflict, NotFoundError, Problem
from gql_cluster.domain.node import Node
from gql_cluster.domain.plan import Plan, differences, make_plan, wants
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import Want
from gql_cluster.orm.commit import DryRun, dry_run
from gql_cluster.store.sessions import Listed

if TYPE_CHECKING:
    from gql_cluster.service.engine import Caller, Engine
    from gql_cluster.service.view import View

ROOT = Want(keys=frozenset({ROOT_KEY}))


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftPage:
    """Some of a session's open drafts, newest first; the cursor of each is its id."""

    views: list[View]
    has_next: bool


async def get_draft(engine: Engine, caller: Caller, draft_id: str) -> View:
    """Return the caller's draft as it is now."""
    return engine.view(await engine.copy(caller, draft_id, ROOT, fresh=True))


async def get_drafts(
    engine: Engine, caller: Caller, *, first: int, after: str | None = None
) -> DraftPage:
    """Return the caller's open drafts; those that have expired are taken off its list."""
    session = caller.required_session()
    sessions = engine.parts.sessions
    place = None
    if after is not None:
        behind = (await engine.copy(caller, after, ROOT, fresh=True)).draft
        place = Listed(at=behind.created_at, draft_id=behind.id)
    views: list[View] = []
    gone: list[str] = []
    while len(views) <= first:
        listed = await sessions.drafts(session, first + 1, place)
        for row in listed:
            try:
                view = await get_draft(engine, caller, row.draft_id)
            except NotFoundError:
                gone.append(row.draft_id)
                continue
            if view.draft.state is DraftState.OPEN:
                views.append(view)
        if len(listed) <= first:
            break
        place = listed[-1]
    await sessions.forget(session, gone)
    return DraftPage(views=views[:first], has_next=len(views) > first)


async def plan_of(engine: Engine, view: View) -> Plan:
    """Return a draft's difference from its base, at the view's version, all it needs loaded."""
    return await view.once("plan", lambda: _plan(engine, view))


async def _plan(engine: Engine, view: View) -> Plan:
    touched: Mapping[str, Node | None]
    if view.draft.state is DraftState.COMMITTED:
        touched = {}  # what it changed is its base by now
    elif view.draft.is_new:
        touched = {node.key: None for node in await view.load_all()}
    else:
        # May name what was touched behind the view's version: then it does not differ at it.
        found = await engine.parts.store.touched(view.draft.id)
        if found is None:
            raise NotFoundError.of("The draft has expired.")
        touched = found
        await view.load_lines(touched)
    plan = make_plan(view.cluster.spec, view.snapshot, touched)
    await view.load(wants(view.cluster.spec, plan))
    await view.load_below(plan.removed)
    return plan


async def draft_changes(engine: Engine, view: View) -> list[Delta]:
    """Return a draft's difference from its base."""
    return differences(await plan_of(engine, view))


async def draft_dry_run(engine: Engine, view: View) -> DryRun:
    """Return what a commit would refuse now."""

    async def run() -> DryRun:
        plan = await plan_of(engine, view)
        # A view of its own, because the saved instances take the place of the draft's in it.
        return await sync_to_async(dry_run)(engine.view_at(view), plan)

    return await view.once("dry_run", run)


async def draft_errors(engine: Engine, view: View) -> list[Problem]:
    """Return what a commit would find wrong now; empty where it would find conflicts first."""
    return list((await draft_dry_run(engine, view)).problems)


async def draft_conflicts(engine: Engine, view: View) -> list[Conflict]:
    """Return what a commit would overwrite now of what others have saved since the base."""
    return list((await draft_dry_run(engine, view)).conflicts)
