"""Loading a saved cluster as nodes, with a query a relation, whatever the number of rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from django.db import router, transaction
from django.db.models import Model, QuerySet
from modelcluster.utils import sort_by_fields

from gql_cluster.domain.batch import Batch, nodes_of
from gql_cluster.domain.error import LimitExceededError
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.spec import ROOT_KEY, RelationSpec
from gql_cluster.orm.codec import column_encoder, decode, parse, pk_field
from gql_cluster.orm.describe import AnyField, Cluster
from gql_cluster.orm.inheritance import column_path, path_to, pk_above, way_down
from gql_cluster.orm.sets import members_of


def node_key(type_name: str, pk: Json) -> str:
    """Return the key that a saved node has in every draft."""
    return f"{type_name}:{pk}"


def load(cluster: Cluster, pk: Json, *, limit: int | None = None) -> list[Node] | None:
    """Return the nodes of a saved cluster, the root first, or None where there is no such root.

    Siblings are ranked as the model orders them, then by primary key. Raises `LimitExceededError`
    for more than `limit` nodes, of which no more than one is read.
    """
    found = load_batches(cluster, pk, limit=limit)
    if found is None:
        return None
    root, batches = found
    return [root, *nodes_of(batches)]


def load_batches(
    cluster: Cluster, pk: Json, *, limit: int | None = None
) -> tuple[Node, list[Batch]] | None:
    """Return the same as the root and batches: cheaper where no node is looked at."""
    using = router.db_for_read(cluster.model)
    is_outermost = not transaction.get_connection(using).in_atomic_block
    with transaction.atomic(using=using):
        if (
            is_outermost
            and (connection := transaction.get_connection(using)).vendor == "postgresql"
        ):
            # All relations as of one moment, whoever commits meanwhile.
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return _Loader(cluster, using, pk, limit=limit).whole()


def load_below(cluster: Cluster, node: Node, using: str) -> Iterator[Node]:
    """Yield the saved nodes below a saved node."""
    model = cluster.models[node.type]
    loader = _Loader(cluster, using, node.pk)
    return nodes_of(loader.below({node.type: {node.pk: node.key}}, model, ""))


class _Loader:
    """Loads one cluster, or what is below one node; a row that two relations find comes once."""

    def __init__(self, cluster: Cluster, using: str, pk: Json, *, limit: int | None = None) -> None:
        self._limit = limit
        self._count = 1  # the root
        self._seen: set[tuple[str, Json]] = set()
        self._cluster = cluster
        self._using = using
        self._pk = pk

    def whole(self) -> tuple[Node, list[Batch]] | None:
        name, model = self._cluster.name, self._cluster.model
        queryset = model._default_manager.using(self._using).filter(pk=self._pk)
        row = next(_rows(self._cluster, [(name, "")], queryset), None)
        if row is None:
            return None
        sets = self._sets(model, [name], "")[name]
        root = make_node(self._cluster, row, parent=None, sets=sets)
        return root, list(self.below({name: {row.pk: ROOT_KEY}}, model, ""))

    def below(self, parents: _Keys, model: type[Model], path: str) -> Iterator[Batch]:
        """Yield what is below some nodes: a relation that several kinds have is read once.

        `path` is the lookup that leads from rows of `model`, which all of them are, to the root.
        """
        places: dict[tuple[str, str], tuple[RelationSpec, dict[Json, str]]] = {}
        for type_name, keys in parents.items():
            for relation in self._cluster.spec.nodes[type_name].relations.values():
                place = (relation.name, relation.child)
                places.setdefault(place, (relation, {}))[1].update(keys)
        for relation, keys in places.values():
            # The relation may be that of an ancestor, which knows nothing of what is above these.
            field: Any = self._cluster.models[relation.child]._meta.get_field(relation.parent_field)
            to_pk = pk_above(field, model)
            down = way_down(field.related_model, model) if path else ""
            above = f"{relation.parent_field}__{down}{path}" if path else to_pk.removesuffix("pk")
            yield from self._children(relation, keys, above, to_pk)

    def _children(
        self, relation: RelationSpec, keys: dict[Json, str], above: str, parent_key: str
    ) -> Iterator[Batch]:
        """Yield the children of some parents; `parent_key` leads to a parent's primary key."""
        model, spec = self._cluster.models[relation.child], self._cluster.spec
        ordering = [*(model._meta.ordering or ()), "pk"]
        queryset = (
            model._default_manager.using(self._using)
            .filter(**{f"{above}pk": self._pk})
            .order_by(*ordering)
        )
        if self._limit is not None:
            queryset = queryset[: max(0, self._limit - self._count) + 1]
        read = [*rows(self._cluster, relation, queryset, parent_key)]
        self._count += len(read)
        if self._limit is not None and self._count > self._limit:
            raise LimitExceededError.of(f"A draft may hold {self._limit} nodes, and this has more.")
        found = [row for row in read if row.above in keys]
        types = dict.fromkeys([relation.child, *(row.type for row in found)])
        sets = self._sets(model, types, above)
        here: _Keys = defaultdict(dict)
        counts: dict[str, int] = defaultdict(int)
        batches: dict[tuple[str, str], Batch] = {}
        is_shared = spec.is_shared(relation)
        for row in found:
            type_name, pk = row.type, row.pk
            if is_shared:
                if (type_name, pk) in self._seen:
                    continue
                self._seen.add((type_name, pk))
            parent = keys[row.above]
            batch = batches.get((parent, type_name))
            if batch is None:
                batch = batches[parent, type_name] = Batch(
                    type=type_name,
                    parent=parent,
                    relation=relation.name,
                    names=_names(self._cluster, type_name, relation),
                    sets=tuple(spec.nodes[type_name].sets),
                    rows=[],
                )
            members = [loaded.get(pk, ()) for loaded in sets[type_name].values()]
            key, index = node_key(type_name, pk), counts[parent]
            batch.rows.append((key, pk, index, *row.values, *members))
            counts[parent] = index + 1
            here[type_name][pk] = key
        yield from batches.values()
        if here:
            yield from self.below(here, model, above)

    def _sets(
        self, model: type[Model], types: Iterable[str], above: str
    ) -> dict[str, dict[str, _Members]]:
        """Return the members of each set of some types, all of which are kinds of a model."""
        loaded: dict[Any, _Members] = {}
        found: dict[str, dict[str, _Members]] = {}
        for type_name in types:
            kind = self._cluster.models[type_name]
            found[type_name] = {}
            for name in self._cluster.spec.nodes[type_name].sets:
                field = kind._meta.get_field(name)
                if field not in loaded:
                    is_above = model is not field.model and issubclass(model, field.model)
                    down = way_down(field.model, model) if is_above else ""
                    where = {f"{down}{above}pk": self._pk}
                    loaded[field] = members_of(kind, name).load(where, self._using)
                found[type_name][name] = loaded[field]
        return found


