"""Nodes taken apart: each thing about a node that has a value of its own and can be taken back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import Enum
from typing import NamedTuple, TypeAlias, assert_never

from gql_cluster.domain.delta import (
    Added,
    Delta,
    Moved,
    Related,
    Removed,
    Updated,
    difference,
    key_of,
)
from gql_cluster.domain.node import Json, Node, Through, Values


class PartKind(Enum):
    """What about a node a part is."""

    THERE = "THERE"
    RANK = "RANK"
    FIELD = "FIELD"
    MEMBER = "MEMBER"


class Part(NamedTuple):
    """One thing about a node: that it is there, its rank, a field, or that a set has a member.

    `name` is the field's or the set's. The value of the first kind is a boolean; of the last it
    is False, or what `Node.members` has.
    """

    kind: PartKind
    name: str = ""
    member: Json = None


THERE = Part(PartKind.THERE)
RANK = Part(PartKind.RANK)

Parts: TypeAlias = dict[Part, Json]
Step: TypeAlias = tuple[Json, Json]
"""The value of a part before and after."""


def take_apart(node: Node) -> Parts:
    """Return the value of each part of a node; members that are not in a set are not named."""
    return {
        THERE: not node.removed,
        RANK: node.rank,
        **{Part(PartKind.FIELD, name): value for name, value in node.fields.items()},
        **{
            Part(PartKind.MEMBER, name, pk): row
            for name in node.sets
            for pk, row in node.members(name).items()
        },
    }


def put_together(node: Node, values: Parts) -> Node:
    """Return the node with these values of its parts."""
    fields: dict[str, Json] = {}
    sets: dict[str, list[Json]] = {name: [] for name in node.sets}
    through: dict[str, dict[Json, Values]] = {}
    for part, value in values.items():
        if part.kind is PartKind.FIELD:
            fields[part.name] = value
        elif part.kind is PartKind.MEMBER and value:
            sets.setdefault(part.name, []).append(part.member)
            if isinstance(value, dict):
                through.setdefault(part.name, {})[part.member] = value
    return replace(
        node,
        rank=str(values[RANK]),
        fields=fields,
        sets={name: tuple(pks) for name, pks in sets.items()},
        removed=not values[THERE],
        through=through,
    )


def value_of(values: Parts, part: Part) -> Json:
    """Return the value of a part, which may be a member that is not in its set."""
    return values.get(part, False if part.kind is PartKind.MEMBER else None)


def steps(delta: Delta) -> Iterator[tuple[Part, Step]]:
    """Yield what a delta did to each part of its node."""
    match delta:
        case Added():
            yield THERE, (False, True)
        case Removed():
            yield THERE, (True, False)
        case Updated(before=before, after=after):
            for name, value in after.items():
                yield Part(PartKind.FIELD, name), (before[name], value)
        case Moved(before=low, after=high):
            yield RANK, (low, high)
        case Related(set=name, added=added, removed=removed):
            # One with another row leaves and comes.
            for pk in removed:
                yield Part(PartKind.MEMBER, name, pk), (_row(delta.removed_through, pk), False)
            for pk in added:
                yield Part(PartKind.MEMBER, name, pk), (False, _row(delta.added_through, pk))
        case _:
            assert_never(delta)


def _row(through: Through, member: Json) -> Json:
    return dict(through[member]) if member in through else True


def net(deltas: Iterable[Delta]) -> dict[str, dict[Part, Step]]:
    """Return what deltas did all in all to each part of each node, the last touched node last."""
    done: dict[str, dict[Part, Step]] = {}
    gone: dict[str, Node] = {}
    for delta in deltas:
        key = key_of(delta)
        parts = done[key] = done.pop(key, {})
        for part, (before, after) in (*steps(delta), *_changed_meanwhile(delta, gone.get(key))):
            parts[part] = (parts[part][0] if part in parts else before, after)
        if isinstance(delta, Removed):
            gone[key] = delta.node
    return done


def _changed_meanwhile(delta: Delta, gone: Node | None) -> Iterator[tuple[Part, Step]]:
    """Yield what differs in a node that comes back; among other siblings no rank is comparable."""
    if isinstance(delta, Added) and gone is not None:
        is_elsewhere = (delta.node.parent, delta.node.relation) != (gone.parent, gone.relation)
        back = replace(delta.node, parent=gone.parent, relation=gone.relation, type=gone.type)
        for change in difference(gone, back):
            if not (is_elsewhere and isinstance(change, Moved)):
                yield from steps(change)
