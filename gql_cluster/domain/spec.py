"""What a cluster consists of: node types, their fields, child relations and sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gql_cluster.domain.node import Json, Node

ROOT_KEY = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One stored field of a node.

    `nullable` tells whether a draft may hold null in it: where the database does, and where
    the database requires a value that the draft may lack as yet. `target` is the label of
    the model that a foreign key points to, and `nodes` are the node types of this cluster that
    are of that model: to these it may refer by their key in the draft. `holds_pk` tells whether
    it holds its target's primary key, and no other field of it. `read_only` fields are never
    taken from a client, `fixed` ones only until the node is saved. A type with several parental
    keys has them all as fields, which are `parental`; the one by which a node is in its relation
    is not among what that node holds.
    """

    name: str
    nullable: bool
    read_only: bool = False
    fixed: bool = False
    target: str | None = None
    nodes: frozenset[str] = frozenset()
    holds_pk: bool = True
    parental: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationSpec:
    """A child relation: the children live and die with their parent.

    Each is a `child`, or a kind of it. `parent_field` is the child's `ParentalKey`. `order_field`
    is the child's field that holds its place among its siblings, the first one's `first_number`;
    None where the relation keeps no order of its own. A commit takes no fewer children than
    `min_num` and no more than `max_num`.
    """

    name: str
    child: str
    parent_field: str
    order_field: str | None = None
    first_number: int = 1
    min_num: int = 0
    max_num: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSpec:
    """A many-to-many: a set of objects outside of the cluster, or tags.

    `target` is the label of the objects' model, and primary keys are the members; None for
    tags, whose members are their names. With `ignores_case` names are one that differ in that
    alone. `fields` are those of the rows between that may be given with a new member; with
    `is_bare` False one has to be.
    """

    name: str
    target: str | None
    ignores_case: bool = False
    fields: Mapping[str, FieldSpec] = field(default_factory=dict)
    is_bare: bool = True

    def distinct(self, members: Iterable[Json]) -> dict[Json, Json]:
        """Return members by what tells them apart: of those that are one, the first."""
        found: dict[Json, Json] = {}
        for member in members:
            is_folded = self.ignores_case and isinstance(member, str)
            found.setdefault(str(member).casefold() if is_folded else member, member)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One type of node. `name` is unique within the cluster; `label` is the model's.

    `bases` are the node types that it is a kind of: those whose model its own inherits. `refers`
    are the fields that may refer to nodes of the cluster.
    """

    name: str
    label: str
    fields: Mapping[str, FieldSpec]
    relations: Mapping[str, RelationSpec]
    sets: Mapping[str, SetSpec]
    bases: tuple[str, ...] = ()
    refers: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find out once what is asked of every node."""
        names = tuple(name for name, each in self.fields.items() if each.nodes)
        object.__setattr__(self, "refers", names)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """A whole cluster; `nodes` holds its node types by name, the root's among them."""

    root: str
    nodes: Mapping[str, NodeSpec]

    def is_kind(self, name: str, of: str) -> bool:
        """Tell whether a node type is another one, or a kind of it."""
        return name == of or of in self.nodes[name].bases

    def kinds(self, name: str) -> tuple[str, ...]:
        """Return a node type, and those that are a kind of it."""
        return tuple(each for each in self.nodes if self.is_kind(each, name))

    def identity(self, node: Node) -> tuple[str, Json]:
        """Return what tells saved nodes apart, whatever kind a row has become meanwhile."""
        bases = self.nodes[node.type].bases
        return next((each for each in bases if not self.nodes[each].bases), node.type), node.pk

    def is_shared(self, relation: RelationSpec) -> bool:
        """Tell whether nodes of other relations may refer to a parent by the same key."""
        return any(
            relation.parent_field in self.nodes[kind].fields for kind in self.kinds(relation.child)
        )
