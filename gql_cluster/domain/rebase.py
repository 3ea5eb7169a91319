"""Rebasing: a whole draft brought up to what is saved now, its own changes kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gql_cluster.domain.delta import Delta, Removed, advance, difference
from gql_cluster.domain.error import Conflict, ConflictPolicy
from gql_cluster.domain.merge import Clash, Merged, Saved, merge, merge_node
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.order import merge_order, out_of_order, rank_order
from gql_cluster.domain.plan import Plan, make_plan, parents_first
from gql_cluster.domain.rank import base_rank
from gql_cluster.domain.spec import ROOT_KEY, ClusterSpec
from gql_cluster.domain.tree import Siblings, is_alive


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebased:
    """What a rebase does to a draft; empty but for the conflicts where there are any.

    `deltas` lead from the draft before to the draft after, `theirs` from the old base to the
    new one, of each key that the draft had touched or differs in now. `nodes` are those that
    have to be written, tombstones too. `base` is the new base of every key that the draft
    still differs in, None where the draft added it, though it may have removed it again.
    """

    deltas: tuple[Delta, ...]
    theirs: tuple[Delta, ...]
    nodes: Mapping[str, Node]
    base: Mapping[str, Node | None]
    conflicts: tuple[Conflict, ...]


def rebase(  # noqa: PLR0913 - the three sides, and how to join them
    cluster: ClusterSpec,
    draft: Mapping[str, Node],
    touched: Mapping[str, Node | None],
    saved: Sequence[Node],
    policy: ConflictPolicy,
    *,
    version: int,
    clashes: Sequence[Clash] = (),
) -> Rebased:
    """Return what brings a draft up to what is saved now.

    `draft` holds every node of it, tombstones too; `touched` each touched node as it was in
    the base, None where it was not there. `saved` is every saved node, parents first, siblings
    in order, under the keys that they get when they are loaded. `version` is the one that the
    rebase becomes.
    """
    sides = _Rebase(cluster, draft, touched, saved)
    merged = sides.merge(policy, clashes)
    if merged.conflicts:
        return Rebased(deltas=(), theirs=(), nodes={}, base={}, conflicts=merged.conflicts)
    after = sides.after(merged)
    base = sides.base(after)
    deltas, nodes = sides.written(after, version)
    return Rebased(
        deltas=tuple(deltas),
        theirs=tuple(sides.theirs(base)),
        nodes=nodes,
        base=base,
        conflicts=(),
    )


def _by_draft_keys(
    cluster: ClusterSpec, draft: Mapping[str, Node], saved: Sequence[Node]
) -> dict[str, Node]:
    """Return the saved nodes under the keys that the draft has for them, ranked as they come."""
    keys: dict[tuple[str, Json], str] = {}
    for node in draft.values():
        row = cluster.identity(node)
        if node.pk is not None and not (node.removed and row in keys):
            keys[row] = node.key
    renamed: dict[str | None, str] = {}
    counts: dict[tuple[str | None, str | None], int] = defaultdict(int)
    found: dict[str, Node] = {}
    for node in saved:
        key = renamed[node.key] = keys.get(cluster.identity(node), node.key)
        parent = renamed.get(node.parent, node.parent)
        rank = node.rank if parent is None else base_rank(counts[parent, node.relation])
        counts[parent, node.relation] += 1
        found[key] = replace(node, key=key, parent=parent, rank=rank)
    return found


def _base_of(draft: Mapping[str, Node], touched: Mapping[str, Node | None]) -> _Whole:
    """Return what the draft started from; what is below a tombstone of the base is not in it."""
    known = {key: node for key, node in {**draft, **touched}.items() if node and not node.removed}
    whole = _Whole(known)
    root = known.get(ROOT_KEY)
    return _Whole({} if root is None else {ROOT_KEY: root, **whole.below(ROOT_KEY)})


class _Whole:
    """A tree of which every node is known."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self.nodes = nodes
        self._below: dict[str, dict[tuple[str, str], Siblings]] = defaultdict(dict)
        for node in nodes.values():
            if node.parent is not None and node.relation is not None and not node.removed:
                place = (node.parent, node.relation)
                self._below[node.parent].setdefault(place, []).append((node.rank, node.key))
        for places in self._below.values():
            for siblings in places.values():
                siblings.sort()

    def node(self, key: str) -> Node | None:
        return self.nodes.get(key)

    def is_taken(self, key: str) -> bool:
        return key in self.nodes

    def siblings(self, parent: str, relation: str) -> Siblings:
        return self._below.get(parent, {}).get((parent, relation), [])

    def keys(self, place: tuple[str, str]) -> list[str]:
        """Return the keys of the living children of a relation, in order."""
        return [key for _, key in self.siblings(*place)]

    def ranks(self, place: tuple[str, str]) -> dict[str, str]:
        """Return the rank of each living child of a relation, by key and in order."""
        return {key: rank for rank, key in self.siblings(*place)}

    def places(self) -> Iterator[tuple[str, str]]:
        """Yield each relation that has living children, by parent and name."""
        for places in self._below.values():
            yield from places

    def below(self, key: str) -> dict[str, Node]:
        """Return all that lives below a node, parents first."""
        found: dict[str, Node] = {}
        level = [key]
        for each in level:
            for siblings in self._below.get(each, {}).values():
                found.update((child, self.nodes[child]) for _, child in siblings)
                level += [child for _, child in siblings]
        return found


