"""What a cluster consists of: node types, their fields, child relations and sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ROOT_KEY = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One stored field of a node.

    `nullable` tells whether a draft may hold null in it: where the database does, and where
    the database requires a value that the draft may lack as yet. `target` is the label of
    the model that a foreign key points to. `read_only` fields are never taken from a client,
    `fixed` ones only until the node is saved.
    """

    name: str
    nullable: bool
    read_only: bool = False
    fixed: bool = False
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationSpec:
    """A child relation: the children live and die with their parent.

    `parent_field` is the child's `ParentalKey`. `order_field` is the child's field that holds
    its place among its siblings; None where the relation keeps no order of its own. A commit
    takes no fewer children than `min_num` and no more than `max_num`.
    """

    name: str
    child: str
    parent_field: str
    order_field: str | None = None
    min_num: int = 0
    max_num: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSpec:
    """A parental many-to-many: a set of objects outside of the cluster. `target` is their label."""

    name: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One type of node. `name` is unique within the cluster; `label` is the model's."""

    name: str
    label: str
    fields: Mapping[str, FieldSpec]
    relations: Mapping[str, RelationSpec]
    sets: Mapping[str, SetSpec]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """A whole cluster; `nodes` holds its node types by name, the root's among them."""

    root: str
    nodes: Mapping[str, NodeSpec]
