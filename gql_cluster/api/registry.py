"""The registry: the mirror type of every model that a schema's clusters consist of or refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakSet

from django.core.exceptions import ImproperlyConfigured
from django.db.models import ForeignKey, Model
from modelcluster.models import ClusterableModel
from strawberry.types.base import get_object_definition
from strawberry.types.field import UNRESOLVED
from strawberry_django.fields.field import StrawberryDjangoField
from strawberry_django.utils.typing import has_django_definition

from gql_cluster.api.bare import node_mirror, plain_mirror
from gql_cluster.api.children import limited
from gql_cluster.api.mirror import Mirror
from gql_cluster.orm.describe import AnyField, Cluster, describe
from gql_cluster.orm.kinds import can_be_staged, generic_relations, is_tags

_MADE: WeakSet[Registry] = WeakSet()
"""Those of the schemas of this process, for the system checks."""


def served_columns() -> set[AnyField]:
    """Return the columns that the schemas made so far serve."""
    return {column for registry in _MADE for column in registry.columns()}


class Registry:
    """The clusters of a schema and their types: the declared ones, and bare mirrors for the rest.

    Raises `ImproperlyConfigured` for what can't be one schema, with a message for its author.
    """

    def __init__(self, clusters: Sequence[type[Any]]) -> None:
        """Take the root models, or the types declared for them.

        `clusters` has them by the name that is stored.
        """
        self._types: dict[type[Model], type[Any]] = {}
        self.clusters: dict[str, Cluster] = {}
        declared = [each for each in clusters if not issubclass(each, Model)]
        for each in declared:
            self._declare(each)
        for each in clusters:
            self._describe(each if issubclass(each, Model) else _model_of(each))
        self._names = self._all_names()
        self._make_bare()
        _MADE.add(self)

    def columns(self) -> Iterator[AnyField]:
        """Yield what is served of the models: all that nodes hold, and what types show."""
        nodes = self._nodes()
        for model, type_ in self._types.items():
            fields = get_object_definition(type_, strict=True).fields
            shown = {getattr(field, "django_name", None) for field in fields}
            for column in model._meta.concrete_fields:
                if model in nodes or column.name in shown:
                    yield column

    @property
    def types(self) -> Sequence[type[Any]]:
        """All mirror types, for `strawberry.Schema(types=…)`."""
        return tuple(self._types.values())

    def type_of(self, model: type[Model]) -> type[Any]:
        """Return the type that mirrors a model; raises `KeyError` for one that is not here."""
        return self._types[model]

    def name_of(self, model: type[Model]) -> str:
        """Return the GraphQL name of the type that mirrors a model."""
        return self._names[model]

    # Declared types

    def _declare(self, root: type[Any]) -> None:
        """Take a declared type, and those that its fields lead to; the first of a model counts."""
        if not has_django_definition(root) or not issubclass(root, Mirror):
            raise ImproperlyConfigured(
                f"{root.__name__} is neither a model nor declared with gql_cluster.type."
            )
        waiting = [root]
        seen: set[type[Any]] = set()
        while waiting:
            each = waiting.pop(0)
            if each not in seen:
                seen.add(each)
                self._types.setdefault(_model_of(each), each)
                waiting += _types_below(each)

    def _describe(self, model: type[Model]) -> None:
        if not issubclass(model, ClusterableModel):
            raise ImproperlyConfigured(
                f"{model._meta.label} is no cluster: it is not a ClusterableModel."
            )
        cluster = limited(describe(model), self._types)
        if model in self._types:
            title = get_object_definition(self._types[model], strict=True).name
            cluster = replace(cluster, title=title)
        other = self.clusters.get(cluster.name)
        if other is not None:
            what = "twice" if other.model is model else f"and so is {other.label}"
            raise ImproperlyConfigured(
                f"{cluster.label} is registered as the cluster {cluster.name}, {what}."
            )
        for each in cluster.models.values():
            if each in self._types and not issubclass(self._types[each], Mirror):
                raise ImproperlyConfigured(
                    f"{self._types[each].__name__} mirrors {each._meta.label}, which belongs to "
                    f"the cluster {cluster.name}: declare it with gql_cluster.type."
                )
        self.clusters[cluster.name] = cluster

    # Bare mirrors

    def _nodes(self) -> dict[type[Model], tuple[Cluster, str]]:
        """Return the models of all clusters, with the cluster that each is first met in."""
        found: dict[type[Model], tuple[Cluster, str]] = {}
        for cluster in self.clusters.values():
            for name, model in cluster.models.items():
                found.setdefault(model, (cluster, name))
        return found

    def _all_names(self) -> Mapping[type[Model], str]:
        names = {
            model: get_object_definition(type_, strict=True).name
            for model, type_ in self._types.items()
        }
        nodes = self._nodes()
        for model, (_, name) in nodes.items():
            names.setdefault(model, name)
        for model in [*nodes]:
            for target in _targets(model):
                names.setdefault(target, target.__name__)
        by_name: dict[str, type[Model]] = {}
        for model, name in names.items():
            other = by_name.setdefault(name, model)
            if other is not model:
                raise ImproperlyConfigured(
                    f"{other._meta.label} and {model._meta.label} would both be the type {name}. "
                    "Declare one with gql_cluster.type and give it another name."
                )
        return names

    def _make_bare(self) -> None:
        namespace: dict[str, Any] = {}
        nodes = self._nodes()
        for model, name in self._names.items():
            if model in self._types:
                continue
            if model in nodes:
                cluster, node_name = nodes[model]
                node = cluster.spec.nodes[node_name]
                made = node_mirror(cluster, node, names=self._names, namespace=namespace)
            else:
                made = plain_mirror(model, name)
            self._types[model] = made
        namespace.update({self._names[model]: type_ for model, type_ in self._types.items()})


def _model_of(type_: Any) -> type[Model]:
    model: type[Model] = type_.__strawberry_django_definition__.model
    return model


def _types_below(type_: type[Any]) -> Iterator[type[Any]]:
    for field in get_object_definition(type_, strict=True).fields:
        if field.resolve_type() is UNRESOLVED:
            raise ImproperlyConfigured(
                f"The type of {type_.__name__}.{field.python_name} can't be found."
            )
        if isinstance(field, StrawberryDjangoField) and field.django_type is not None:
            yield field.django_type


def _targets(model: type[Model]) -> Iterator[type[Model]]:
    """Yield what a model's foreign keys and sets refer to, and what its generic relations list."""
    for field in model._meta.concrete_fields:
        if isinstance(field, ForeignKey) and not getattr(field.remote_field, "parent_link", False):
            yield field.remote_field.model
    for field in model._meta.many_to_many:
        if can_be_staged(field) and not is_tags(field):
            yield field.remote_field.model
    for field in generic_relations(model):
        yield field.related_model