class _Rebase:
    """The three sides as trees: the base, what is saved now, and the draft."""

    def __init__(
        self,
        cluster: ClusterSpec,
        draft: Mapping[str, Node],
        touched: Mapping[str, Node | None],
        saved: Sequence[Node],
    ) -> None:
        self._cluster = cluster
        self._touched = touched
        self._draft = _Whole(draft)
        self._base = _base_of(draft, touched)
        self._now = _Whole(_by_draft_keys(cluster, draft, saved))

    def merge(self, policy: ConflictPolicy, clashes: Sequence[Clash]) -> Merged:
        """Return what is left of the draft's changes."""
        plan = make_plan(self._cluster, self._draft, self._touched)
        rows = {self._cluster.identity(node): node for node in self._now.nodes.values()}
        return merge(
            self._cluster,
            plan,
            Saved(
                nodes=self._now.nodes,
                below={key: (self._base.below(key), self._now.below(key)) for key in plan.removed},
                orders={
                    place: (self._base.keys(place), self._now.keys(place))
                    for place in self._draft.places()
                    if self._is_ordered(place)
                },
            ),
            policy,
            tree=self._draft,
            living=lambda key: self._draft.below(key).values(),
            clashes=[
                replace(clash, theirs=rows[row])
                for clash in clashes
                if (row := self._cluster.identity(clash.theirs)) in rows
            ],
        )

    def _is_ordered(self, place: tuple[str, str]) -> bool:
        key, name = place
        # What is saved may be of another kind by now, with other relations.
        above = (node for side in (self._draft, self._now) if (node := side.node(key)) is not None)
        found = (self._cluster.nodes[node.type].relations.get(name) for node in above)
        return any(relation is not None and relation.order_field is not None for relation in found)

    # The draft as it will be

    def after(self, merged: Merged) -> dict[str, Node]:
        """Return what is saved now with the draft's changes, parents first.

        What the draft removes is in it as tombstones; what others deleted is not.
        """
        plan = merged.plan
        after = {**self._now.nodes, **plan.added}
        after.update((key, node) for key, (_, node) in plan.updated.items())
        after.update((key, replace(node, removed=True)) for key, node in plan.removed.items())
        self._keep_dead(after, plan)
        whole = _Whole(after)
        for place in whole.places():
            order = self._order(place, merged, after, set(whole.keys(place)))
            for key, rank in self._ranks(place, order).items():
                after[key] = replace(after[key], rank=rank)
        return after

    def _keep_dead(self, after: dict[str, Node], plan: Plan) -> None:
        """Keep what the draft did below nodes that it removed then, should they come back."""
        dead = {
            key: node
            for key in self._touched
            if (node := self._draft.node(key)) is not None
            and (grave := self._grave(node)) in plan.removed
            and grave != key
        }
        for key, node in parents_first(dead, self._draft).items():
            base, now = self._base.node(key), self._now.node(key)
            above = after.get(node.parent or "")
            if above is None or is_alive(after.get, above):
                continue
            if node.relation not in self._cluster.nodes[above.type].relations:
                continue  # the removed row is of another kind by now
            if now is None and base is None and not node.removed:
                after[key] = node
            elif now is not None and base is not None and _is_at(base, now):
                spec = self._cluster.nodes[now.type]
                mine, _ = merge_node(spec, base, now, node, insist=True)
                after[key] = replace(mine, removed=node.removed)

    def _grave(self, node: Node) -> str | None:
        """Return the topmost removed node above a node, or itself."""
        grave: str | None = None
        above: Node | None = node
        while above is not None:
            grave = above.key if above.removed else grave
            above = self._draft.node(above.parent or "")
        return grave

    def _order(
        self,
        place: tuple[str, str],
        merged: Merged,
        after: Mapping[str, Node],
        keys: Collection[str],
    ) -> Sequence[str]:
        if place in merged.orders:
            return merged.orders[place]
        now = [key for key in self._now.keys(place) if key in keys]
        draft = [key for key in self._draft.keys(place) if key in keys]
        if self._is_ordered(place) and not is_alive(after.get, after[place[0]]):
            base, moved = self._base.keys(place), self._moved(place)
            return merge_order(base, now, draft, ConflictPolicy.MINE, moved)[0]
        known = set(now)
        return [*now, *(key for key in draft if key not in known)]

    def _ranks(self, place: tuple[str, str], order: Sequence[str]) -> dict[str, str]:
        """Return the rank of each sibling; those of saved ones that the draft moved are no base."""
        base, now, draft = (side.ranks(place) for side in (self._base, self._now, self._draft))
        if base == now and list(draft) == list(order):
            return draft
        known = set(order)
        theirs = [key for key in now if key in known]
        here = [key for key in order if key in now]
        moved = set(out_of_order(here, theirs, self._moved(place)))
        fixed = {key: now[key] for key in theirs if key not in moved}
        return rank_order(order, fixed, draft)

    def _moved(self, place: tuple[str, str]) -> set[str]:
        base = self._base.ranks(place)
        return {key for key, rank in self._draft.ranks(place).items() if rank != base.get(key)}

    # What that comes to

    def written(
        self, after: Mapping[str, Node], version: int
    ) -> tuple[list[Delta], dict[str, Node]]:
        """Return what leads from the draft to what it will be, and each node that it writes."""
        deltas: list[Delta] = []
        nodes: dict[str, Node] = {}
        for key, node in self._draft.nodes.items():
            if not node.removed and key not in after and node.parent in after:
                deltas.append(Removed(node=node))
                nodes[key] = advance(node, deltas[-1], version)
        for key, node in after.items():
            before = self._draft.node(key)
            # Version 0 tells that the key is not given out by this change.
            changed = difference(before, replace(node, version=0))
            written = before
            for delta in changed:
                written = nodes[key] = advance(written, delta, version)
            deltas += changed
            if before is None and node.removed:
                nodes[key] = replace(node, version=version)
        return deltas, nodes

    def base(self, after: Mapping[str, Node]) -> dict[str, Node | None]:
        """Return what is saved now of each node that differs from it."""
        # What the draft added and removed again may come back: then it is new as before.
        dead = (
            key
            for key, was in self._touched.items()
            if (was is None or was.removed)
            and (node := self._draft.node(key)) is not None
            and (node.removed or node.parent not in after)
        )
        return {
            **{key: None for key in dead if self._now.node(key) is None},
            **{
                key: now
                for key, node in after.items()
                if (now := self._now.node(key)) is None or difference(now, node)
            },
        }

    def theirs(self, base: Mapping[str, Node | None]) -> Iterator[Delta]:
        """Yield what leads from the old base to the new one, for what was touched or is in it."""
        for key in {**self._now.nodes, **self._base.nodes}:
            if key in self._touched or key in base:
                was, now = self._base.node(key), self._now.node(key)
                if now is not None:
                    yield from difference(was, replace(now, version=0))
                elif was is not None:
                    yield Removed(node=was)


def _is_at(one: Node, other: Node) -> bool:
    return (one.parent, one.relation) == (other.parent, other.relation)
