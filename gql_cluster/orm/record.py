"""Records: the columns of a node, each decoded when it is first read, without an instance.

To filter and to sort a list, ten thousand instances would be made of which twenty are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeAlias

from django.db.models import Model
from django.db.models.fields.related_descriptors import ForeignKeyDeferredAttribute
from django.db.models.query_utils import DeferredAttribute

from gql_cluster.domain.node import Json, Node
from gql_cluster.orm.codec import decode
from gql_cluster.orm.describe import Cluster
from gql_cluster.orm.instance import Reader, plan_of

BYTES = 200
"""About what a record takes in memory."""

Columns: TypeAlias = Mapping[str, Callable[[Node], Any]]


class NeedsInstanceError(LookupError):
    """What was read is no column that the node alone can tell."""


class Record:
    """The columns of a node as attributes; the order field holds `number`, if there is one.

    Its own attributes end as no field's name may. It is never given to code of a project's own.
    """

    __slots__ = ("__dict__", "columns_", "node_", "number_")

    def __init__(
        self, node: Node, columns: Columns, order_field: str | None, number: int | None
    ) -> None:
        """Decode nothing yet."""
        self.node_ = node
        self.columns_ = columns
        self.number_ = number
        if order_field is not None and number is not None:
            self.__dict__[order_field] = number

    def __getattr__(self, name: str) -> Any:
        read = self.columns_.get(name)
        if read is None:
            raise NeedsInstanceError(name)
        value = self.__dict__[name] = read(self.node_)
        return value


def columns_of(cluster: Cluster, type_name: str) -> Columns:
    """Return what reads the columns of a node type, by attribute.

    Without those of which the database, the parent or another node has a say, or a descriptor.
    """
    spec = cluster.spec.nodes[type_name]
    names = tuple(name for name, field in spec.fields.items() if not field.nodes)
    return _columns(cluster.models[type_name], names)


@cache
def _columns(model: type[Model], names: tuple[str, ...]) -> Columns:
    plan = plan_of(model, names)
    fields: dict[str, Any] = {name: model._meta.get_field(name) for name in names}
    columns: dict[str, Callable[[Node], Any]] = {
        attname: _field(name, read)
        for name, attname, read in plan.readers
        if fields[name].descriptor_class in {DeferredAttribute, ForeignKeyDeferredAttribute}
        and not fields[name].has_db_default()
    }
    for attname in plan.pk_attnames:
        columns[attname] = _pk(plan.pk, columns.get(attname))
    return columns


def _field(name: str, read: Reader) -> Callable[[Node], Any]:
    return lambda node: read(node.fields.get(name))


def _pk(field: Any, chosen: Callable[[Node], Any] | None) -> Callable[[Node], Any]:
    """Return what reads a primary key; of a node that is not saved, it may be one of its fields."""

    def read(node: Node) -> Any:
        if node.pk is not None:
            pk: Json = node.pk
            return decode(field, pk)
        return None if chosen is None else chosen(node)

    return read