_Members: TypeAlias = dict[Json, tuple[Json, ...]]
_Keys: TypeAlias = dict[str, dict[Json, str]]
"""The keys of saved nodes, by type and primary key."""


class Row(NamedTuple):
    """A row as JSON: node type, primary key, the values of its fields, the key of the row above."""

    type: str
    pk: Json
    values: tuple[Json, ...]
    above: Json


def rows(
    cluster: Cluster, relation: RelationSpec, queryset: QuerySet[Any], parent_key: str
) -> Iterator[Row]:
    """Yield rows in a relation, each with its node type, which may be a kind of the relation's.

    `parent_key` is a lookup of the primary key of the row above, as `pk_above` gives it.
    """
    base = cluster.models[relation.child]
    below = [(name, path_to(base, kind)) for kind, name in cluster.kinds(relation.child).items()]
    return _rows(cluster, [*below, (relation.child, "")], queryset, relation, parent_key)


def _names(cluster: Cluster, type_name: str, relation: RelationSpec | None) -> tuple[str, ...]:
    """Return the fields that a node holds: not that by which it is in its relation."""
    above = None if relation is None else relation.parent_field
    return tuple(name for name in cluster.spec.nodes[type_name].fields if name != above)


def _rows(
    cluster: Cluster,
    types: Sequence[tuple[str, str]],
    queryset: QuerySet[Any],
    relation: RelationSpec | None = None,
    parent_key: str = "pk",
) -> Iterator[Row]:
    """Yield rows of some types, each with the path to it; the last one is the queryset's own."""
    base = cluster.models[types[-1][0]]
    columns: dict[str, AnyField] = {}

    def index(column: str, field: AnyField) -> int:
        columns.setdefault(column, field)
        return [*columns].index(column)

    own = index("pk", pk_field(base))
    above = index(parent_key, _field_at(base, parent_key))
    kinds: list[tuple[str, int, list[int]]] = []
    for name, path in types:
        kind = cluster.models[name]
        fields: list[Any] = [kind._meta.get_field(n) for n in _names(cluster, name, relation)]
        held = [index(column_path(base, kind, field), field) for field in fields]
        kinds.append((name, index(f"{path}__pk", pk_field(kind)) if path else own, held))
    found = zip(*queryset.values_list(*columns), strict=True)
    encoded = [
        column_encoder(columns[name])(values) for name, values in zip(columns, found, strict=False)
    ]
    name, _, held = kinds[-1]
    for values in zip(*encoded, strict=True):
        if len(kinds) > 1:  # the deepest kind comes first, and the type itself at last
            name, _, held = next(kind for kind in kinds if values[kind[1]] is not None)
        yield Row(name, values[own], tuple([values[at] for at in held]), values[above])


def _field_at(model: type[Model], lookup: str) -> AnyField:
    """Return the field of the primary key that a lookup leads to."""
    for step in lookup.split("__")[:-1]:
        related: Any = model._meta.get_field(step)
        model = related.related_model
    return pk_field(model)


def make_node(
    cluster: Cluster,
    row: Row,
    *,
    parent: str | None,
    relation: RelationSpec | None = None,
    sets: Mapping[str, _Members] | None = None,
) -> Node:
    """Return the node of a row that `rows` gave."""
    names = _names(cluster, row.type, relation)
    return Node(
        key=ROOT_KEY if parent is None else node_key(row.type, row.pk),
        type=row.type,
        pk=row.pk,
        parent=parent,
        relation=None if relation is None else relation.name,
        rank="",
        fields=dict(zip(names, row.values, strict=True)),
        sets={
            name: (sets or {}).get(name, {}).get(row.pk, ())
            for name in cluster.spec.nodes[row.type].sets
        },
    )


def parse_pk(model: type[Model], pk: str) -> Json:
    """Return a primary key that a client sent as nodes hold it; None where it can't be one."""
    return parse(pk_field(model), pk)


def decode_pk(model: type[Model], pk: Json) -> Any:
    """Return a primary key as the ORM takes it."""
    return decode(pk_field(model), pk)


def in_model_order(model: type[Model], children: list[Model]) -> None:
    """Sort children as modelcluster does: by the names in `Meta.ordering`."""
    names = [name for name in model._meta.ordering or () if isinstance(name, str)]
    sort_by_fields(children, names)
