"""Loading a saved cluster as nodes, with a query a relation, whatever the number of rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from django.db import router, transaction
from django.db.models import Model, QuerySet
from modelcluster.utils import sort_by_fields

from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.rank import base_rank
from gql_cluster.domain.spec import ROOT_KEY, RelationSpec
from gql_cluster.orm.codec import decode, parse, pk_field, row_encoder
from gql_cluster.orm.describe import AnyField, Cluster
from gql_cluster.orm.inheritance import column_path, path_to, pk_above, way_down
from gql_cluster.orm.sets import members_of


def node_key(type_name: str, pk: Json) -> str:
    """Return the key that a saved node has in every draft."""
    return f"{type_name}:{pk}"


def load(cluster: Cluster, pk: Json) -> list[Node] | None:
    """Return the nodes of a saved cluster, the root first, or None where there is no such root.

    Siblings are ranked as the model orders them, then by primary key.
    """
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
        queryset = cluster.model._default_manager.using(using).filter(pk=pk)
        return list(_Loader(cluster, using, pk).nodes(queryset)) or None


def load_below(cluster: Cluster, node: Node, using: str) -> Iterator[Node]:
    """Yield the saved nodes below a saved node."""
    model = cluster.models[node.type]
    return _Loader(cluster, using, node.pk).below({node.type: {node.pk: node.key}}, model, "")


class _Loader:
    """Loads one cluster, or what is below one node; a row that two relations find comes once."""

    def __init__(self, cluster: Cluster, using: str, pk: Json) -> None:
        self._seen: set[tuple[str, Json]] = set()
        self._cluster = cluster
        self._using = using
        self._pk = pk

    def nodes(self, queryset: QuerySet[Any]) -> Iterator[Node]:
        name = self._cluster.name
        sets = self._sets(queryset.model, [name], "")
        for row in plain_rows(self._cluster, name, queryset):
            yield make_node(self._cluster, name, row, parent=None, sets=sets[name])
            yield from self.below({name: {row["pk"]: ROOT_KEY}}, queryset.model, "")

    def below(self, parents: _Keys, model: type[Model], path: str) -> Iterator[Node]:
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
    ) -> Iterator[Node]:
        """Yield the children of some parents; `parent_key` leads to a parent's primary key."""
        model = self._cluster.models[relation.child]
        ordering = [*(model._meta.ordering or ()), "pk"]
        queryset = (
            model._default_manager.using(self._using)
            .filter(**{f"{above}pk": self._pk})
            .order_by(*ordering)
        )
        found = [
            (type_name, row)
            for type_name, row in rows(self._cluster, relation.child, queryset, parent_key)
            if row[parent_key] in keys
        ]
        types = dict.fromkeys([relation.child, *(name for name, _ in found)])
        sets = self._sets(model, types, above)
        here: _Keys = defaultdict(dict)
        counts: dict[str, int] = defaultdict(int)
        for type_name, row in found:
            if (type_name, row["pk"]) in self._seen:
                continue
            if self._cluster.spec.is_shared(relation):
                self._seen.add((type_name, row["pk"]))
            parent = keys[row[parent_key]]
            node = make_node(
                self._cluster,
                type_name,
                row,
                parent=parent,
                relation=relation,
                rank=base_rank(counts[parent]),
                sets=sets[type_name],
            )
            counts[parent] += 1
            here[type_name][node.pk] = node.key
            yield node
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


def plain_rows(
    cluster: Cluster, type_name: str, queryset: QuerySet[Any], *extra: str
) -> Iterator[dict[str, Json]]:
    """Yield a queryset's rows as JSON: `pk`, the node type's fields, and `extra` lookups."""
    return (row for _, row in _rows(cluster, [(type_name, "")], type_name, queryset, extra))


def rows(
    cluster: Cluster, type_name: str, queryset: QuerySet[Any], *extra: str
) -> Iterator[tuple[str, dict[str, Json]]]:
    """Yield a queryset's rows, each with its node type, which may be a kind of that one.

    `extra` are lookups of the primary keys of rows above, as `pk_above` gives them.
    """
    base = cluster.models[type_name]
    below = [(name, path_to(base, kind)) for kind, name in cluster.kinds(type_name).items()]
    return _rows(cluster, [*below, (type_name, "")], type_name, queryset, extra)


def _rows(
    cluster: Cluster,
    types: Sequence[tuple[str, str]],
    type_name: str,
    queryset: QuerySet[Any],
    extra: Sequence[str],
) -> Iterator[tuple[str, dict[str, Json]]]:
    base = cluster.models[type_name]
    columns: dict[str, int] = {}
    readers: list[tuple[str, int, list[tuple[str, int, Callable[[Any], Json]]]]] = []

    def index(column: str) -> int:
        return columns.setdefault(column, len(columns))

    for name, path in types:
        kind = cluster.models[name]
        held = [("pk", index("pk"), row_encoder(pk_field(base)))]
        for each in cluster.spec.nodes[name].fields:
            field: Any = kind._meta.get_field(each)
            held.append((each, index(column_path(base, kind, field)), row_encoder(field)))
        held += [(each, index(each), row_encoder(_field_at(base, each))) for each in extra]
        readers.append((name, index(f"{path}__pk" if path else "pk"), held))
    name, _, held = readers[-1]
    for values in queryset.values_list(*columns):
        if len(readers) > 1:  # the deepest kind comes first, and the type itself at last
            name, held = next((name, held) for name, at, held in readers if values[at] is not None)
        yield name, {each: encode(values[at]) for each, at, encode in held}


def _field_at(model: type[Model], lookup: str) -> AnyField:
    """Return the field of the primary key that a lookup leads to."""
    for step in lookup.split("__")[:-1]:
        related: Any = model._meta.get_field(step)
        model = related.related_model
    return pk_field(model)


def make_node(  # noqa: PLR0913 - a node, said whole
    cluster: Cluster,
    type_name: str,
    row: dict[str, Json],
    *,
    parent: str | None,
    relation: RelationSpec | None = None,
    rank: str = "",
    sets: Mapping[str, _Members] | None = None,
) -> Node:
    """Return the node of a row that `rows` gave."""
    pk = row["pk"]
    spec = cluster.spec.nodes[type_name]
    above = None if relation is None else relation.parent_field
    return Node(
        key=ROOT_KEY if parent is None else node_key(type_name, pk),
        type=type_name,
        pk=pk,
        parent=parent,
        relation=None if relation is None else relation.name,
        rank=rank,
        fields={name: row[name] for name in spec.fields if name != above},
        sets={name: (sets or {}).get(name, {}).get(pk, ()) for name in spec.sets},
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
