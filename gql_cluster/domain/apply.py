"""Applying changes to a draft: touched nodes only, all or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from gql_cluster.domain.change import (
    AddNodes,
    AddToSet,
    After,
    Before,
    Change,
    ClearNodes,
    EditNode,
    End,
    MoveNode,
    NewNode,
    Place,
    RemoveFromSet,
    RemoveNodes,
    ReplaceNodes,
    ReplaceSet,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.delta import Added, Delta, Moved, Related, Removed, Updated, advance
from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.node import Json, Node, Values
from gql_cluster.domain.rank import rank_between, tail_rank
from gql_cluster.domain.spec import ROOT_KEY, ClusterSpec, NodeSpec, RelationSpec
from gql_cluster.domain.tree import Overlay, Tree, Want

# Keys that the engine makes hold a colon, so a client's key never meets one of them.
_CLIENT_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.~-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What a change set comes to: its deltas, each touched node as it is now, the new tail.

    `changes` gives the index of the change that each delta comes from, None for a new cluster.
    """

    deltas: tuple[Delta, ...]
    changes: tuple[int | None, ...]
    nodes: Mapping[str, Node]
    tail: int


def apply(  # noqa: PLR0913 - one change set, said whole
    cluster: ClusterSpec,
    tree: Tree,
    changes: Sequence[Change],
    *,
    version: int,
    tail: int,
    new_key: Callable[[], str],
) -> Applied:
    """Return what the changes do to the tree, which itself stays as it is.

    `version` is the one that the change set becomes; `new_key` names nodes that the client
    left unnamed. Raises `InvalidChangeError` with the index of the first change that can't be.
    """
    editor = _Editor(cluster, tree, version, tail, new_key)
    for index, change in enumerate(changes):
        editor.change = index
        try:
            editor.apply(editor.root(), change, ())
        except InvalidChangeError as exc:
            raise exc.at_change(index) from exc
    return editor.applied()


def create(cluster: ClusterSpec, root: NewNode, *, new_key: Callable[[], str]) -> Applied:
    """Return the nodes of a new cluster, none of which is saved."""
    editor = _Editor(cluster, _Empty(), 0, 0, new_key)
    editor.add_root(root)
    return editor.applied()


def needs(changes: Sequence[Change]) -> Want:
    """Return which parts of a draft applying the changes will look at."""
    wants = list(_needs(ROOT_KEY, changes))
    return Want(
        keys=frozenset(key for want in wants for key in want.keys) | {ROOT_KEY},
        relations=frozenset(place for want in wants for place in want.relations),
        families=frozenset(place for want in wants for place in want.families),
    )


def _needs(parent: str, changes: Sequence[Change]) -> Iterator[Want]:  # noqa: C901 - one case a kind
    for change in changes:
        match change:
            case AddNodes(relation=relation, nodes=nodes):
                if any(node.position is not None for node in nodes):
                    yield Want(relations=frozenset({(parent, relation)}))
            case ReplaceNodes(relation=relation, nodes=nodes):
                yield from _replace_needs(parent, relation, nodes)
            case ClearNodes(relation=relation):
                yield Want(families=frozenset({(parent, relation)}))
            case UpdateNode(key=key):
                yield Want(keys=frozenset({key}))
            case RemoveNodes(keys=keys):
                yield Want(keys=frozenset(keys))
            case MoveNode(relation=relation, key=key, place=place):
                target = {place.key} if isinstance(place, Before | After) else set()
                yield Want(keys=frozenset({key, *target}))
                if place is not End.LAST:
                    yield Want(relations=frozenset({(parent, relation)}))
            case EditNode(key=key, changes=inner):
                yield Want(keys=frozenset({key}))
                yield from _needs(key, inner)
            case SetFields() | AddToSet() | RemoveFromSet() | ReplaceSet():
                pass
            case _:
                assert_never(change)


def _replace_needs(parent: str, relation: str, nodes: Sequence[NewNode]) -> Iterator[Want]:
    yield Want(families=frozenset({(parent, relation)}))
    for node in nodes:
        if node.key is not None:
            for inner, children in node.children.items():
                yield from _replace_needs(node.key, inner, children)


class _Empty:
    """The tree of a cluster that is not there yet."""

    def node(self, key: str) -> Node | None:
        del key
        return None

    def is_taken(self, key: str) -> bool:
        del key
        return False

    def siblings(self, parent: str, relation: str) -> list[tuple[str, str]]:
        del parent, relation
        return []


