"""Loading a saved cluster as nodes, with a query a relation, whatever the number of rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.db import router, transaction
from django.db.models import Model, QuerySet
from modelcluster.utils import sort_by_fields

from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.rank import base_rank
from gql_cluster.domain.spec import ROOT_KEY, NodeSpec, RelationSpec
from gql_cluster.orm.codec import decode, parse, pk_field, row_encoder
from gql_cluster.orm.describe import Cluster
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
    return _Loader(cluster, using, node.pk).below(node.type, {node.pk: node.key}, "")


class _Loader:
    """Loads one cluster, or what is below one node; a row that two relations find comes once."""

    def __init__(self, cluster: Cluster, using: str, pk: Json) -> None:
        self._seen: set[tuple[str, Json]] = set()
        self._cluster = cluster
        self._using = using
        self._pk = pk

    def nodes(self, queryset: QuerySet[Any]) -> Iterator[Node]:
        name = self._cluster.name
        sets = self._sets(self._cluster.spec.nodes[name], queryset.model, "")
        for row in rows(self._cluster, name, queryset):
            yield make_node(self._cluster, name, row, parent=None, sets=sets)
            yield from self.below(name, {row["pk"]: ROOT_KEY}, "")

    def below(self, parent: str, keys: dict[Json, str], path: str) -> Iterator[Node]:
        for relation in self._cluster.spec.nodes[parent].relations.values():
            yield from self._children(relation, keys, path)

    def _children(self, relation: RelationSpec, keys: dict[Json, str], path: str) -> Iterator[Node]:
        model = self._cluster.models[relation.child]
        spec = self._cluster.spec.nodes[relation.child]
        above = f"{relation.parent_field}__{path}"
        ordering = [*(model._meta.ordering or ()), "pk"]
        queryset = (
            model._default_manager.using(self._using)
            .filter(**{f"{above}pk": self._pk})
            .order_by(*ordering)
        )
        sets = self._sets(spec, model, above)
        found: dict[Json, str] = {}
        counts: dict[str, int] = defaultdict(int)
        for row in rows(self._cluster, relation.child, queryset, relation.parent_field):
            parent = keys.get(row[relation.parent_field])
            if parent is None or (relation.child, row["pk"]) in self._seen:
                continue
            if self._cluster.spec.is_shared(relation):
                self._seen.add((relation.child, row["pk"]))
            node = make_node(
                self._cluster,
                relation.child,
                row,
                parent=parent,
                relation=relation,
                rank=base_rank(counts[parent]),
                sets=sets,
            )
            counts[parent] += 1
            found[node.pk] = node.key
            yield node
        if found:
            yield from self.below(relation.child, found, above)

    def _sets(
        self, spec: NodeSpec, model: type[Model], above: str
    ) -> dict[str, dict[Json, tuple[Json, ...]]]:
        return {
            name: members_of(model, name).load({f"{above}pk": self._pk}, self._using)
            for name in spec.sets
        }


def rows(
    cluster: Cluster, type_name: str, queryset: QuerySet[Any], *extra: str
) -> Iterator[dict[str, Json]]:
    """Yield a queryset's rows as JSON: `pk`, the node type's fields, and `extra` foreign keys."""
    model = cluster.models[type_name]
    names = [*dict.fromkeys(("pk", *cluster.spec.nodes[type_name].fields, *extra))]
    fields: list[Any] = [
        pk_field(model) if name == "pk" else model._meta.get_field(name) for name in names
    ]
    encoders = [row_encoder(field) for field in fields]
    columns = ["pk", *(field.attname for field in fields[1:])]
    for row in queryset.values_list(*columns):
        yield {
            name: encode(value) for name, encode, value in zip(names, encoders, row, strict=True)
        }


def make_node(  # noqa: PLR0913 - a node, said whole
    cluster: Cluster,
    type_name: str,
    row: dict[str, Json],
    *,
    parent: str | None,
    relation: RelationSpec | None = None,
    rank: str = "",
    sets: dict[str, dict[Json, tuple[Json, ...]]] | None = None,
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
