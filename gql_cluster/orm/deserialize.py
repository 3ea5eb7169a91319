"""From modelcluster's `serializable_data()` to changes of a draft; what does not resolve is told.

modelcluster's own `from_serializable_data` asks the database for each foreign key, and drops what
is not there. Here it is a query a field, and everything that is wrong is reported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from django.core.exceptions import ValidationError
from modelcluster.fields import ParentalKey
from modelcluster.models import get_serializable_data_for_fields

from gql_cluster.domain.change import (
    Change,
    EditNode,
    End,
    MoveNode,
    NewNode,
    ReplaceNodes,
    ReplaceSet,
    SetFields,
)
from gql_cluster.domain.error import ErrorCode, InvalidChangeError, Problem
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.spec import ROOT_KEY, NodeSpec, RelationSpec
from gql_cluster.orm.codec import defaults, pk_field
from gql_cluster.orm.describe import Cluster
from gql_cluster.orm.given import given_value, is_filled_at_save, is_made_anew
from gql_cluster.orm.instance import set_values
from gql_cluster.orm.load import decode_pk
from gql_cluster.orm.outside import Outside
from gql_cluster.orm.serialize import KIND, as_json, kind_in
from gql_cluster.orm.sets import members_of, set_behind, tag_names_of


def root_pk(cluster: Cluster, data: object) -> Json:
    """Return the primary key in the JSON of a root, None for that of a new cluster.

    Raises `InvalidChangeError` for what is no JSON of one.
    """
    reader = _Reader(cluster, ())
    pk = reader.pk(_At(type_name=cluster.name, key=ROOT_KEY), data)
    reader.refuse()
    return pk


def read_new(cluster: Cluster, data: object) -> NewNode:
    """Return the root of a new cluster. Raises `InvalidChangeError`, with all that is wrong."""
    reader = _Reader(cluster, ())
    reader.look_up_tags(data)
    at = _At(type_name=cluster.name, key=ROOT_KEY)
    pk = reader.pk(at, data)
    if pk is not None:
        reader.choose(at, pk)
    return reader.root(at, data, None, pk)


def read_saved(cluster: Cluster, data: object, base: Sequence[Node]) -> list[Change]:
    """Return what makes a saved cluster what the JSON says; `base` are its nodes, root first.

    What the JSON does not name stays as it is. Raises `InvalidChangeError`, with all that is
    wrong.
    """
    reader = _Reader(cluster, base)
    reader.look_up_tags(data)
    root = reader.root(_At(type_name=cluster.name, key=ROOT_KEY), data, base[0], base[0].pk)
    return [
        *reader.moves,
        *([SetFields(values=root.values)] if root.values else ()),
        *(ReplaceSet(name=name, pks=pks) for name, pks in root.sets.items()),
        *(ReplaceNodes(relation=name, nodes=nodes) for name, nodes in root.children.items()),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _At:
    """A node in the JSON; `path` leads to it, through new children by their index.

    `line` leads to it by relation and key; it is of use where all above are saved.
    """

    type_name: str
    key: str | None
    parent: Json = None
    path: tuple[str, ...] = ()
    line: tuple[tuple[str, str], ...] = ()
    relation: RelationSpec | None = None


@dataclass
class _Reader:
    cluster: Cluster
    base: Sequence[Node]
    moves: list[Change] = field(default_factory=list)
    _problems: list[Problem] = field(default_factory=list)
    _outside: Outside[_At] = field(default_factory=Outside)
    _below: dict[tuple[str, str], list[Node]] = field(default_factory=lambda: defaultdict(list))
    # Children that are listed by a parental key which is not that of their place; those in place.
    _again: list[tuple[_At, Json]] = field(default_factory=list)
    _placed: set[tuple[str, Json]] = field(default_factory=set)
    _tag_names: dict[tuple[str, str], dict[str, Json]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in self.base:
            if node.parent is not None and node.relation is not None:
                self._below[node.parent, node.relation].append(node)

    def refuse(self) -> None:
        """Raise what has been found wrong."""
        if self._problems:
            raise InvalidChangeError(*self._problems)

    def root(self, at: _At, data: object, base: Node | None, pk: Json) -> NewNode:
        """Read the root with all below it; raises what has been found wrong."""
        if kind_in(self.cluster, at.type_name, data) != at.type_name:
            self._wrong_kind(at, data)
        found = self.node(at, data, base, pk)
        self.check_outside()
        self.refuse()
        return found

    def node(self, at: _At, data: object, base: Node | None, pk: Json) -> NewNode:
        """Read one node with all below it: of a saved one what differs, of a new one all."""
        values: dict[str, Json] = {}
        made: dict[str, Json] = {}
        children: dict[str, tuple[NewNode, ...]] = {}
        sets: dict[str, tuple[Json, ...]] = {}
        spec, model = self.cluster.spec.nodes[at.type_name], self.cluster.models[at.type_name]
        if base is None:
            known = defaults(model)
            made = {name: known[name] for name in spec.fields if name in known}
            if pk is not None and (name := pk_field(model).name) in spec.fields:
                made[name] = pk
        was = self._serialized(base) if base is not None else {}
        for name, value in data.items() if isinstance(data, dict) else ():
            if name in {"pk", KIND} or (base is not None and name in was and was[name] == value):
                continue
            if name in spec.relations:
                children[name] = self._children(at, spec.relations[name], value, base, pk)
            elif name in spec.sets:
                sets[name] = self._members(at, name, value, base)
            elif (tags := set_behind(model, name)) is not None:
                sets.setdefault(tags, self._tagged(at, name, tags, value))
            elif name in spec.fields and not (at.relation and at.relation.parent_field == name):
                self._field(at, name, value, base, made if base is None else values)
            else:
                self._other(at, name, value)
        if base is None:
            # What a client may not set has been checked, and is the model's.
            values = {n: v for n, v in made.items() if _is_writable(spec, n)}
        return NewNode(
            key=base.key if base is not None and at.relation is not None else None,
            type=at.type_name if at.relation is not None else None,
            values=values,
            defaults=made,
            children=children,
            sets=sets,
        )

    # Fields

    def _serialized(self, base: Node) -> Mapping[str, Json]:
        """Return what modelcluster writes for the fields of a saved node."""
        model = self.cluster.models[base.type]
        instance = model(pk=decode_pk(model, base.pk))
        set_values(instance, base.fields)
        data: Mapping[str, Json] = as_json(get_serializable_data_for_fields(instance))
        return {name: value for name, value in data.items() if name in base.fields}

    def _field(
        self, at: _At, name: str, value: Json, base: Node | None, values: dict[str, Json]
    ) -> None:
        model = self.cluster.models[at.type_name]
        column: Any = model._meta.get_field(name)
        spec = self.cluster.spec.nodes[at.type_name].fields[name]
        is_place = at.relation is not None and name == at.relation.order_field
        if column.primary_key:
            self._wrong(at, "A primary key is given as “pk”.", name)
            return
        if is_filled_at_save(column, is_new=base is None):
            return
        try:
            given = given_value(column, value)
        except ValidationError as exc:
            self._wrong(at, " ".join(exc.messages), name)
            return
        if is_place or (spec.read_only and base is not None):
            return  # the draft keeps the place and numbers anew, and no draft changes the other
        was = base.fields.get(name) if base is not None else values.get(name)
        if given == was:
            return
        if given is None and not spec.nullable:
            self._wrong(at, f"“{name}” can't be null.", name)
        elif spec.read_only:
            if not is_made_anew(column):  # else the new node gets one of its own
                message = f"“{name}” of {at.type_name} is read-only, and is not {given!r}."
                self._wrong(at, message, name)
        else:
            values[name] = given
            if spec.target is not None and given is not None:
                self._outside.refer(at, column, given)

    def _other(self, at: _At, name: str, value: Json) -> None:
        """Take a name that is none of a node's own: a parental key, which its place says, too.

        The link to the row of a second model that is inherited from is as the primary key is.
        """
        name, model = name[:64], self.cluster.models[at.type_name]
        column: Any = next((c for c in model._meta.concrete_fields if c.name == name), None)
        if column is not None and getattr(column.remote_field, "parent_link", False):
            return
        if not isinstance(column, ParentalKey):
            self._wrong(at, f"“{name}” is neither a field nor a relation of {at.type_name}.", name)
            return
        if at.relation is None or at.relation.parent_field != name or value is None:
            return
        if not column.target_field.primary_key:
            return  # what it refers to is the node above's to say
        try:
            parent = given_value(column, value)
        except ValidationError:
            parent = value
        if parent != at.parent:
            self._wrong(at, f"“{name}” is {value!r}, and not the node above.", name)

    # Sets

    def _members(self, at: _At, name: str, value: Json, base: Node | None) -> tuple[Json, ...]:
        model = self.cluster.models[at.type_name]
        column: Any = model._meta.get_field(name)
        if self.cluster.spec.nodes[at.type_name].sets[name].target is None:
            return self._tags(at, name, value)
        target = pk_field(column.related_model)
        if not isinstance(value, list):
            self._wrong(at, f"“{name}” takes a list of primary keys.", name)
            return ()
        was = base.sets.get(name, ()) if base is not None else ()
        found: list[Json] = []
        for each in value:
            try:
                pk = given_value(target, each)
            except ValidationError:
                pk = None
            if pk is None:
                self._wrong(at, f"{str(each)[:64]!r} can't be a primary key of “{name}”.", name)
            elif pk not in was:
                self._outside.refer(at, column, pk)
            found.append(pk)
        return tuple(dict.fromkeys(found))

    def _tags(self, at: _At, name: str, value: Json) -> tuple[Json, ...]:
        members = members_of(self.cluster.models[at.type_name], name)
        if not isinstance(value, list):
            self._wrong(at, f"“{name}” takes a list of names.", name)
            return ()
        found: list[Json] = []
        for each in value:
            try:
                found.append(members.parse(str(each)))
            except ValidationError as exc:
                self._wrong(at, " ".join(exc.messages), name)
        return tuple(dict.fromkeys(found))

    def look_up_tags(self, data: object) -> None:
        """Look up the tags that rows lead to, in a query a set."""
        found: dict[tuple[str, str], list[Json]] = defaultdict(list)
        self._collect_tags(self.cluster.name, data, found)
        for (type_name, name), pks in found.items():
            names = tag_names_of(self.cluster.models[type_name], name, pks)
            self._tag_names[type_name, name] = dict(zip(map(str, pks), names, strict=True))

    def _collect_tags(
        self, type_name: str, data: object, found: dict[tuple[str, str], list[Json]]
    ) -> None:
        spec, model = self.cluster.spec.nodes[type_name], self.cluster.models[type_name]
        for name, value in data.items() if isinstance(data, dict) else ():
            rows = value if isinstance(value, list) else []
            if name in spec.relations:
                for each in rows:
                    kind = kind_in(self.cluster, spec.relations[name].child, each)
                    if kind is not None:
                        self._collect_tags(kind, each, found)
            elif name not in spec.sets and (tags := set_behind(model, name)) is not None:
                found[type_name, tags] += [row.get("tag") for row in rows if isinstance(row, dict)]

    def _tagged(self, at: _At, accessor: str, name: str, value: Json) -> tuple[Json, ...]:
        """Read the rows between a node and its tags, as modelcluster writes them."""
        rows = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
        known = self._tag_names.get((at.type_name, name), {})
        names = [known.get(str(row.get("tag"))) for row in rows]
        if not isinstance(value, list) or len(rows) < len(value) or None in names:
            self._wrong(at, f"“{accessor}” takes rows with the primary keys of tags.", accessor)
        return tuple(dict.fromkeys(each for each in names if each is not None))

    # Children

    def _children(
        self, at: _At, relation: RelationSpec, value: Json, base: Node | None, parent: Json
    ) -> tuple[NewNode, ...]:
        if not isinstance(value, list):
            self._wrong(at, f"“{relation.name}” takes a list of children.", relation.name)
            return ()
        here = {
            node.pk: node
            for node in (self._below[base.key, relation.name] if base is not None else ())
        }
        order = _order(relation, value)
        found: list[NewNode] = []
        seen: set[Json] = set()
        for index in order:
            each = value[index]
            child = _At(
                type_name=relation.child,
                key=None,
                path=(*at.path, relation.name, str(index)),
                relation=relation,
                parent=parent,
            )
            pk = self.pk(child, each)
            if self._is_listed_again(child, pk):
                continue
            saved = here.get(pk) if pk is not None else None
            kind = kind_in(self.cluster, relation.child, each)
            named = each.get(KIND) if isinstance(each, dict) else None
            if saved is not None and named is None:
                kind = saved.type
            if kind is None or (saved is not None and saved.type != kind):
                self._wrong_kind(child, each)
                continue
            child = replace(child, type_name=kind)
            if pk is not None and pk in seen:
                self._wrong(child, f"The primary key {pk!r} is given twice.", "pk")
            elif saved is not None:
                child = replace(
                    child,
                    key=saved.key,
                    path=(*at.path, relation.name, saved.key),
                    line=(*at.line, (relation.name, saved.key)),
                )
            elif pk is not None:
                self.choose(child, pk)
            seen.add(pk)
            found.append(self.node(child, each, saved, pk))
        if base is not None:
            self._renumber(at, relation, [value[index] for index in order], found, here)
        return tuple(found)

    def _is_listed_again(self, at: _At, pk: Json) -> bool:
        """Tell whether a child is in a list by a parental key that is not the one of its place."""
        relation = at.relation
        if relation is None or not self.cluster.spec.is_shared(relation):
            return False
        if (base := self._shared.get((at.type_name, pk))) is None:
            return False
        is_its_own = relation.parent_field not in base.fields
        if is_its_own:
            self._placed.add((at.type_name, pk))
        else:
            self._again.append((at, pk))
        return not is_its_own

    @cached_property
    def _shared(self) -> Mapping[tuple[str, Json], Node]:
        """The saved nodes that several lists may hold, by type and primary key."""
        nodes = self.cluster.spec.nodes
        kinds = {n for n, spec in nodes.items() if any(f.parental for f in spec.fields.values())}
        return {(node.type, node.pk): node for node in self.base if node.type in kinds}

    def _renumber(
        self,
        at: _At,
        relation: RelationSpec,
        given: Sequence[Any],
        nodes: Sequence[NewNode],
        here: Mapping[Json, Node],
    ) -> None:
        """Number children from 1 that stand in their order, where the JSON does and they do not.

        So a draft comes back in which one was moved, and moved back.
        """
        name = relation.order_field
        kept = [node for node in here.values() if any(node.key == new.key for new in nodes)]
        if name is None or not kept:
            return
        counted = [each.get(name) for each in given if isinstance(each, dict)]
        numbers = [node.fields.get(name) for node in kept]
        if counted == [*range(1, len(nodes) + 1)] and counted[: len(kept)] != numbers:
            move: Change = MoveNode(relation=relation.name, key=kept[0].key, place=End.LAST)
            for step, key in reversed(at.line):
                move = EditNode(relation=step, key=key, changes=(move,))
            self.moves.append(move)

    # What is not in the cluster

    def pk(self, at: _At, data: object) -> Json:
        """Return the primary key in the JSON of a node; None where it has none, or a wrong one."""
        if not isinstance(data, dict):
            self._wrong(at, f"{str(data)[:64]!r} is no {at.type_name}: it takes an object.")
            return None
        value = data.get("pk")
        try:
            return given_value(pk_field(self.cluster.models[at.type_name]), value)
        except ValidationError as exc:
            self._wrong(at, " ".join(exc.messages), "pk")
            return None

    def choose(self, at: _At, pk: Json) -> None:
        """Take a primary key that no node of the cluster has: a new one, if it can be chosen."""
        model = self.cluster.models[at.type_name]
        if pk_field(model).name in self.cluster.spec.nodes[at.type_name].fields:
            self._outside.choose(at, model, pk)
        else:
            self._unresolved(at, pk)

    def _unresolved(self, at: _At, pk: Json) -> None:
        name = self.cluster.models[at.type_name]._meta.verbose_name
        where = f" in “{at.relation.name}” here" if at.relation else ""
        self._wrong(at, f"There is no {name} with the primary key {pk!r}{where}.", "pk")

    def check_outside(self) -> None:
        """Look up what the JSON refers to or names anew."""
        for at, missing in self._outside.dangling():
            name = missing.target._meta.verbose_name
            message = f"There is no {name} with the key {missing.value!r}."
            self._wrong(at, message, missing.field.name)
        for at, pk in self._outside.taken():  # by another cluster, or below another parent
            self._unresolved(at, pk)
        for at, pk in self._again:
            if (at.type_name, pk) not in self._placed:
                self._unresolved(at, pk)

    def _wrong_kind(self, at: _At, data: object) -> None:
        named = data.get(KIND) if isinstance(data, dict) else None
        self._wrong(at, f"“{KIND}” is not what that is: {str(named)[:64]!r}.")

    def _wrong(self, at: _At, message: str, name: str | None = None) -> None:
        self._problems.append(
            Problem(
                code=ErrorCode.INVALID_CHANGE,
                message=message,
                key=at.key,
                field=name,
                path=at.path if name is None else (*at.path, name),
            )
        )


def _order(relation: RelationSpec, given: Sequence[Any]) -> list[int]:
    """Return the order of children by index: by their numbers, where each has one."""
    name = relation.order_field
    numbers = {
        index: each[name]
        for index, each in enumerate(given)
        if isinstance(each, dict) and type(each.get(name)) is int
    }
    if len(numbers) < len(given):
        return [*range(len(given))]
    return sorted(numbers, key=numbers.__getitem__)


def _is_writable(spec: NodeSpec, name: str) -> bool:
    return not spec.fields[name].read_only
