"""Applying changes to a draft: touched nodes only, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType
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
    OfKind,
    Place,
    RemoveFromSet,
    RemoveNodes,
    ReplaceNodes,
    ReplaceSet,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.delta import Added, Moved, Removed
from gql_cluster.domain.editor import Applied, Kept, NodeEditor
from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.rank import rank_between, tail_rank
from gql_cluster.domain.spec import ROOT_KEY, ClusterSpec, NodeSpec, RelationSpec
from gql_cluster.domain.tree import Tree

_NOTHING: Kept = MappingProxyType({})


def apply(  # noqa: PLR0913 - one change set, said whole
    cluster: ClusterSpec,
    tree: Tree,
    changes: Sequence[Change],
    *,
    version: int,
    tail: int,
    new_key: Callable[[], str],
    kept: Kept = _NOTHING,
) -> Applied:
    """Return what the changes do to the tree, which itself stays as it is.

    `version` is the one that the change set becomes; `new_key` names nodes that the client left
    unnamed; `kept` are members of sets that stay in them. Raises `InvalidChangeError` with the
    index of the first change that can't be.
    """
    editor = _Editor(cluster, tree, version, tail, new_key)
    editor.kept = kept
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


class _Editor(NodeEditor):
    """The changes of one request, applied one after the other."""

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
            case OfKind(type=type_name, change=inner):
                self._require_kind(node, type_name, path)
                self.apply(node, inner, path)
            case AddToSet(name=name, pks=pks, values=values):
                members = self._set(spec, name, path)
                will = (*node.sets.get(name, ()), *pks)
                self._relate(node, members, will, dict.fromkeys(pks, values), path)
            case RemoveFromSet(name=name, pks=pks):
                members = self._set(spec, name, path)
                gone, were = members.distinct(pks), members.distinct(node.sets.get(name, ()))
                will = tuple(were[each] for each in were if each not in gone)
                self._relate(node, members, will, {}, path)
            case ReplaceSet(name=name, pks=pks, values=values):
                members = self._set(spec, name, path)
                self._relate(node, members, pks, dict.fromkeys(pks, values), path)
            case _:
                assert_never(change)

    # Children

    def _add_child(
        self, parent: Node, relation: RelationSpec, new: NewNode, path: tuple[str, ...]
    ) -> Node:
        rank = self._rank_for(parent, relation, new, path)
        spec = self._cluster.nodes[new.type or relation.child]
        return self._add(spec, new, parent.key, relation, rank, (*path, relation.name))

    def _add(  # noqa: PLR0913, PLR0917 - a node's whole place, inside this module only
        self,
        spec: NodeSpec,
        new: NewNode,
        parent: str | None,
        relation: RelationSpec | None,
        rank: str,
        path: tuple[str, ...],
    ) -> Node:
        key = ROOT_KEY if parent is None else self._free_key(new.key, path)
        below = path if parent is None else (*path, key)
        given = self._resolved(spec, key, new.values)
        above = None if relation is None else relation.parent_field
        values = self._checked(spec, given, key, below, above, is_new=True)
        blank: dict[str, Json] = dict.fromkeys(name for name in spec.fields if name != above)
        sets = {
            name: tuple(each.distinct(new.sets.get(name, ())).values())
            for name, each in spec.sets.items()
        }
        through = {
            name: self._rows(self._set(spec, name, below), sets[name], rows, key, below)
            for name, rows in new.through.items()
        }
        node = Node(
            key=key,
            type=spec.name,
            pk=None,
            parent=parent,
            relation=None if relation is None else relation.name,
            rank=rank,
            fields={**blank, **new.defaults, **values},
            sets=sets,
            version=self._version,
            through={name: rows for name, rows in through.items() if rows},
        )
        self._deltas.append((Added(node=node), self.change))
        self.overlay.add(node)
        for name, children in new.children.items():
            inner = self._relation(spec, name, below)
            for child in children:
                self._add_child(node, inner, child, below)
        return node

    def _require_kind(self, child: Node, type_name: str, path: tuple[str, ...]) -> None:
        if not self._cluster.is_kind(child.type, type_name):
            message = f"“{child.key}” is a {child.type}, and no {type_name}."
            raise InvalidChangeError.of(message, key=child.key, path=path)

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
            self._require_kind(child, new.type or relation.child, below)
            child = self._update(self._cluster.nodes[child.type], child, new.values, below)
            if relation.order_field is not None and (new_seen or not in_order):
                self._put_rank(child, self._next_tail())
            self._replace_below(child, new, below)

    def _replace_below(self, child: Node, new: NewNode, path: tuple[str, ...]) -> None:
        spec = self._cluster.nodes[child.type]
        for name, pks in new.sets.items():
            members, rows = self._set(spec, name, path), new.through.get(name, {})
            self._relate(self._known(child.key), members, pks, rows, path)
        for name, children in new.children.items():
            self._replace(child, self._relation(spec, name, path), children, path)
