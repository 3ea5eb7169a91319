"""Three sides of a cluster: its base, what is saved now, and the draft; where two disagree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gql_cluster.domain.error import Conflict, ConflictKind
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What is saved now of the nodes that a commit touches, by key; what is gone is missing.

    `below` holds all that is below each removed node, by that node's key, as (base, now).
    `siblings` holds the numbers of the siblings of each reordered relation, as (base, now),
    by primary key, where the commit will number them anew.
    """

    nodes: Mapping[str, Node]
    below: Mapping[str, tuple[Mapping[str, Node], Mapping[str, Node]]]
    siblings: Mapping[tuple[str, str], tuple[Mapping[Json, Json], Mapping[Json, Json]]]


def find_conflicts(
    plan: Plan, saved: Saved, path_of: Callable[[str], tuple[str, ...]]
) -> list[Conflict]:
    """Return all that a commit would overwrite of what others saved since the base.

    What only one side changed is no conflict, nor what both changed alike; members of
    many-to-many sets never are.
    """
    return [
        *_gone(plan, saved, path_of),
        *_fields(plan, saved, path_of),
        *_removed(plan, saved, path_of),
        *_orders(saved, path_of),
    ]


def _gone(
    plan: Plan, saved: Saved, path_of: Callable[[str], tuple[str, ...]]
) -> Iterator[Conflict]:
    for key in dict.fromkeys((*plan.ancestors, *plan.updated)):
        if key not in saved.nodes:
            yield Conflict(kind=ConflictKind.DELETED, key=key, path=path_of(key))


def _fields(
    plan: Plan, saved: Saved, path_of: Callable[[str], tuple[str, ...]]
) -> Iterator[Conflict]:
    for key, (base, mine) in plan.updated.items():
        now = saved.nodes.get(key)
        if now is None:
            continue
        for name, value in mine.fields.items():
            was, theirs = base.fields.get(name), now.fields.get(name)
            if value != was and theirs not in (was, value):
                yield Conflict(
                    kind=ConflictKind.FIELD,
                    key=key,
                    path=(*path_of(key), name),
                    field=name,
                    base=was,
                    theirs=theirs,
                    mine=value,
                )


def _removed(
    plan: Plan, saved: Saved, path_of: Callable[[str], tuple[str, ...]]
) -> Iterator[Conflict]:
    for key, base in plan.removed.items():
        now = saved.nodes.get(key)
        if now is None:
            continue
        were, are = saved.below.get(key, ({}, {}))
        if (
            not _same(base, now)
            or were.keys() != are.keys()
            or any(not _same(node, are[below]) for below, node in were.items())
        ):
            yield Conflict(kind=ConflictKind.CHANGED, key=key, path=path_of(key))


def _orders(saved: Saved, path_of: Callable[[str], tuple[str, ...]]) -> Iterator[Conflict]:
    for (parent, relation), (base, now) in saved.siblings.items():
        if base != now:
            yield Conflict(
                kind=ConflictKind.ORDER,
                key=parent,
                path=(*path_of(parent), relation),
                field=relation,
            )


def _same(one: Node, other: Node) -> bool:
    return one.fields == other.fields and {n: set(p) for n, p in one.sets.items()} == {
        n: set(p) for n, p in other.sets.items()
    }
