"""A draft on what is saved now: all of it, and all of the saved cluster, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async

from gql_cluster.domain.brought import bring
from gql_cluster.domain.copy import Copy
from gql_cluster.domain.error import ConflictPolicy
from gql_cluster.domain.fitting import fitted
from gql_cluster.domain.merge import Clash
from gql_cluster.domain.node import Node
from gql_cluster.domain.plan import Plan, make_plan
from gql_cluster.domain.rebase import Rebased, rebase
from gql_cluster.domain.tree import Siblings
from gql_cluster.orm.commit import DryRun, dry_run
from gql_cluster.orm.load import load, parse_pk
from gql_cluster.service.read import ROOT, touched_nodes
from gql_cluster.service.view import BaseNodes, View
from gql_cluster.store.results import Settled

if TYPE_CHECKING:
    from gql_cluster.domain.tree import Want
    from gql_cluster.models import Receipt
    from gql_cluster.service.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A draft on another base.

    `view` shows it, as if it were stored, and `plan` is its difference from that base. `found`
    is what a commit of it would find; with conflicts in it the rest is of no use. `stamp`
    counts the saves of the cluster that are in the base, perhaps more are.
    """

    rebased: Rebased
    view: View
    plan: Plan
    found: DryRun
    stamp: int


async def on_saved(engine: Engine, view: View, policy: ConflictPolicy, version: int) -> State:
    """Return a draft's changes laid over what is saved now, conflicts decided by the policy.

    The whole draft and the whole saved cluster are read. Nothing is stored.
    """
    touched = await touched_nodes(engine, view)
    nodes = await _all_nodes(view, touched)
    stamp = await engine.stamp(view.cluster, view.draft.pk)
    load_some = sync_to_async(partial(load, limit=engine.parts.settings.MAX_NODES))
    saved = await load_some(view.cluster, view.draft.pk) or ()
    await _add_returned(view, nodes, saved)
    old: BaseNodes = {
        view.cluster.spec.identity(base): base
        for key, node in nodes.items()
        if (base := touched.get(key, node)) is not None and base.pk is not None
    }

    async def merged(clashes: Sequence[Clash]) -> State:
        rebased = rebase(
            view.cluster.spec, nodes, touched, saved, policy, version=version, clashes=clashes
        )
        after = _in_memory(view, {**nodes, **rebased.nodes}, old)
        plan = make_plan(view.cluster.spec, after.snapshot, rebased.base)
        found = DryRun(conflicts=rebased.conflicts)
        if not rebased.conflicts:
            # A view of its own, because the saved instances take the place of the draft's in it.
            found = await sync_to_async(dry_run)(
                _in_memory(view, {**nodes, **rebased.nodes}, old), plan
            )
        return State(rebased=rebased, view=after, plan=plan, found=found, stamp=stamp)

    state = await merged(())
    if state.found.clashes and policy is not ConflictPolicy.FAIL:
        state = await merged(state.found.clashes)
    return state


async def after_commit(engine: Engine, draft_id: str, receipt: Receipt) -> tuple[Rebased, Settled]:
    """Return what a draft becomes whose cluster was saved with this receipt: what is saved now.

    Raises `NotFoundError` for one that has expired.
    """
    copy = await engine.any_copy(draft_id, ROOT)
    view = engine.view(copy)
    before = await _all_nodes(view, await touched_nodes(engine, view))
    named = {key: replace(before[key], pk=pk) for key, pk in receipt.keys.items() if key in before}
    pk = parse_pk(view.cluster.model, receipt.root_pk)
    stamp = await engine.stamp(view.cluster, pk)
    saved = await sync_to_async(load)(view.cluster, pk)
    await _add_returned(view, before, saved or ())
    # Where it is deleted by now, the draft stays as it was: the next commit tells.
    now = rebase(
        view.cluster.spec,
        {**before, **named},
        {},
        saved or [node for node in {**before, **named}.values() if not node.removed],
        ConflictPolicy.THEIRS,
        version=view.draft.version + 1,
    )
    nodes = {**named, **now.nodes}
    below = await view.load_returned(now.deltas, view.draft.version + 1)
    now = replace(now, deltas=bring(now.deltas, below, nodes))
    return now, Settled(pk=pk, stamp=stamp, nodes=list(nodes.values()))


def _in_memory(view: View, nodes: Mapping[str, Node], old: BaseNodes) -> View:
    """Return a view of a draft with these nodes in place of its own."""
    cluster = view.cluster
    places: dict[tuple[str, str], Siblings] = defaultdict(list)
    for node in nodes.values():
        for name in cluster.spec.nodes[node.type].relations:
            places.setdefault((node.key, name), [])
        if not node.removed and node.parent is not None and node.relation is not None:
            places[node.parent, node.relation].append((node.rank, node.key))
    for siblings in places.values():
        siblings.sort()
    copy = Copy(view.draft)
    copy.learn(nodes, places, size=0)

    async def load_nothing(want: Want) -> None:
        copy.learn(dict.fromkeys(want.keys), {}, size=0)  # all that there is, is known

    return View(cluster, copy, load_nothing, old=old)


async def _all_nodes(view: View, touched: Mapping[str, Node | None]) -> dict[str, Node]:
    """Return every node of a draft, those below removed ones too."""
    nodes = {node.key: node for node in await view.load_all()}
    await _add_dead(view, nodes, [key for key in touched if key not in nodes])
    return {key: fitted(view.cluster.spec, node) for key, node in nodes.items()}


async def _add_returned(view: View, nodes: dict[str, Node], saved: Sequence[Node]) -> None:
    """Add what left the draft with an earlier base, and is saved again."""
    keys = [node.key for node in saved if node.key not in nodes]
    await view.load_lines(keys)
    await _add_dead(view, nodes, keys)


async def _add_dead(view: View, nodes: dict[str, Node], keys: Sequence[str]) -> None:
    """Add nodes that are not in the draft any more, those above them and all below."""
    for key in keys:
        node = view.snapshot.node(key)
        while node is not None and node.key not in nodes:
            nodes[node.key] = node
            node = view.snapshot.node(node.parent or "")
    for node in await view.load_below(keys):
        nodes.setdefault(node.key, node)
