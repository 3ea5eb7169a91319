"""What a draft goes on from where its own commit is all that was saved since its base.

Then the rows that it has written are read, and no others: a small commit of a large cluster stays
small. Only Django's own code may have run, for the project's might have written other rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.db import router

from gql_cluster.domain.delta import Delta, advance, difference
from gql_cluster.domain.plan import is_placed_anew
from gql_cluster.orm.bulk import is_plain
from gql_cluster.orm.load import is_read_plainly
from gql_cluster.orm.saved import read_now
from gql_cluster.service.read import plan_of

if TYPE_CHECKING:
    from django.db.models import Model

    from gql_cluster.domain.node import Node
    from gql_cluster.domain.plan import Plan
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.view import View


async def written_alone(
    engine: Engine, view: View, stamp: int
) -> tuple[list[Delta], dict[str, Node]] | None:
    """Return what its commit makes of a draft: the deltas, and the nodes that differ.

    `stamp` is the count of the root's saves now. None is for where all of the cluster has to be
    read: others have saved it, the commit did more than change fields, or the place of a node
    among its siblings depends on what it has changed.
    """
    if view.draft.is_new or stamp != view.draft.stamp + 1:
        return None
    plan = await plan_of(engine, view)
    if not _changes_fields_alone(plan):
        return None
    nodes = {**plan.ancestors, **{key: mine for key, (_, mine) in plan.updated.items()}}
    models = {view.cluster.models[node.type] for node in nodes.values()}
    if not all(is_plain(model) and is_read_plainly(model) for model in models):
        return None
    using = router.db_for_write(view.cluster.model)
    now = await sync_to_async(read_now)(engine.view_at(view), plan, using, lock=False)
    return _differences(view, plan, nodes, now.saved.nodes)


def _changes_fields_alone(plan: Plan) -> bool:
    return not (plan.added or plan.removed or plan.reordered) and not any(
        is_placed_anew(before, mine) or any(any(plan.members(key, name)) for name in mine.sets)
        for key, (before, mine) in plan.updated.items()
    )


def _differences(
    view: View, plan: Plan, nodes: Mapping[str, Node], saved: Mapping[str, Node]
) -> tuple[list[Delta], dict[str, Node]] | None:
    deltas: list[Delta] = []
    found: dict[str, Node] = {}
    for key, node in nodes.items():
        now = saved.get(key)
        if now is None or (now.type, now.parent) != (node.type, node.parent):
            return None
        was = plan.updated[key][0] if key in plan.updated else node
        changed = {name for name, value in now.fields.items() if was.fields.get(name) != value}
        if not changed.isdisjoint(_ordering(view.cluster.models[node.type])):
            return None
        for delta in difference(node, replace(node, fields=now.fields)):
            found[key] = advance(node, delta, view.draft.version + 1)
            deltas.append(delta)
    return deltas, found


def _ordering(model: type[Model]) -> Collection[str]:
    """Return the fields by which rows of a model are ordered; all are plain."""
    return {str(name).lstrip("-") for name in model._meta.ordering or ()}
