"""A tree of nodes: what reading and changing a draft need to know of it."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from gql_cluster.domain.node import Node

Siblings: TypeAlias = list[tuple[str, str]]
"""Rank and key of each child of one relation, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Parts of a draft that somebody is going to read.

    `keys` names nodes. `relations`, by parent and name, asks for the ranks and keys of all
    children; `families` for the children themselves as well.
    """

    keys: frozenset[str] = frozenset()
    relations: frozenset[tuple[str, str]] = frozenset()
    families: frozenset[tuple[str, str]] = frozenset()

    def __bool__(self) -> bool:
        """Tell whether anything is wanted."""
        return bool(self.keys or self.relations or self.families)


class Tree(Protocol):
    """The nodes of a draft at one version."""

    def node(self, key: str) -> Node | None:
        """Return the node, a tombstone too, or None where there never was one."""

    def is_taken(self, key: str) -> bool:
        """Tell whether a key is known to have been given out; the store knows for sure."""

    def siblings(self, parent: str, relation: str) -> Siblings:
        """Return the living children of a relation; the caller doesn't change the list."""


class Overlay:
    """A tree with changes on top of another, which stays as it is."""

    def __init__(self, below: Tree) -> None:
        """Start without changes."""
        self._below = below
        self._siblings: dict[tuple[str, str], Siblings] = {}
        self._added: set[str] = set()
        self.changed: dict[str, Node] = {}

    def node(self, key: str) -> Node | None:
        """Return the node as changed."""
        return self.changed.get(key) or self._below.node(key)

    def is_taken(self, key: str) -> bool:
        """Tell whether a key is known to have been given out."""
        return key in self.changed or self._below.is_taken(key)

    def siblings(self, parent: str, relation: str) -> Siblings:
        """Return the children as changed."""
        place = (parent, relation)
        if place not in self._siblings:
            merged = [
                sibling
                for sibling in self._stored(parent, relation)
                if sibling[1] not in self.changed
            ]
            merged += [
                (node.rank, node.key)
                for node in self.changed.values()
                if (node.parent, node.relation) == place and not node.removed
            ]
            merged.sort()
            self._siblings[place] = merged
        return self._siblings[place]

    def _stored(self, parent: str, relation: str) -> Siblings:
        return [] if parent in self._added else self._below.siblings(parent, relation)

    def add(self, node: Node) -> None:
        """Take a node that was never there."""
        self._added.add(node.key)
        self._place(None, node)

    def put(self, node: Node) -> None:
        """Take a node as it is now."""
        self._place(self.node(node.key), node)

    def _place(self, before: Node | None, node: Node) -> None:
        self.changed[node.key] = node
        if node.parent is None or node.relation is None:
            return
        siblings = self._siblings.get((node.parent, node.relation))
        if siblings is None:
            return
        if before is not None and not before.removed:
            leave(siblings, before.rank, before.key)
        if not node.removed:
            insort(siblings, (node.rank, node.key))


def leave(siblings: Siblings, rank: str, key: str) -> None:
    """Take a node out of its siblings; one that is not among them is no error."""
    index = bisect_left(siblings, (rank, key))
    if index < len(siblings) and siblings[index] == (rank, key):
        del siblings[index]


def is_alive(node_of: Callable[[str], Node | None], node: Node) -> bool:
    """Tell whether a node and every node above it are in the draft."""
    while not node.removed:
        if node.parent is None:
            return True
        above = node_of(node.parent)
        if above is None:
            return False
        node = above
    return False


def path_to(node_of: Callable[[str], Node | None], node: Node) -> tuple[str, ...]:
    """Return the path from the root to a node: relation, key, relation, key, …."""
    steps: list[str] = []
    above: Node | None = node
    while above is not None and above.parent is not None and above.relation is not None:
        steps += [above.key, above.relation]
        above = node_of(above.parent)
    return tuple(reversed(steps))
