"""What of a node its mirror type does not show to everybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import ForeignKey, Model
from strawberry.types.base import get_object_definition
from strawberry_django.fields.field import (
    StrawberryDjangoConnectionExtension,
    StrawberryDjangoField,
)

from gql_cluster.api.registry import Registry
from gql_cluster.domain.spec import NodeSpec
from gql_cluster.orm.describe import Cluster


def unshown(registry: Registry, cluster: Cluster) -> Mapping[str, frozenset[str]]:
    """Return, by node type, the fields, relations and sets that are not shown to everybody.

    That is what a declared type leaves out, shows under a permission or by a resolver of its
    own, and what leads to a type that hides some of its rows (`get_queryset`).
    """
    known = registry.unshown
    if cluster.name not in known:
        known[cluster.name] = {
            name: frozenset(_unshown_in(registry, cluster, spec, cluster.models[name]))
            for name, spec in cluster.spec.nodes.items()
        }
    return known[cluster.name]


def _unshown_in(
    registry: Registry, cluster: Cluster, spec: NodeSpec, model: type[Model]
) -> set[str]:
    type_ = registry.object_of(model)
    fields: list[Any] = get_object_definition(type_, strict=True).fields
    open_ = {field.django_name or field.python_name for field in fields if _is_open(field)}
    found = {name for name in spec.fields if not open_ & _names(registry, model, name)}
    for name, child in spec.relations.items():
        if name not in open_ or registry.hides(cluster.models[child.child]):
            found.add(name)
    for name, held in spec.sets.items():
        target: Any = model._meta.get_field(name).related_model
        if name not in open_ or (held.target and registry.hides(target)):
            found.add(name)
    return found


def _names(registry: Registry, model: type[Model], name: str) -> set[str]:
    """Return what shows a column: an object that may be hidden does not show its key."""
    column: Any = model._meta.get_field(name)
    if isinstance(column, ForeignKey) and registry.hides(column.remote_field.model):
        return {column.attname}
    return {name, column.attname}


def _is_open(field: Any) -> bool:
    """Tell whether a field shows what the model holds, to everybody: permissions are extensions."""
    return (
        isinstance(field, StrawberryDjangoField)
        and field.base_resolver is None
        and all(isinstance(each, StrawberryDjangoConnectionExtension) for each in field.extensions)
    )
