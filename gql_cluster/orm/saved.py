"""What is saved now of the nodes that a commit touches, locked until its transaction ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import F, Max, Model, QuerySet

from gql_cluster.domain.merge import Saved
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.plan import Plan
from gql_cluster.domain.positions import keeps_numbers
from gql_cluster.domain.spec import RelationSpec
from gql_cluster.orm.codec import encode, encoder, pk_field
from gql_cluster.orm.describe import Cluster, stored_fields
from gql_cluster.orm.inheritance import path_to, path_up, pk_above
from gql_cluster.orm.instance import Family
from gql_cluster.orm.load import decode_pk, load_below, node_key
from gql_cluster.orm.sets import members_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The saved rows of a commit: as instances, by key, and compared to the base.

    `numbers` are those of all siblings of each rearranged relation, by primary key, in order.
    `highest` is the highest of them in each relation that new nodes are appended to, None where
    there is none.
    """

    instances: Mapping[str, Model]
    saved: Saved
    numbers: Mapping[tuple[str, str], Mapping[Json, Json]]
    highest: Mapping[tuple[str, str], int | None]


def read_now(family: Family, plan: Plan, using: str, *, lock: bool) -> Now:
    """Return what is saved now, with a query a node type and a reordered relation.

    Siblings in relations that will be numbered anew are among the instances.
    """
    return _Reader(family, plan, using, lock=lock).read()


