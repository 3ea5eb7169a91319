"""Changes: what a client asks to be staged. Values are already encoded as nodes hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from gql_cluster.domain.node import Json, Through, Values


class End(Enum):
    """An end of an ordered relation."""

    FIRST = "FIRST"
    LAST = "LAST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The place right before a sibling."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """The place right behind a sibling."""

    key: str


Place: TypeAlias = Before | After | End


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNode:
    """A node to add, with everything below it.

    `type` is its node type; None for the relation's own, and not one of its kinds.
    `position` counts from 0 among the siblings; None appends. `defaults` are the model's, for
    the fields that `values` leaves out. `through` is as a node has it.
    """

    key: str | None = None
    type: str | None = None
    values: Values = field(default_factory=dict)
    defaults: Values = field(default_factory=dict, repr=False, compare=False)
    position: int | None = None
    children: Mapping[str, tuple[NewNode, ...]] = field(default_factory=dict)
    sets: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    through: Mapping[str, Through] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFields:
    """Give some fields of the node itself new values."""

    values: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class AddNodes:
    """Add children to a relation."""

    relation: str
    nodes: tuple[NewNode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateNode:
    """Give some fields of a child new values."""

    relation: str
    key: str
    values: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveNodes:
    """Remove children, and all that is below them."""

    relation: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveNode:
    """Give a child another place among its siblings."""

    relation: str
    key: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceNodes:
    """Make the relation hold just these, in this order.

    A node whose key is there already is kept and updated, and what is given of its own
    relations and sets replaces them likewise.
    """

    relation: str
    nodes: tuple[NewNode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearNodes:
    """Remove every child of a relation."""

    relation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EditNode:
    """Change a child that is a cluster itself, and what is below it."""

    relation: str
    key: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfKind:
    """Change the node itself, if it is of a node type or a kind of that."""

    type: str
    change: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class AddToSet:
    """Add objects to a many-to-many; one that is there already stays as it is.

    `values` are what the rows between are to hold.
    """

    name: str
    pks: tuple[Json, ...]
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFromSet:
    """Take objects out of a many-to-many; one that is not there is no error."""

    name: str
    pks: tuple[Json, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceSet:
    """Make a many-to-many hold just these objects; `values` are for those that are new in it."""

    name: str
    pks: tuple[Json, ...]
    values: Values = field(default_factory=dict)


Change: TypeAlias = (
    SetFields
    | AddNodes
    | UpdateNode
    | RemoveNodes
    | MoveNode
    | ReplaceNodes
    | ClearNodes
    | EditNode
    | OfKind
    | AddToSet
    | RemoveFromSet
    | ReplaceSet
)
