"""A node: one object of a cluster as a draft holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Values: TypeAlias = Mapping[str, Json]
Through: TypeAlias = Mapping[Json, Values]
"""What is given of the rows between a node and members of one set, by member; never nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One object of a cluster.

    Values are JSON as the field's codec writes them. `rank` orders siblings, as a string.
    `version` is the draft's version that last touched the node, 0 when none did. A removed
    node stays as a tombstone, so that its key is never given to another; what is below it is
    untouched and dead with it. `through` has, by set, what is given of the rows of members that
    the draft adds; what is saved of a row is not in it.
    """

    key: str
    type: str
    pk: Json
    parent: str | None
    relation: str | None
    rank: str
    fields: Values
    sets: Mapping[str, tuple[Json, ...]]
    version: int = 0
    removed: bool = False
    through: Mapping[str, Through] = field(default_factory=dict)

    def saved_as(self, pk: Json) -> Node:
        """Return the node with a primary key; written out, because a commit gives thousands."""
        return Node(
            key=self.key,
            type=self.type,
            pk=pk,
            parent=self.parent,
            relation=self.relation,
            rank=self.rank,
            fields=self.fields,
            sets=self.sets,
            version=self.version,
            removed=self.removed,
            through=self.through,
        )

    def members(self, name: str) -> dict[Json, Json]:
        """Return the members of a set, each with what is given of its row; True for nothing.

        Where that is another, the row is another.
        """
        through = self.through.get(name, {})
        return {pk: dict(through[pk]) if pk in through else True for pk in self.sets.get(name, ())}
