"""Deltas: what a change set did, node by node. They can be applied, inverted and compared.

The log keeps them; events, the caches of other workers and undo all come from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from gql_cluster.domain.node import Json, Node, Through, Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A node came into the draft.

    `brought` is what was below a node that had left, and came back with it: parents first.
    """

    node: Node
    brought: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """A node left the draft, and all below it; `node` is as it was."""

    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """Some fields of a node have other values; both mappings have the same names."""

    key: str
    type: str
    parent: str | None
    relation: str | None
    before: Values
    after: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A node has another place among its siblings; ranks before and after."""

    key: str
    type: str
    parent: str | None
    relation: str | None
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """A many-to-many set of a node gained and lost some members.

    A member that is among both gets another row. What is given of the rows is beside them.
    """

    key: str
    type: str
    parent: str | None
    relation: str | None
    set: str
    added: tuple[Json, ...]
    removed: tuple[Json, ...]
    added_through: Through = field(default_factory=dict)
    removed_through: Through = field(default_factory=dict)


Delta: TypeAlias = Added | Removed | Updated | Moved | Related


def key_of(delta: Delta) -> str:
    """Return the key of the node that a delta is about."""
    return delta.node.key if isinstance(delta, Added | Removed) else delta.key


def told(deltas: Iterable[Delta]) -> Iterator[Delta]:
    """Yield deltas as clients are told of them: what a node brought back was added, too."""
    for delta in deltas:
        yield delta
        if isinstance(delta, Added):
            yield from (Added(node=node) for node in delta.brought)


def invert(delta: Delta) -> Delta:
    """Return the delta that takes back what this one did."""
    match delta:
        case Added(node=node):
            return Removed(node=node)
        case Removed(node=node):
            return Added(node=node)
        case Updated(before=old, after=new):
            return replace(delta, before=new, after=old)
        case Moved(before=low, after=high):
            return replace(delta, before=high, after=low)
        case Related():
            return replace(
                delta,
                added=delta.removed,
                removed=delta.added,
                added_through=delta.removed_through,
                removed_through=delta.added_through,
            )
        case _:
            assert_never(delta)


def advance(node: Node | None, delta: Delta, version: int) -> Node:
    """Return the node as it is after a delta; None is a node not known before.

    Raises `ValueError` for an unknown node where the delta does not bring one.
    """
    if isinstance(delta, Added | Removed):
        return replace(delta.node, version=version, removed=isinstance(delta, Removed))
    if node is None:
        msg = f"a delta of an unknown node: {delta.key}"
        raise ValueError(msg)
    match delta:
        case Updated(after=after):
            return replace(node, fields={**node.fields, **after}, version=version)
        case Moved(after=rank):
            return replace(node, rank=rank, version=version)
        case Related(set=name, added=added, removed=removed):
            kept = tuple(pk for pk in node.sets.get(name, ()) if pk not in removed)
            rows = {pk: row for pk, row in node.through.get(name, {}).items() if pk not in removed}
            through = {**node.through, name: {**rows, **delta.added_through}}
            return replace(
                node,
                sets={**node.sets, name: kept + added},
                through={each: given for each, given in through.items() if given},
                version=version,
            )
        case _:
            assert_never(delta)


def difference(before: Node | None, after: Node) -> list[Delta]:
    """Return the deltas that make `after` of `before`; empty where nothing differs."""
    was_there = before is not None and not before.removed
    if before is None or not was_there or after.removed:
        if after.removed:
            return [Removed(node=replace(before, removed=False))] if before and was_there else []
        return [Added(node=after)]
    if (before.parent, before.relation, before.type) != (after.parent, after.relation, after.type):
        return [Removed(node=before), Added(node=after)]
    names = [name for name, value in after.fields.items() if before.fields.get(name) != value]
    deltas: list[Delta] = []
    if names:
        deltas.append(
            Updated(
                key=after.key,
                type=after.type,
                parent=after.parent,
                relation=after.relation,
                before={name: before.fields.get(name) for name in names},
                after={name: after.fields[name] for name in names},
            )
        )
    if before.rank != after.rank:
        deltas.append(
            Moved(
                key=after.key,
                type=after.type,
                parent=after.parent,
                relation=after.relation,
                before=before.rank,
                after=after.rank,
            )
        )
    for name in after.sets:
        gained, lost = gained_and_lost(before, after, name)
        if gained or lost:
            deltas.append(
                Related(
                    key=after.key,
                    type=after.type,
                    parent=after.parent,
                    relation=after.relation,
                    set=name,
                    added=gained,
                    removed=lost,
                    added_through=_rows(after, name, gained),
                    removed_through=_rows(before, name, lost),
                )
            )
    return deltas


def gained_and_lost(
    before: Node, after: Node, name: str
) -> tuple[tuple[Json, ...], tuple[Json, ...]]:
    """Return the members that come into a set and that leave it; both, where the row is another."""
    was, now = before.members(name), after.members(name)
    return (
        tuple(pk for pk, row in now.items() if was.get(pk) != row),
        tuple(pk for pk, row in was.items() if now.get(pk) != row),
    )


def _rows(node: Node, name: str, members: Iterable[Json]) -> Through:
    rows = node.through.get(name, {})
    return {pk: rows[pk] for pk in members if pk in rows}