class _Reader:
    def __init__(self, family: Family, plan: Plan, using: str, *, lock: bool) -> None:
        self._family = family
        self._cluster: Cluster = family.cluster
        self._plan = plan
        self._using = using
        self._lock = lock
        self._kinds: Mapping[str, str] = {}

    def read(self) -> Now:
        nodes = self._touched()
        found = {key: (kind, row) for key, kind, row in self._rows(nodes.values())}
        self._kinds = {key: kind for key, (kind, _) in found.items()}
        rows = {key: row for key, (_, row) in found.items()}
        parents = {key: self._parent_of(nodes[key], row) for key, row in rows.items()}
        for key in self._plan.added.keys() & rows.keys():
            if parents[key] != nodes[key].parent:
                del rows[key]  # perhaps of another cluster
        numbers = {place: self._numbers(place) for place in self._plan.rearranged}
        return Now(
            # A row below another parent by now is not touched.
            instances={key: row for key, row in rows.items() if parents[key] == nodes[key].parent},
            numbers=numbers,
            highest={place: self._highest(place) for place in self._plan.appended},
            saved=Saved(
                nodes=self._as_nodes(nodes, rows, parents),
                below={
                    key: self._below(node)
                    for key, node in self._plan.removed.items()
                    if key in rows
                },
                orders={
                    place: (self._base_order(place), self._order(place, numbers[place]))
                    for place in numbers
                    if not keeps_numbers(self._family.children(*place))
                },
            ),
        )

    def _touched(self) -> dict[str, Node]:
        plan = self._plan
        nodes = {**plan.ancestors, **plan.removed}
        nodes.update({key: base for key, (base, _) in plan.updated.items()})
        # What was deleted and comes back may have come back already.
        nodes.update({key: node for key, node in plan.added.items() if node.pk is not None})
        for place in plan.rearranged:
            siblings = self._family.children(*place)
            if not keeps_numbers(siblings):
                nodes.update({node.key: nodes.get(node.key, node) for node in siblings if node.pk})
        return nodes

    def _rows(self, nodes: Iterable[Node]) -> Iterator[tuple[str, str, Model]]:
        """Yield the key of each node that is still there, the type of its row now, and the row.

        The row is an instance of the node's own model, if it is of that kind still.
        """
        by_type: dict[tuple[str, str], dict[Json, Node]] = defaultdict(dict)
        for node in nodes:
            relation = self._family.relation_of(node)
            by_type[node.type, "" if relation is None else relation.child][node.pk] = node
        names = list(self._cluster.spec.nodes)
        others: dict[str, dict[Json, Node]] = defaultdict(dict)
        # A fixed order, so that commits don't deadlock.
        for name, child in sorted(by_type, key=lambda pair: names.index(pair[0])):
            wanted = by_type[name, child]
            for pk, kind, row in self._found(name, child or name, wanted, is_root=not child):
                yield wanted.pop(pk).key, kind, row
            if child not in {"", name}:
                others[child].update(wanted)
        for child, wanted in others.items():
            for pk, kind, row in self._found(child, child, wanted):
                yield wanted[pk].key, kind, row

    def _found(
        self, name: str, child: str, pks: Collection[Json], *, is_root: bool = False
    ) -> Iterator[tuple[Json, str, Model]]:
        """Yield rows of a node type: primary key, the type that it is of in its relation, the row.

        `child` is the relation's; of the root's row no kind is known.
        """
        model = self._cluster.models[name]
        # All rows, as the models' own save() has it: a manager may hide some.
        queryset = model._base_manager.using(self._using).order_by("pk")
        named = self._named_otherwise(name)
        queryset = queryset.select_related(*named) if named else queryset
        if self._lock:
            queryset = queryset.select_for_update(of=_with_parents(model))
        ways = {} if is_root else self._ways(name, child)
        queryset = queryset.annotate(
            **{f"_kind_{kind}": F(f"{way}__pk") for kind, way in ways.items() if way}
        )
        key_of = encoder(pk_field(model))
        for row in queryset.filter(pk__in=[decode_pk(model, pk) for pk in pks]):
            held = {kind: row.__dict__.pop(f"_kind_{kind}", row.pk) for kind in ways}
            kind = next((kind for kind, pk in held.items() if pk is not None), name)
            yield key_of(row.pk), kind, row

    def _ways(self, name: str, child: str) -> dict[str, str]:
        """Return the kinds of a relation's child, the deepest first, as rows of a type find them.

        Empty is the way to what each row of the type is anyway.
        """
        model, base = self._cluster.models[name], self._cluster.models[child]
        if not self._cluster.kinds(child):
            return {}
        up = path_up(model, base)
        return {
            kind: "" if issubclass(model, each) else "__".join((*up, path_to(base, each)))
            for each, kind in (*self._cluster.kinds(child).items(), (base, child))
        }

    def _named_otherwise(self, type_name: str) -> list[str]:
        """Return the parental keys of a node type that refer to no primary key."""
        model = self._cluster.models[type_name]
        fields: list[Any] = [
            model._meta.get_field(relation.parent_field)
            for spec in self._cluster.spec.nodes.values()
            for relation in spec.relations.values()
            if self._cluster.spec.is_kind(type_name, relation.child)
        ]
        return [field.name for field in fields if not field.target_field.primary_key]

    def _parent_of(self, node: Node, row: Model) -> str | None:
        """Return the key of the node that a row is below now."""
        relation = self._family.relation_of(node)
        above = self._family.snapshot.node(node.parent) if node.parent is not None else None
        if relation is None or above is None:
            return None
        field: Any = row._meta.get_field(relation.parent_field)
        parent = self._cluster.models[above.type]
        lookup = pk_above(field, parent)
        if lookup == f"{field.name}__pk":
            pk = encode(pk_field(field.related_model), _pk_above(row, field))
        else:  # of a model with two parents, the one that does not give it its primary key
            found = type(row)._base_manager.using(self._using).filter(pk=row.pk)
            pk = encode(pk_field(parent), found.values_list(lookup, flat=True).get())
        return above.key if pk == above.pk else node_key(above.type, pk)

    def _as_nodes(
        self,
        nodes: Mapping[str, Node],
        rows: Mapping[str, Model],
        parents: Mapping[str, str | None],
    ) -> dict[str, Node]:
        return {
            key: replace(
                nodes[key],
                type=self._kinds[key],
                parent=parents[key],
                fields=self._fields(nodes[key], row),
                sets=self._sets(nodes[key]),
            )
            for key, row in rows.items()
        }

    def _fields(self, node: Node, row: Model) -> Mapping[str, Json]:
        relation = self._family.relation_of(node)
        above = None if relation is None else relation.parent_field
        fields = encode_fields(self._cluster, node.type, row)
        return {name: value for name, value in fields.items() if name != above}

    def _sets(self, node: Node) -> Mapping[str, tuple[Json, ...]]:
        """Return a removed node's sets as they are now; others' are merged, never compared."""
        if node.key not in self._plan.removed:
            return node.sets
        model = self._cluster.models[node.type]
        return {
            name: members_of(model, name)
            .load({"pk": decode_pk(model, node.pk)}, self._using)
            .get(node.pk, ())
            for name in node.sets
        }

    def _below(self, node: Node) -> tuple[Mapping[str, Node], Mapping[str, Node]]:
        base = dict(self._base_below(node.key, node.type))
        # A node that was added to the draft before an earlier commit has a key of its own.
        identity = self._cluster.spec.identity
        keys = {identity(each): key for key, each in base.items()}
        found = load_below(self._cluster, node, self._using)
        now = (each for each in found if not self._is_elsewhere(each))
        return base, {keys.get(identity(each), each.key): each for each in now}

    def _is_elsewhere(self, row: Node) -> bool:
        """Tell whether a row is in another relation of the base, though it is found in this one."""
        if not any(field.parental for field in self._cluster.spec.nodes[row.type].fields.values()):
            return False
        base = self._family.base_of(self._plan, row)
        return base is not None and (base.parent, base.relation) != (row.parent, row.relation)

    def _base_below(self, key: str, type_name: str) -> Iterator[tuple[str, Node]]:
        """Yield what the base holds below a removed node, whatever the draft did to it."""
        base = self._plan.base
        for relation in self._cluster.spec.nodes[type_name].relations.values():
            here = [child.key for child in self._family.children(key, relation.name)]
            gone = [
                child.key
                for child in base.values()
                if (child.parent, child.relation) == (key, relation.name)
            ]
            for child_key in dict.fromkeys([*here, *gone]):
                child = base.get(child_key) or self._family.snapshot.node(child_key)
                if child is not None and child.pk is not None:
                    yield child_key, child
                    yield from self._base_below(child_key, child.type)

    # Numbers of siblings

    def _highest(self, place: tuple[str, str]) -> int | None:
        """Return the highest number of the siblings that stay."""
        found = self._siblings(place)
        if found is None:
            return None
        relation, rows = found
        gone = [n.pk for n in self._plan.removed.values() if (n.parent, n.relation) == place]
        rows = rows.exclude(pk__in=[decode_pk(rows.model, pk) for pk in gone])
        top = rows.order_by().aggregate(top=Max(relation.order_field or ""))["top"]
        return top if isinstance(top, int) else None

    def _siblings(self, place: tuple[str, str]) -> tuple[RelationSpec, QuerySet[Any]] | None:
        """Return the saved siblings of a relation; None below what is not saved itself."""
        parent, relation_name = place
        above = self._family.snapshot.node(parent)
        if above is None or above.pk is None:
            return None
        relation = self._cluster.spec.nodes[above.type].relations[relation_name]
        model = self._cluster.models[relation.child]
        parent_model = self._cluster.models[above.type]
        parent_key = pk_above(model._meta.get_field(relation.parent_field), parent_model)
        rows = model._default_manager.using(self._using)
        return relation, rows.filter(**{parent_key: decode_pk(parent_model, above.pk)})

    def _numbers(self, place: tuple[str, str]) -> dict[Json, Json]:
        parent, relation_name = place
        siblings = self._siblings(place)
        if siblings is None:
            return {}
        relation, queryset = siblings
        model = queryset.model
        field: Any = model._meta.get_field(relation.order_field or "")
        queryset = queryset.order_by(*(model._meta.ordering or ()), "pk")
        key_of = encoder(pk_field(model))
        found = {
            key_of(pk): encode(field, number)
            for pk, number in queryset.values_list("pk", field.attname)
        }
        if not self._cluster.spec.is_shared(relation):
            return found
        at = Node(
            key="",
            type=relation.child,
            pk=None,
            parent=parent,
            relation=relation_name,
            rank="",
            fields={},
            sets={},
        )
        rows = {pk: replace(at, key=node_key(relation.child, pk), pk=pk) for pk in found}
        return {pk: found[pk] for pk, row in rows.items() if not self._is_elsewhere(row)}

    def _base_order(self, place: tuple[str, str]) -> list[str]:
        here = [n for n in self._base_children(place) if (n.parent, n.relation) == place]
        return [node.key for node in sorted(here, key=lambda n: n.rank)]

    def _order(self, place: tuple[str, str], numbers: Mapping[Json, Json]) -> list[str]:
        """Return the keys of the saved siblings; `numbers` has them by primary key, in order."""
        keys = {node.pk: node.key for node in self._base_children(place)}
        above = self._family.snapshot.node(place[0])
        if above is None:
            return []
        child = self._cluster.spec.nodes[above.type].relations[place[1]].child
        return [keys.get(pk) or node_key(child, pk) for pk in numbers]

    def _base_children(self, place: tuple[str, str]) -> Iterable[Node]:
        """Return the saved siblings as they were in the base, perhaps below another node."""
        base, added = self._plan.base, self._plan.added
        # One that was deleted and comes back has its primary key, and is added all the same.
        here = [n for n in self._family.children(*place) if n.pk is not None and n.key not in added]
        nodes = {node.key: base.get(node.key, node) for node in here}
        nodes.update(
            {key: node for key, node in base.items() if (node.parent, node.relation) == place}
        )
        return nodes.values()


def _with_parents(model: type[Model]) -> tuple[str, ...]:
    """Return what to lock of a model's rows: those of the tables that it inherits, too."""
    above = path_up(model)
    return "self", *("__".join(above[: depth + 1]) for depth in range(len(above)))


def _pk_above(row: Model, field: Any) -> Any:
    if field.target_field.primary_key:
        return getattr(row, field.attname)
    above = getattr(row, field.name)
    return None if above is None else above.pk


def encode_fields(cluster: Cluster, type_name: str, instance: Model) -> dict[str, Json]:
    """Return the fields of an instance as its node holds them."""
    names = cluster.spec.nodes[type_name].fields
    return {
        field.name: encode(field, getattr(instance, field.attname))
        for field in stored_fields(type(instance))
        if field.name in names
    }
