"""Reading drafts: one, the caller's all, and what one has of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gql_cluster.domain.delta import Delta
from gql_cluster.domain.draft import DraftState
from gql_cluster.domain.error import NotFoundError
from gql_cluster.domain.fitting import fitted, has_place
from gql_cluster.domain.node import Node
from gql_cluster.domain.plan import Plan, differences, make_plan, wants
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import Want
from gql_cluster.store.sessions import Listed

if TYPE_CHECKING:
    from gql_cluster.service.caller import Caller
    from gql_cluster.service.engine import Engine
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


async def touched_nodes(engine: Engine, view: View) -> Mapping[str, Node | None]:
    """Return each node that may differ from the base as it is there, None where it is not.

    They and all above them are loaded. Some may be touched behind the view's version: they do
    not differ at it.
    """
    if view.draft.state is DraftState.COMMITTED:
        return {}  # what it changed is its base by now
    if view.draft.is_new:
        return {node.key: None for node in await view.load_all()}
    touched = await engine.parts.store.touched(view.draft.id)
    if touched is None:
        raise NotFoundError.of("The draft has expired.")
    # What others moved and the draft has put back was below another node in the base.
    above = (base.parent for base in touched.values() if base is not None)
    await view.load_lines({*touched, *(key for key in above if key is not None)})
    touched = _fitting(view, touched)
    # A node that came back, as by an undo behind a commit, has brought all that is below it.
    came = [key for key, node in touched.items() if node is None or node.removed]
    here = [key for key in came if (node := view.snapshot.node(key)) and not node.removed]
    return {**{node.key: None for node in await view.load_below(here)}, **touched}


def _fitting(view: View, touched: Mapping[str, Node | None]) -> dict[str, Node | None]:
    """Return touched nodes without those that the models have no place for any more."""
    spec, node_of = view.cluster.spec, view.snapshot.node
    return {
        key: base and fitted(spec, base)
        for key, base in touched.items()
        if (base is None or has_place(spec, node_of, base))
        and ((node := node_of(key)) is None or has_place(spec, node_of, node))
    }


async def _plan(engine: Engine, view: View) -> Plan:
    touched = await touched_nodes(engine, view)
    plan = make_plan(view.cluster.spec, view.snapshot, touched)
    await view.load(wants(view.cluster.spec, plan))
    await view.load_below(plan.removed)
    return plan


async def draft_changes(engine: Engine, view: View) -> list[Delta]:
    """Return a draft's difference from its base."""
    return differences(await plan_of(engine, view))
