"""Three sides of a cluster, merged: its base, what is saved now, and the draft."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

from gql_cluster.domain.delta import difference
from gql_cluster.domain.error import Conflict, ConflictKind, ConflictPolicy
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.order import merge_order, out_of_order
from gql_cluster.domain.plan import Plan, ancestors, is_placed_anew, order_field, parents_first
from gql_cluster.domain.spec import ROOT_KEY, ClusterSpec, NodeSpec, SetSpec
from gql_cluster.domain.tree import Tree, path_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What is saved now of what a plan touches, by the draft's keys.

    `nodes` are those that the plan names, with the parent, fields and sets of now; what is gone
    is missing. Where one is gone, what the draft has below it and others moved elsewhere is
    among them too. `below` has all that is below each removed node that is still there,
    as (base, now). `orders` has the keys of the saved children of each ordered relation that is
    reordered in the draft or that a node is gone from, in order, as (base, now); a relation in
    which the draft only appends can be left out.
    """

    nodes: Mapping[str, Node]
    below: Mapping[str, tuple[Mapping[str, Node], Mapping[str, Node]]]
    orders: Mapping[tuple[str, str], tuple[Sequence[str], Sequence[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """A node of the draft and a saved one would have the same value where only one may.

    `fields` are unique together. `theirs` is the other node as it is saved now, `base` as it
    was in the base, None where it was added since.
    """

    key: str
    fields: tuple[str, ...]
    theirs: Node
    base: Node | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What three sides come to.

    `plan` is what is left to do against what is saved now. `orders` gives the keys of each
    relation of `Saved.orders` that is still to reorder in their merged order, what others added
    included. `conflicts` are those that the policy leaves; only without any is the rest of use.
    """

    plan: Plan
    orders: Mapping[tuple[str, str], tuple[str, ...]]
    conflicts: tuple[Conflict, ...]


def merge(  # noqa: PLR0913 - the three sides, and how to join them
    cluster: ClusterSpec,
    plan: Plan,
    saved: Saved,
    policy: ConflictPolicy,
    *,
    tree: Tree,
    living: Callable[[str], Iterable[Node]],
    clashes: Sequence[Clash] = (),
) -> Merged:
    """Return what is left of a plan, against what is saved now.

    `tree` is the draft. `living` gives the living nodes of the draft below a saved one, parents
    first; it is asked only where a deleted node comes back.
    """
    merger = _Merger(cluster, plan, saved, policy, tree)
    merger.settle_gone(living)
    merger.merge_updated()
    merger.merge_removed()
    merger.settle_clashes(clashes)
    merger.merge_orders()
    return merger.merged()


def merge_node(
    spec: NodeSpec, base: Node | None, now: Node, mine: Node, *, insist: bool
) -> tuple[Node, list[str]]:
    """Return a node of the draft on top of what is saved now, and the fields in conflict.

    They are those that both changed from the base, to different values; mine is taken for them
    only where I `insist`. Place, rank and version are mine. The type, which is `spec`, is that of
    now, and what it does not have is left out. None is a base without the node.
    """
    fields = {**now.fields}
    contested: list[str] = []
    for name, value in mine.fields.items():
        if mine.type != now.type and name not in spec.fields:
            continue
        theirs = now.fields.get(name)
        if value == theirs or (base is not None and value == base.fields.get(name)):
            continue
        if base is None or theirs != base.fields.get(name):
            contested.append(name)
            if not insist:
                continue
        fields[name] = value
    sets = {**now.sets}
    through = {name: rows for name, rows in mine.through.items() if name in spec.sets}
    for name, members in spec.sets.items():
        if name in mine.sets:
            were = base.sets.get(name, ()) if base is not None else ()
            are = now.sets.get(name, ())
            # A row that others have made meanwhile is there: adding changes nothing.
            rows = {
                pk: row for pk, row in through.pop(name, {}).items() if pk in were or pk not in are
            }
            # One in place of a saved row is new, whatever others did to that.
            were = tuple(pk for pk in were if pk not in rows)
            sets[name] = _merge_set(members, were, are, mine.sets[name])
            if rows:
                through[name] = rows
    return replace(mine, type=now.type, fields=fields, sets=sets, through=through), contested


def _merge_set(
    spec: SetSpec, base: tuple[Json, ...], now: tuple[Json, ...], mine: tuple[Json, ...]
) -> tuple[Json, ...]:
    if set(now) == set(base):
        return mine
    were, are, wanted = spec.distinct(base), spec.distinct(now), spec.distinct(mine)
    kept = tuple(pk for each, pk in are.items() if each in wanted or each not in were)
    new = (pk for each, pk in wanted.items() if each not in are and each not in were)
    return (*kept, *new)


def _same(one: Node, other: Node, *, apart_from: str | None = None) -> bool:
    """Tell whether two nodes hold the same at the same place, whatever their ranks.

    Of sets those of `one` count: it may be older than the others.
    """
    names = {*one.fields, *other.fields} - {apart_from}
    return (
        one.type == other.type
        and _place(one) == _place(other)
        and all(one.fields.get(name) == other.fields.get(name) for name in names)
        and {n: set(pks) for n, pks in one.sets.items()}
        == {n: set(other.sets.get(n, ())) for n in one.sets}
    )


def _place(node: Node) -> tuple[str | None, str | None]:
    return node.parent, node.relation


class _Merger:
    """The plan that is left, while it is made: each step takes what the one before made."""

    def __init__(
        self,
        cluster: ClusterSpec,
        plan: Plan,
        saved: Saved,
        policy: ConflictPolicy,
        tree: Tree,
    ) -> None:
        self._cluster = cluster
        self._plan = plan
        self._saved = saved
        self._policy = policy
        self._tree = tree
        self._added = dict(plan.added)
        self._updated: dict[str, tuple[Node, Node]] = {}
        self._removed: dict[str, Node] = {}
        self._orders: dict[tuple[str, str], tuple[str, ...]] = {}
        self._reordered: set[tuple[str, str]] = set()
        self._conflicts: list[Conflict] = []
        # Nodes that others deleted or moved elsewhere, and the draft changes.
        self._gone: dict[str, None] = {}
        # Of these, what was below a kind that the row above is not any more.
        self._lost: dict[str, None] = {}
        self._dropped: dict[str, bool] = {}

    # Looking things up

    def _node(self, key: str) -> Node | None:
        """Return a node as it will be, as far as the draft or the plan knows of it."""
        if key in self._updated:
            return self._updated[key][1]
        return self._added.get(key) or self._tree.node(key) or self._saved.nodes.get(key)

    def _base(self, key: str) -> Node | None:
        """Return a touched or an untouched node as it was in the base."""
        return self._plan.base.get(key) or self._plan.ancestors.get(key)

    def _now(self, key: str) -> Node | None:
        """Return a node as it is saved now, ranked as in the base: a rank tells of moves."""
        now, base = self._saved.nodes.get(key), self._base(key)
        if now is None or base is None:
            return now
        return base if _same(base, now) else replace(now, rank=base.rank)

    def _conflict(self, kind: ConflictKind, key: str, *steps: str, **values: Any) -> None:
        node = self._tree.node(key)
        path = () if node is None else path_to(self._tree.node, node)
        type_name = None if node is None else node.type
        self._conflicts.append(
            Conflict(kind=kind, key=key, path=(*path, *steps), type=type_name, **values)
        )

    # Nodes that others deleted, or moved elsewhere

    def settle_gone(self, living: Callable[[str], Iterable[Node]]) -> None:
        """Find what is gone from where the draft changes it; bring it back, or give it up."""
        plan = self._plan
        named = dict.fromkeys((*plan.ancestors, *plan.updated, *plan.added))
        self._lost = {key: None for key in named if self._is_lost(key)}
        self._gone = {key: None for key in named if key in self._lost or self._is_gone(key)}
        missing = {
            key: None
            for key in self._gone
            if key not in self._saved.nodes and key not in self._lost
        }
        if self._policy is not ConflictPolicy.THEIRS:
            changed = (key for key in plan.updated if self._is_changed_in_what_is_lost(key))
            for key in dict.fromkeys((*self._lost, *changed)):
                self._conflict(ConflictKind.DELETED, key)
        match self._policy:
            case ConflictPolicy.FAIL:
                for key in (each for each in self._gone if each not in self._lost):
                    self._conflict(ConflictKind.DELETED, key)
            case ConflictPolicy.THEIRS:
                if ROOT_KEY in missing:
                    self._conflict(ConflictKind.DELETED, ROOT_KEY)
            case ConflictPolicy.MINE:
                for key in missing:
                    self._bring_back(key, missing, living)
                self._added = parents_first(self._added, self._tree)
            case _:
                assert_never(self._policy)
        self._added = {k: n for k, n in self._added.items() if not self._is_dropped(k)}

    def _is_lost(self, key: str) -> bool:
        """Tell whether the row above a node is of another kind by now, without such children."""
        node = self._tree.node(key)
        above = None if node is None else self._saved.nodes.get(node.parent or "")
        if node is None or above is None or node.relation is None:
            return False
        return node.relation not in self._cluster.nodes[above.type].relations

    def _is_changed_in_what_is_lost(self, key: str) -> bool:
        """Tell whether the draft changes what a row has not any more, being of another kind."""
        now, (base, mine) = self._saved.nodes.get(key), self._plan.updated[key]
        if now is None or now.type == mine.type:
            return False
        spec = self._cluster.nodes[now.type]
        return any(
            value != base.fields.get(name)
            for name, value in mine.fields.items()
            if name not in spec.fields
        ) or any(
            mine.members(name) != base.members(name) for name in mine.sets if name not in spec.sets
        )

    def _is_gone(self, key: str) -> bool:
        now = self._saved.nodes.get(key)
        if now is None:
            return key not in self._plan.added
        known = (self._base(key), self._tree.node(key))
        return _place(now) not in {_place(node) for node in known if node is not None}

    def _is_dropped(self, key: str | None) -> bool:
        """Tell whether the draft gives a node up, with all below it, because it is gone."""
        if key is None:
            return False
        if key not in self._dropped:
            node = self._tree.node(key)
            above = None if node is None else node.parent
            gone = self._gone if self._policy is ConflictPolicy.THEIRS else self._lost
            self._dropped[key] = key in gone or self._is_dropped(above)
        return self._dropped[key]

    def _bring_back(
        self, key: str, missing: Collection[str], living: Callable[[str], Iterable[Node]]
    ) -> None:
        node = self._tree.node(key)
        if node is None or node.parent in missing:
            return
        self._added[key] = node
        for below in living(key):
            # What others have moved elsewhere is there, and so is all that is below it there.
            if below.parent in self._added and below.key not in self._saved.nodes:
                self._added[below.key] = below

    # Nodes of both sides

    def merge_updated(self) -> None:
        """Lay the draft's fields and sets over those of now."""
        for key, (base, mine) in self._plan.updated.items():
            self._merge(key, base, mine)
        if self._policy is ConflictPolicy.MINE:
            for key in self._gone:
                if key in self._plan.ancestors and key not in self._plan.updated:
                    self._merge(key, self._base(key), self._plan.ancestors[key])
        for key, mine in self._plan.added.items():
            if (now := self._saved.nodes.get(key)) is not None:
                self._added.pop(key, None)
                number = order_field(self._cluster, self._tree.node, mine)
                fields = {number: now.fields.get(number)} if number is not None else {}
                self._merge(key, None, replace(mine, fields={**mine.fields, **fields}))

    def _merge(self, key: str, base: Node | None, mine: Node) -> None:
        now = self._now(key)
        fails = self._policy is ConflictPolicy.FAIL
        if now is None or self._is_dropped(key) or (fails and key in self._gone):
            return
        merged, contested = merge_node(
            self._cluster.nodes[now.type],
            base,
            now,
            mine,
            insist=self._policy is ConflictPolicy.MINE,
        )
        self._updated[key] = (now, merged)
        for name in contested if fails else ():
            self._conflict(
                ConflictKind.FIELD,
                key,
                name,
                field=name,
                base=None if base is None else base.fields.get(name),
                theirs=now.fields.get(name),
                mine=mine.fields.get(name),
            )

    def merge_removed(self) -> None:
        """Leave out what is gone already, and see to what others have changed."""
        for key, base in self._plan.removed.items():
            now = self._now(key)
            if now is None or self._is_dropped(key):
                continue
            if self._is_changed(base, now):
                if self._policy is ConflictPolicy.THEIRS:
                    continue
                if self._policy is ConflictPolicy.FAIL:
                    self._conflict(ConflictKind.CHANGED, key)
            self._removed[key] = now
        below = self._below_removed()
        self._removed = {key: now for key, now in self._removed.items() if key not in below}

    def _is_changed(self, base: Node, now: Node) -> bool:
        # Its number among its siblings changes with theirs.
        number = order_field(self._cluster, self._tree.node, base)
        were, are = self._saved.below.get(base.key, ({}, {}))
        return (
            not _same(base, now, apart_from=number)
            or were.keys() != are.keys()
            or any(not _same(node, are[key]) for key, node in were.items())
        )

    def _below_removed(self) -> set[str]:
        return {key for top in self._removed for key in self._saved.below.get(top, ({}, {}))[1]}

    # Values that only one may have

    def settle_clashes(self, clashes: Sequence[Clash]) -> None:
        """Let the one side or the other give way."""
        dead = {*self._removed, *self._below_removed()}
        pairs = dict(self._updated)
        dropped: set[str] = set()
        for clash in clashes:
            theirs = clash.theirs
            if theirs.key in dead or (clash.key not in self._added and clash.key not in pairs):
                continue
            match self._policy:
                case ConflictPolicy.THEIRS if clash.key in self._added:
                    dropped.add(clash.key)
                case ConflictPolicy.THEIRS:
                    self._give_back(clash, pairs[clash.key], pairs[clash.key][0])
                case ConflictPolicy.MINE if clash.base is not None:
                    self._give_back(clash, pairs.get(theirs.key, (theirs, theirs)), clash.base)
                case ConflictPolicy.MINE if theirs.key not in pairs:
                    self._removed[theirs.key] = theirs
                case _:
                    self._tell_of(clash)
        for key, node in list(self._added.items()):
            if key in dropped or node.parent in dropped:
                dropped.add(key)
                del self._added[key]

    def _give_back(self, clash: Clash, pair: tuple[Node, Node], source: Node) -> None:
        """Give a node the values of another; where it had them, nobody can give way."""
        now, after = pair
        values = {name: source.fields[name] for name in clash.fields if name in source.fields}
        if all(after.fields.get(name) == value for name, value in values.items()):
            self._tell_of(clash)
            return
        # Another clash of the same node may have been settled before.
        after = self._updated.get(after.key, pair)[1]
        self._updated[after.key] = (now, replace(after, fields={**after.fields, **values}))

    def _tell_of(self, clash: Clash) -> None:
        base, mine = self._updated.get(clash.key) or (None, self._added[clash.key])
        base = None if base is None else self._base(clash.key)
        changed = (
            name
            for name in clash.fields
            if name in mine.fields and (base is None or mine.fields[name] != base.fields.get(name))
        )
        name = next(changed, clash.fields[0])
        self._conflict(
            ConflictKind.UNIQUE,
            clash.key,
            name,
            field=name,
            base=None if base is None else base.fields.get(name),
            theirs=clash.theirs.fields.get(name),
            mine=mine.fields.get(name),
        )

    # The order of siblings

    def merge_orders(self) -> None:
        """Put the draft's order and that of now together, relation by relation."""
        placed = [
            after for before, after in self._updated.values() if is_placed_anew(before, after)
        ]
        self._reordered = {
            (node.parent or "", node.relation or "")
            for node in (*self._added.values(), *placed)
            if order_field(self._cluster, self._node, node) is not None
        }
        for place in sorted(self._reordered & self._saved.orders.keys()):
            self._merge_order(place, *self._saved.orders[place])

    def _merge_order(self, place: tuple[str, str], base: Sequence[str], now: Sequence[str]) -> None:
        draft = [key for _, key in self._tree.siblings(*place)]
        saved = set(now)
        theirs = [key for key in now if self._is_there(key, place, saved)]
        mine = [key for key in draft if self._is_there(key, place, saved)]
        moved = {key for key in mine if self._is_moved(key)}
        merged, contradicts = merge_order(base, theirs, mine, self._policy, moved)
        if contradicts and self._policy is ConflictPolicy.FAIL:
            self._conflict(ConflictKind.ORDER, place[0], place[1], field=place[1])
        if merged != draft or list(base) != list(now):
            known = set(theirs)
            here = [key for key in merged if key in known]
            still = set(out_of_order(here, theirs, moved))
            self._stay((moved & known) - still)
            if not still and merged == theirs:
                self._reordered.discard(place)
                return
        self._orders[place] = tuple(merged)

    def _is_there(self, key: str, place: tuple[str, str], saved: Collection[str]) -> bool:
        if key in self._updated:
            return _place(self._updated[key][1]) == place
        return key not in self._removed and (key in saved or key in self._added)

    def _is_moved(self, key: str) -> bool:
        before, after = self._updated.get(key, (None, None))
        return before is not None and after is not None and before.rank != after.rank

    def _stay(self, keys: Iterable[str]) -> None:
        """Forget moves that lead to where a node is saved now."""
        for key in keys:
            now, after = self._updated[key]
            self._updated[key] = (now, replace(after, rank=now.rank))

    # What is left

    def merged(self) -> Merged:
        """Return the plan that is left."""
        updated = {key: pair for key, pair in self._updated.items() if difference(*pair)}
        mine = [after for _, after in updated.values()]
        changed = [*self._added.values(), *mine, *self._removed.values()]
        above = ancestors(self._node, changed, self._added)
        plan = Plan(
            added=self._added,
            updated=updated,
            removed=self._removed,
            ancestors={key: self._as_saved(node) for key, node in above.items()},
            reordered=frozenset(self._reordered),
            base={**{key: now for key, (now, _) in updated.items()}, **self._removed},
        )
        return Merged(plan=plan, orders=self._orders, conflicts=tuple(self._conflicts))

    def _as_saved(self, node: Node) -> Node:
        now = self._saved.nodes.get(node.key)
        if node.key in self._updated or now is None:
            return node
        return merge_node(self._cluster.nodes[now.type], node, now, node, insist=False)[0]
