"""What an export shows of a draft: no more than the mirror types do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import ForeignKey, Model
from strawberry.types.base import get_object_definition
from strawberry_django.fields.field import (
    StrawberryDjangoConnectionExtension,
    StrawberryDjangoField,
)

from gql_cluster.api.kinds import hides
from gql_cluster.api.registry import Registry
from gql_cluster.domain.node import Json
from gql_cluster.domain.spec import NodeSpec
from gql_cluster.orm.describe import Cluster
from gql_cluster.orm.serialize import kind_in


def shown(registry: Registry, cluster: Cluster, data: Mapping[str, Json]) -> dict[str, Json]:
    """Return `serializable_data()` of a cluster without what its mirror types hide.

    That is what a declared type leaves out, shows under a permission or by a resolver of its
    own, and relations to a type that hides some of its rows (`get_queryset`). Opening takes
    what is left out as untouched.
    """
    return _Exported(registry, cluster).node(cluster.spec.root, data)


class _Exported:
    def __init__(self, registry: Registry, cluster: Cluster) -> None:
        self._registry = registry
        self._cluster = cluster
        self._hidden = {
            name: self._hidden_in(spec, cluster.models[name])
            for name, spec in cluster.spec.nodes.items()
        }

    def node(self, type_name: str, data: Mapping[str, Json]) -> dict[str, Json]:
        hidden = self._hidden[type_name]
        relations = self._cluster.spec.nodes[type_name].relations
        found: dict[str, Json] = {}
        for name, value in data.items():
            if name in hidden:
                continue
            if name in relations and isinstance(value, list):
                child = relations[name].child
                found[name] = [
                    self.node(kind_in(self._cluster, child, each) or child, each)
                    if isinstance(each, dict)
                    else each
                    for each in value
                ]
            else:
                found[name] = value
        return found

    def _hidden_in(self, spec: NodeSpec, model: type[Model]) -> set[str]:
        type_ = self._registry.object_of(model)
        fields: list[Any] = get_object_definition(type_, strict=True).fields
        open_ = {field.django_name or field.python_name for field in fields if _is_open(field)}
        hidden = {name for name in spec.fields if not open_ & self._names(model, name)}
        for name, child in spec.relations.items():
            if name not in open_ or self._hides_rows(self._cluster.models[child.child]):
                hidden.add(name)
        for name, held in spec.sets.items():
            target: Any = model._meta.get_field(name).related_model
            if name not in open_ or (held.target and self._hides_rows(target)):
                hidden.add(name)
        return hidden

    def _names(self, model: type[Model], name: str) -> set[str]:
        """Return what shows a column: an object that may be hidden does not show its key."""
        column: Any = model._meta.get_field(name)
        if isinstance(column, ForeignKey) and self._hides_rows(column.remote_field.model):
            return {column.attname}
        return {name, column.attname}

    def _hides_rows(self, model: type[Model]) -> bool:
        type_ = self._registry.type_of(model)
        return hides(type_) or self._registry.hides_kinds(type_)


def _is_open(field: Any) -> bool:
    """Tell whether a field shows what the model holds, to everybody: permissions are extensions."""
    return (
        isinstance(field, StrawberryDjangoField)
        and field.base_resolver is None
        and all(isinstance(each, StrawberryDjangoConnectionExtension) for each in field.extensions)
    )