class _Editor:
    """The changes of one request, applied one after the other on an overlay."""

    def __init__(
        self,
        cluster: ClusterSpec,
        tree: Tree,
        version: int,
        tail: int,
        new_key: Callable[[], str],
    ) -> None:
        self.overlay = Overlay(tree)
        self.change: int | None = None
        self._deltas: list[tuple[Delta, int | None]] = []
        self.tail = tail
        self._cluster = cluster
        self._version = version
        self._new_key = new_key

    def applied(self) -> Applied:
        return Applied(
            deltas=tuple(delta for delta, _ in self._deltas),
            changes=tuple(change for _, change in self._deltas),
            nodes=self.overlay.changed,
            tail=self.tail,
        )

    def root(self) -> Node:
        root = self.overlay.node(ROOT_KEY)
        if root is None:
            msg = "a draft without a root"
            raise ValueError(msg)
        return root

    def add_root(self, new: NewNode) -> None:
        spec = self._cluster.nodes[self._cluster.root]
        self._add(spec, new, None, None, "", ())

    def apply(  # noqa: C901, PLR0912 - one case a kind
        self, node: Node, change: Change, path: tuple[str, ...]
    ) -> None:
        """Apply one change to a node; `path` leads to the node."""
        spec = self._cluster.nodes[node.type]
        match change:
            case SetFields(values=values):
                self._update(spec, node, values, path)
            case AddNodes(relation=name, nodes=nodes):
                relation = self._relation(spec, name, path)
                for new in nodes:
                    self._add_child(node, relation, new, path)
            case UpdateNode(relation=name, key=key, values=values):
                relation, child, below = self._child(spec, node, name, key, path)
                self._update(self._cluster.nodes[child.type], child, values, below)
            case RemoveNodes(relation=name, keys=keys):
                for key in keys:
                    _, child, _ = self._child(spec, node, name, key, path)
                    self._record(Removed(node=child), child)
            case MoveNode(relation=name, key=key, place=place):
                relation, child, below = self._child(spec, node, name, key, path)
                self._move(node, relation, child, place, below)
            case ReplaceNodes(relation=name, nodes=nodes):
                self._replace(node, self._relation(spec, name, path), nodes, path)
            case ClearNodes(relation=name):
                self._replace(node, self._relation(spec, name, path), (), path)
            case EditNode(relation=name, key=key, changes=changes):
                _, child, below = self._child(spec, node, name, key, path)
                if not changes:
                    raise InvalidChangeError.of("No changes are given.", key=key, path=below)
                for inner in changes:
                    self.apply(self._known(child.key), inner, below)
            case AddToSet(name=name, pks=pks):
                self._relate(spec, node, name, (*self._members(node, name), *pks), path)
            case RemoveFromSet(name=name, pks=pks):
                kept = tuple(pk for pk in self._members(node, name) if pk not in pks)
                self._relate(spec, node, name, kept, path)
            case ReplaceSet(name=name, pks=pks):
                self._relate(spec, node, name, pks, path)
            case _:
                assert_never(change)

    # Looking things up

    def _known(self, key: str) -> Node:
        node = self.overlay.node(key)
        if node is None:
            msg = f"a node that was there is gone: {key}"
            raise ValueError(msg)
        return node

    def _relation(self, spec: NodeSpec, name: str, path: tuple[str, ...]) -> RelationSpec:
        relation = spec.relations.get(name)
        if relation is None:
            message = f"{spec.name} has no relation “{name}”."
            raise InvalidChangeError.of(message, field=name, path=(*path, name))
        return relation

    def _child(
        self, spec: NodeSpec, parent: Node, name: str, key: str, path: tuple[str, ...]
    ) -> tuple[RelationSpec, Node, tuple[str, ...]]:
        relation = self._relation(spec, name, path)
        below = (*path, name, key)
        child = self.overlay.node(key)
        if child is None or child.removed:
            message = f"There is no node with the key “{key}” in “{name}”."
            raise InvalidChangeError.of(message, key=key, path=below)
        if (child.parent, child.relation) != (parent.key, name):
            message = f"The node with the key “{key}” is not in “{name}” here."
            raise InvalidChangeError.of(message, key=key, path=below)
        return relation, child, below

    def _members(self, node: Node, name: str) -> tuple[Json, ...]:
        return node.sets.get(name, ())

    # Changing a node

    def _record(self, delta: Delta, node: Node) -> Node:
        after = advance(node, delta, self._version)
        self._deltas.append((delta, self.change))
        self.overlay.put(after)
        return after

    def _checked(
        self, spec: NodeSpec, values: Values, key: str, path: tuple[str, ...], *, is_new: bool
    ) -> Values:
        for name, value in values.items():
            field = spec.fields.get(name)
            if field is None or field.read_only or (field.fixed and not is_new):
                what = "is read-only" if field else "is not a field"
                message = f"“{name}” {what} of {spec.name}."
                raise InvalidChangeError.of(message, key=key, field=name, path=(*path, name))
            if value is None and not field.nullable:
                message = f"“{name}” can't be null."
                raise InvalidChangeError.of(message, key=key, field=name, path=(*path, name))
        return values

    def _update(self, spec: NodeSpec, node: Node, values: Values, path: tuple[str, ...]) -> Node:
        after = {
            name: value
            for name, value in values.items()
            if name not in spec.fields or node.fields.get(name) != value
        }
        # A primary key that the client chooses is fixed from the first save on.
        self._checked(spec, after, node.key, path, is_new=node.pk is None)
        if not after:
            return node
        delta = Updated(
            key=node.key,
            type=node.type,
            parent=node.parent,
            relation=node.relation,
            before={name: node.fields.get(name) for name in after},
            after=after,
        )
        return self._record(delta, node)

    def _relate(
        self,
        spec: NodeSpec,
        node: Node,
        name: str,
        pks: Sequence[Json],
        path: tuple[str, ...],
    ) -> None:
        if name not in spec.sets:
            message = f"{spec.name} has no many-to-many “{name}”."
            raise InvalidChangeError.of(message, field=name, path=(*path, name))
        was = self._members(node, name)
        will = tuple(dict.fromkeys(pks))
        added = tuple(pk for pk in will if pk not in set(was))
        removed = tuple(pk for pk in was if pk not in set(will))
        if added or removed:
            delta = Related(
                key=node.key,
                type=node.type,
                parent=node.parent,
                relation=node.relation,
                set=name,
                added=added,
                removed=removed,
            )
            self._record(delta, node)

    # Children

    def _add_child(
        self, parent: Node, relation: RelationSpec, new: NewNode, path: tuple[str, ...]
    ) -> Node:
        rank = self._rank_for(parent, relation, new, path)
        spec = self._cluster.nodes[relation.child]
        return self._add(spec, new, parent.key, relation.name, rank, (*path, relation.name))

    def _add(  # noqa: PLR0913, PLR0917 - a node's whole place, inside this module only
        self,
        spec: NodeSpec,
        new: NewNode,
        parent: str | None,
        relation: str | None,
        rank: str,
        path: tuple[str, ...],
    ) -> Node:
        key = ROOT_KEY if parent is None else self._free_key(new.key, path)
        below = path if parent is None else (*path, key)
        values = self._checked(spec, new.values, key, below, is_new=True)
        blank: dict[str, Json] = dict.fromkeys(spec.fields)
        node = Node(
            key=key,
            type=spec.name,
            pk=None,
            parent=parent,
            relation=relation,
            rank=rank,
            fields={**blank, **new.defaults, **values},
            sets={name: tuple(dict.fromkeys(new.sets.get(name, ()))) for name in spec.sets},
            version=self._version,
        )
        self._deltas.append((Added(node=node), self.change))
        self.overlay.add(node)
        for name, children in new.children.items():
            inner = self._relation(spec, name, below)
            for child in children:
                self._add_child(node, inner, child, below)
        return node

    def _free_key(self, key: str | None, path: tuple[str, ...]) -> str:
        if key is None:
            return self._new_key()
        if not _CLIENT_KEY.fullmatch(key):
            message = (
                f"“{key[:64]}” can't be a key: 1 to 64 letters, digits, “_”, “.”, “~” or “-”, "
                "the first a letter, a digit or “_”."
            )
            raise InvalidChangeError.of(message, key=key[:64], path=path)
        if self.overlay.is_taken(key):
            message = f"The key “{key}” is used already in this draft."
            raise InvalidChangeError.of(message, key=key, path=(*path, key))
        return key

    def _rank_for(
        self, parent: Node, relation: RelationSpec, new: NewNode, path: tuple[str, ...]
    ) -> str:
        if new.position is None:
            return self._next_tail()
        self._require_order(relation, new.key, path)
        siblings = self.overlay.siblings(parent.key, relation.name)
        if not 0 <= new.position <= len(siblings):
            message = f"The position {new.position} is outside of 0 to {len(siblings)}."
            raise InvalidChangeError.of(message, key=new.key, path=(*path, relation.name))
        if new.position == len(siblings):
            return self._next_tail()
        low = siblings[new.position - 1][0] if new.position else None
        return rank_between(low, siblings[new.position][0])

    def _require_order(
        self, relation: RelationSpec, key: str | None, path: tuple[str, ...]
    ) -> None:
        if relation.order_field is None:
            message = f"“{relation.name}” keeps no order of its own."
            raise InvalidChangeError.of(message, key=key, path=path)

    def _next_tail(self) -> str:
        self.tail += 1
        return tail_rank(self.tail)

    def _move(
        self,
        parent: Node,
        relation: RelationSpec,
        child: Node,
        place: Place,
        path: tuple[str, ...],
    ) -> None:
        self._require_order(relation, child.key, path)
        rank = self._rank_at(parent, relation, child, place, path)
        if rank is not None:
            self._put_rank(child, rank)

    def _put_rank(self, child: Node, rank: str) -> None:
        delta = Moved(
            key=child.key,
            type=child.type,
            parent=child.parent,
            relation=child.relation,
            before=child.rank,
            after=rank,
        )
        self._record(delta, child)

    def _rank_at(
        self,
        parent: Node,
        relation: RelationSpec,
        child: Node,
        place: Place,
        path: tuple[str, ...],
    ) -> str | None:
        """Return the rank of a place, None where the child is seen to stand there already."""
        if place is End.LAST:
            return self._next_tail()
        here = (child.rank, child.key)
        siblings = [s for s in self.overlay.siblings(parent.key, relation.name) if s != here]
        if not siblings:
            return None
        index = 0
        if isinstance(place, Before | After):
            if place.key == child.key:
                message = f"“{child.key}” can't be moved next to itself."
                raise InvalidChangeError.of(message, key=child.key, path=path)
            spec = self._cluster.nodes[parent.type]
            _, target, _ = self._child(spec, parent, relation.name, place.key, path[:-2])
            index = siblings.index((target.rank, target.key)) + isinstance(place, After)
        low = siblings[index - 1][0] if index else None
        high = siblings[index][0] if index < len(siblings) else None
        if (low is None or low < child.rank) and (high is None or child.rank < high):
            return None
        return self._next_tail() if high is None else rank_between(low, high)

    def _replace(
        self,
        parent: Node,
        relation: RelationSpec,
        nodes: Sequence[NewNode],
        path: tuple[str, ...],
    ) -> None:
        here = [key for _, key in self.overlay.siblings(parent.key, relation.name)]
        given = [new.key for new in nodes if new.key is not None]
        if len(given) != len(set(given)):
            twice = next(key for key in given if given.count(key) > 1)
            message = f"The key “{twice}” is given twice."
            raise InvalidChangeError.of(message, key=twice, path=(*path, relation.name, twice))
        kept = set(here) & set(given)
        for key in here:
            if key not in kept:
                child = self._known(key)
                self._record(Removed(node=child), child)
        # What stands in the asked order already needs no new rank.
        in_order = [key for key in here if key in kept] == [key for key in given if key in kept]
        new_seen = False
        for new in nodes:
            if new.key is None or new.key not in kept:
                new_seen = True
                self._add_child(parent, relation, replace(new, position=None), path)
                continue
            child = self._known(new.key)
            below = (*path, relation.name, child.key)
            child = self._update(self._cluster.nodes[child.type], child, new.values, below)
            if relation.order_field is not None and (new_seen or not in_order):
                self._put_rank(child, self._next_tail())
            self._replace_below(child, new, below)

    def _replace_below(self, child: Node, new: NewNode, path: tuple[str, ...]) -> None:
        spec = self._cluster.nodes[child.type]
        for name, pks in new.sets.items():
            self._relate(spec, self._known(child.key), name, pks, path)
        for name, children in new.children.items():
            self._replace(child, self._relation(spec, name, path), children, path)
