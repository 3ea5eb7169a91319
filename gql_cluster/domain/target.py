"""Reaching a target: the deltas that make nodes of a draft what they are to be."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from gql_cluster.domain.carry import brought
from gql_cluster.domain.delta import (
    Added,
    Delta,
    Moved,
    Removed,
    advance,
    difference,
    key_of,
)
from gql_cluster.domain.draft import Entry
from gql_cluster.domain.editor import Applied
from gql_cluster.domain.node import Node
from gql_cluster.domain.rank import rank_between
from gql_cluster.domain.tree import Overlay, Siblings, Tree, Want

_HIGHEST = "\U0010ffff"


def reach(
    tree: Tree, targets: Mapping[str, Node], *, new: AbstractSet[str], version: int, tail: int
) -> Applied:
    """Return what makes nodes of the tree the targets, which have their keys and places.

    A node that finds its rank taken comes right behind the sibling that has it. A node that is
    removed and `new` needs no delta of its own where the one above it goes too.
    """
    overlay = Overlay(tree)
    placed = [node for node in targets.values() if _comes(known(tree, node.key), node)]
    for node in placed:
        # Asked for while nothing has changed, so that each relation is sorted once.
        overlay.siblings(*_place(node))
    for node in targets.values():
        overlay.put(node)
    for node in placed:
        rank = _free_rank(overlay.siblings(*_place(node)), node)
        if rank != node.rank:
            overlay.put(replace(node, rank=rank))
    deltas: list[Delta] = []
    nodes: dict[str, Node] = {}
    for key, target in overlay.changed.items():
        above = overlay.changed.get(target.parent or "")
        if target.removed and key in new and above is not None and above.removed:
            continue
        node = known(tree, key)
        for delta in _way(node, target):
            deltas.append(delta)
            node = nodes[key] = advance(node, delta, version)
    return Applied(deltas=tuple(deltas), changes=(None,) * len(deltas), nodes=nodes, tail=tail)


def known(tree: Tree, key: str) -> Node:
    """Return a node that the log says was there."""
    node = tree.node(key)
    if node is None:
        msg = f"a node that was there is gone: {key}"
        raise ValueError(msg)
    return node


def born(entries: Iterable[Entry]) -> set[str]:
    """Return the keys that entries have given out; a node that comes back has an older version."""
    return {
        delta.node.key
        for entry in entries
        for delta in entry.deltas
        if isinstance(delta, Added) and delta.node.version == entry.version
    }


def needs_of(deltas: Iterable[Delta], later: Iterable[Entry]) -> Want:
    """Return which parts of a draft taking back deltas looks at, besides what is above `keys`."""
    keys: set[str] = set()
    relations: set[tuple[str, str]] = set()
    for delta in deltas:
        keys.add(key_of(delta))
        if isinstance(delta, Removed) and delta.node.parent is not None:
            relations.add(_place(delta.node))
        elif isinstance(delta, Moved):
            relations.add((delta.parent or "", delta.relation or ""))
    # Others may have put a node below another parent since.
    for node in brought(later):
        if node.key in keys and node.parent is not None:
            keys.add(node.parent)
            relations.add(_place(node))
    return Want(keys=frozenset(keys), relations=frozenset(relations))


def _place(node: Node) -> tuple[str, str]:
    return node.parent or "", node.relation or ""


def _comes(now: Node, target: Node) -> bool:
    """Tell whether a node comes to another place, or back to its own."""
    if target.parent is None or target.removed:
        return False
    return now.removed or now.rank != target.rank


def _free_rank(siblings: Siblings, node: Node) -> str:
    first = bisect_left(siblings, (node.rank, ""))
    behind = bisect_left(siblings, (node.rank, _HIGHEST))
    if behind - first <= 1:
        return node.rank
    return rank_between(node.rank, siblings[behind][0] if behind < len(siblings) else None)


def _way(now: Node, target: Node) -> list[Delta]:
    """Return the deltas from one to the other: none of those that add or remove changes a node."""
    was, will = replace(now, removed=False), replace(target, removed=False)
    if (was.parent, was.relation) != (will.parent, will.relation):
        was = replace(was, parent=will.parent, relation=will.relation, rank=will.rank)
    if now.removed and target.removed:
        return []
    came: list[Delta] = [Added(node=was)] if now.removed else []
    went: list[Delta] = [Removed(node=will)] if target.removed else []
    return [*came, *difference(was, will), *went]
