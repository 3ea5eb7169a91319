"""Editing the nodes of a draft one at a time, and noting what was done to each."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gql_cluster.domain.delta import Delta, Related, Updated, advance
from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.node import Json, Node, Through, Values
from gql_cluster.domain.reference import by_pk, references
from gql_cluster.domain.spec import ROOT_KEY, ClusterSpec, NodeSpec, RelationSpec, SetSpec
from gql_cluster.domain.tree import Overlay, Tree, is_alive, path_to

# Keys that the engine makes hold a colon, so a client's key never meets one of them.
_CLIENT_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.~-]{0,63}")


Kept: TypeAlias = Mapping[tuple[str, str], Collection[Json]]
"""Members of sets, by node and name, that no change takes out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What a change set comes to: its deltas, each touched node as it is now, the new tail.

    `changes` gives the index of the change that each delta comes from, None for a new cluster.
    `by_key` are the foreign keys, by node and name, that were given as the key of a node.
    """

    deltas: tuple[Delta, ...]
    changes: tuple[int | None, ...]
    nodes: Mapping[str, Node]
    tail: int
    by_key: frozenset[tuple[str, str]] = frozenset()


class NodeEditor:
    """Nodes with changes on top of a tree, which itself stays as it is.

    `change` is the index of the change that is being applied. Raises `InvalidChangeError`.
    """

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
        # Foreign keys by node and name: the key that each is given, and by which change.
        self._referring: dict[tuple[str, str], tuple[str, int | None]] = {}
        self.tail = tail
        self._cluster = cluster
        self._version = version
        self._new_key = new_key
        self.kept: Kept = {}

    def applied(self) -> Applied:
        """Return what has been done; raises where a reference leads to no node that it may.

        That is told now, and not before: a node may be referred to before it is added.
        """
        for (key, name), (named, change) in self._referring.items():
            self._check_reference(self._known(key), name, named, change)
        return Applied(
            deltas=tuple(delta for delta, _ in self._deltas),
            changes=tuple(change for _, change in self._deltas),
            nodes=self.overlay.changed,
            tail=self.tail,
            by_key=frozenset(self._referring),
        )

    def root(self) -> Node:
        """Return the root as it is now."""
        root = self.overlay.node(ROOT_KEY)
        if root is None:
            msg = "a draft without a root"
            raise ValueError(msg)
        return root

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

    # Changing a node

    def _record(self, delta: Delta, node: Node) -> Node:
        after = advance(node, delta, self._version)
        self._deltas.append((delta, self.change))
        self.overlay.put(after)
        return after

    def _checked(  # noqa: PLR0913 - a node's whole place, inside this package only
        self,
        spec: NodeSpec,
        values: Values,
        key: str,
        path: tuple[str, ...],
        above: str | None,
        *,
        is_new: bool,
    ) -> Values:
        """Return the values; `above` is the parental key that the node's place says."""
        for name, value in values.items():
            field = spec.fields.get(name)
            if name == above:
                message = f"“{name}” is the node above: that is where the node is."
                raise InvalidChangeError.of(message, key=key, field=name, path=(*path, name))
            if field is None or field.read_only or (field.fixed and not is_new):
                what = "is read-only" if field else "is not a field"
                message = f"“{name}” {what} of {spec.name}."
                raise InvalidChangeError.of(message, key=key, field=name, path=(*path, name))
            if value is None and not field.nullable:
                message = f"“{name}” can't be null."
                raise InvalidChangeError.of(message, key=key, field=name, path=(*path, name))
        return values

    def _above(self, spec: NodeSpec, node: Node) -> str | None:
        """Return the one of several parental keys that a node's place says."""
        if node.parent is None or not any(field.parental for field in spec.fields.values()):
            return None
        parent = self._cluster.nodes[self._known(node.parent).type]
        return parent.relations[node.relation or ""].parent_field

    def _resolved(self, spec: NodeSpec, key: str, values: Values) -> Values:
        """Return what a node is to hold where it refers to others by their keys, and note those."""
        named = dict(references(spec, values))
        for name in values:
            self._referring.pop((key, name), None)
            if name in named:
                self._referring[key, name] = named[name], self.change
        return by_pk(spec, values, self.overlay.node) if named else values

    def _check_reference(self, node: Node, name: str, named: str, change: int | None) -> None:
        if not is_alive(self.overlay.node, node):
            return
        target = self.overlay.node(named)
        if target is None:
            message = f"There is no node with the key “{named[:64]}” for “{name}”."
        elif target.type not in self._cluster.nodes[node.type].fields[name].nodes:
            message = f"“{named}” is a {target.type}, to which “{name}” can't refer."
        elif not is_alive(self.overlay.node, target):
            message = f"The node with the key “{named}” for “{name}” has been removed."
        else:
            return
        path = (*path_to(self.overlay.node, node), name)
        raise InvalidChangeError.of(message, key=node.key, field=name, path=path, change=change)

    def _update(self, spec: NodeSpec, node: Node, values: Values, path: tuple[str, ...]) -> Node:
        values = self._resolved(spec, node.key, values)
        after = {
            name: value
            for name, value in values.items()
            if name not in spec.fields or node.fields.get(name) != value
        }
        # A primary key that the client chooses is fixed from the first save on.
        above = self._above(spec, node)
        self._checked(spec, after, node.key, path, above, is_new=node.pk is None)
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

    def _set(self, spec: NodeSpec, name: str, path: tuple[str, ...]) -> SetSpec:
        found = spec.sets.get(name)
        if found is None:
            message = f"{spec.name} has no many-to-many “{name}”."
            raise InvalidChangeError.of(message, field=name, path=(*path, name))
        return found

    def _rows(
        self,
        members: SetSpec,
        pks: Iterable[Json],
        through: Through,
        key: str,
        path: tuple[str, ...],
    ) -> Through:
        """Return what is given of the rows of some members, checked."""
        rows = {pk: row for pk in pks if (row := through.get(pk))}
        for pk, row in rows.items():
            for name, value in row.items():
                field = members.fields.get(name)
                if field is None or field.read_only:
                    message = f"“{name}” can't be given with a member of “{members.name}”."
                elif value is None and not field.nullable:
                    message = f"“{name}” can't be null."
                else:
                    continue
                below = (*path, members.name, str(pk), name)
                raise InvalidChangeError.of(message, key=key, field=members.name, path=below)
        return rows

    def _relate(
        self,
        node: Node,
        members: SetSpec,
        will: Iterable[Json],
        through: Through,
        path: tuple[str, ...],
    ) -> None:
        """Let a set hold just some members; `through` is what is given of the new ones' rows.

        Members that are `kept` stay whatever is said: they are not named because they are not seen.
        """
        will = [*self.kept.get((node.key, members.name), ()), *will]
        was, now = (members.distinct(each) for each in (node.sets.get(members.name, ()), will))
        added = tuple(member for each, member in now.items() if each not in was)
        removed = tuple(member for each, member in was.items() if each not in now)
        rows = self._rows(members, now.values(), through, node.key, path)
        were = node.through.get(members.name, {})
        if added or removed:
            delta = Related(
                key=node.key,
                type=node.type,
                parent=node.parent,
                relation=node.relation,
                set=members.name,
                added=added,
                removed=removed,
                added_through={pk: rows[pk] for pk in added if pk in rows},
                removed_through={pk: were[pk] for pk in removed if pk in were},
            )
            self._record(delta, node)
