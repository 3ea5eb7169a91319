"""The registry: the mirror type of every model that a schema's clusters consist of or refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakSet

from django.conf import settings
from django.db.models import ForeignKey, Model
from django.urls import URLPattern, URLResolver, get_resolver
from graphql import specified_scalar_types
from modelcluster.models import ClusterableModel
from strawberry.types.base import get_object_definition
from strawberry.types.field import UNRESOLVED
from strawberry_django.fields.field import StrawberryDjangoField
from strawberry_django.utils.typing import has_django_definition

from gql_cluster.api.bare import Shape, is_bare, node_mirror, own_mirror, plain_mirror
from gql_cluster.api.children import limited
from gql_cluster.api.kinds import hides, hides_besides
from gql_cluster.api.mirror import Mirror, filter_by_kind
from gql_cluster.api.names import own_name_of
from gql_cluster.api.optimizing import know_kinds
from gql_cluster.improper import SetupError
from gql_cluster.orm.describe import AnyField, Cluster, describe
from gql_cluster.orm.inheritance import kinds, path_to
from gql_cluster.orm.kinds import can_be_staged, generic_relations, is_tags

_MADE: WeakSet[Registry] = WeakSet()
"""Those of the schemas of this process, for the system checks."""


def served_columns() -> set[AnyField]:
    """Return the columns that the schemas made so far serve."""
    return {column for registry in _MADE for column in registry.columns()}


def served_clusters() -> dict[str, Cluster]:
    """Return the clusters that this project serves, by name: those of the schemas in its URLs.

    Where none is there, those of all schemas that importing the URLs has made.
    """
    views = _views(get_resolver().url_patterns) if getattr(settings, "ROOT_URLCONF", None) else ()
    schemas: list[Any] = [getattr(each, "view_initkwargs", {}).get("schema") for each in views]
    registries = [each.registry for each in schemas if hasattr(each, "registry")]
    return {n: each for made in registries or _MADE for n, each in made.clusters.items()}


def _views(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[Any]:
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from _views(each.url_patterns)
        else:
            yield each.callback


class Registry:
    """The clusters of a schema and their types: the declared ones, and bare mirrors for the rest.

    A model whose table other mirrored models inherit is mirrored twice: by the interface that
    they have in common, and by the type of its own rows. Raises `SetupError` for what can't be
    one schema, with a message for its author.
    """

    def __init__(self, clusters: Sequence[type[Any]]) -> None:
        """Take the root models, or the types declared for them.

        `clusters` has them by the name that is stored.
        """
        self._interfaces: dict[type[Model], type[Any]] = {}
        self._objects: dict[type[Model], type[Any]] = {}
        self._declared: set[type[Any]] = set()
        self.clusters: dict[str, Cluster] = {}
        _require_classes(clusters)
        declared = [each for each in clusters if not issubclass(each, Model)]
        for each in declared:
            self._declare(each)
        for each in clusters:
            self._describe(each if issubclass(each, Model) else _model_of(each))
        self._names = self._all_names()
        self._make_bare()
        self._by_name = {self._names[model]: each for model, each in self._interfaces.items()}
        self.hiding = frozenset(model for model in self._names if self.hides(model))
        """The models whose types leave out some of their rows."""
        self.unshown: dict[str, Mapping[str, frozenset[str]]] = {}
        """What `api.unshown` has found, by cluster."""
        _MADE.add(self)

    def columns(self) -> Iterator[AnyField]:
        """Yield what is served of the models: all that nodes hold, and what types show."""
        nodes = self._nodes()
        for model, type_ in self._objects.items():
            fields = get_object_definition(type_, strict=True).fields
            shown = {getattr(field, "django_name", None) for field in fields}
            for column in model._meta.concrete_fields:
                if model in nodes or column.name in shown:
                    yield column

    @property
    def types(self) -> Sequence[type[Any]]:
        """All mirror types, for `strawberry.Schema(types=…)`."""
        return (*self._interfaces.values(), *self._objects.values())

    def type_of(self, model: type[Model]) -> type[Any]:
        """Return the type of a field that gives a model's rows, perhaps an interface.

        Raises `KeyError` for a model that is not here.
        """
        return self._interfaces.get(model) or self._objects[model]

    def object_of(self, model: type[Any], interface: type[Any] | None = None) -> type[Any] | None:
        """Return the type of an object of a model: the model's own, or the nearest above.

        That is, of those that implement an interface, if one is given.
        """
        found = (self._objects[each] for each in model.__mro__ if each in self._objects)
        return next((each for each in found if not interface or issubclass(each, interface)), None)

    def interface_named(self, name: str) -> type[Any] | None:
        """Return the interface that mirrors a model and has a GraphQL name."""
        return self._by_name.get(name)

    def kinds_of(self, model: type[Model]) -> Sequence[type[Model]]:
        """Return the models whose types implement a model's interface, none where it has none."""
        above = self._interfaces.get(model)
        return () if above is None else [kind for kind in kinds(model) if self._is(kind, above)]

    def hides_kinds(self, type_: type[Any]) -> bool:
        """Tell whether the type of a kind of an interface's model leaves out some rows."""
        model = next((m for m, each in self._interfaces.items() if each is type_), None)
        below = () if model is None else self.kinds_of(model)
        return any(hides_besides(self._objects[kind], type_) for kind in below)

    def hides(self, model: type[Model]) -> bool:
        """Tell whether a model's type leaves out some rows, or that of one of its kinds does."""
        type_ = self.type_of(model)
        return hides(type_) or self.hides_kinds(type_)

    def name_of(self, model: type[Model]) -> str:
        """Return the name that a model has in the schema: that of `type_of` it."""
        return self._names[model]

    def typename_of(self, model: type[Model]) -> str:
        """Return the GraphQL name of the type of a model's own rows, or of the nearest above."""
        return get_object_definition(self.object_of(model), strict=True).name

    def _is(self, kind: type[Model], above: type[Any]) -> bool:
        return any(issubclass(each[kind], above) for each in self._all() if kind in each)

    def _all(self) -> tuple[dict[type[Model], type[Any]], ...]:
        return self._interfaces, self._objects

    # Declared types

    def _declare(self, root: type[Any]) -> None:
        """Take a declared type, and those that its fields lead to; the first of a model counts."""
        if not has_django_definition(root) or not issubclass(root, Mirror):
            raise SetupError(
                "E005",
                f"{root.__name__} is neither a model nor declared with gql_cluster.type.",
                hint="Give Schema(clusters=[…]) models, or types of gql_cluster.type.",
            )
        waiting = [root]
        seen: set[type[Any]] = set()
        while waiting:
            each = waiting.pop(0)
            if each not in seen:
                seen.add(each)
                definition = get_object_definition(each, strict=True)
                self._declared.add(each)
                found = self._interfaces if definition.is_interface else self._objects
                found.setdefault(_model_of(each), each)
                waiting += [*_interfaces_of(each), *_types_below(each), *_derived(each)]

    def _describe(self, model: type[Model]) -> None:
        if not issubclass(model, ClusterableModel) or model._meta.abstract:
            what = "abstract" if model._meta.abstract else "not a ClusterableModel"
            raise SetupError(
                "E006",
                f"{model._meta.label} is no cluster: it is {what}.",
                hint="Derive a model with a table from modelcluster.models.ClusterableModel.",
            )
        declared = {**self._objects, **self._interfaces}
        # Of what is declared as a type of its own, and no interface, there are no kinds to tell.
        cluster = describe(model).without_kinds(self._objects.keys() - self._interfaces.keys())
        cluster = limited(cluster, declared)
        if model in declared:
            title = get_object_definition(declared[model], strict=True).name
            cluster = replace(cluster, title=title)
        other = self.clusters.get(cluster.name)
        if other is not None:
            what = "twice" if other.model is model else f"and so is {other.label}"
            raise SetupError(
                "E007",
                f"{cluster.label} is registered as the cluster {cluster.name}, {what}.",
                hint="Name each root once, and give models of one schema names of their own.",
            )
        for each in cluster.models.values():
            made = self._objects.get(each)
            if made is not None and not issubclass(made, Mirror):
                raise SetupError(
                    "E008",
                    f"{made.__name__} mirrors {each._meta.label}, which belongs to the cluster "
                    f"{cluster.name}: declare it with gql_cluster.type.",
                    hint="It takes what strawberry_django.type takes.",
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
            for model, type_ in {**self._objects, **self._interfaces}.items()
        }
        nodes = self._nodes()
        for model, (_, name) in nodes.items():
            names.setdefault(model, name)
        for model in [*nodes]:
            for target in _targets(model):
                names.setdefault(target, target.__name__)
        by_name: dict[str, type[Model]] = {}
        for model, name in names.items():
            if name in specified_scalar_types:
                raise SetupError(
                    "E009",
                    f"{model._meta.label} would be the type {name}, which is GraphQL's own.",
                    hint="Declare it with gql_cluster.type and give it another name.",
                )
            other = by_name.setdefault(name, model)
            if other is not model:
                raise SetupError(
                    "E009",
                    f"{other._meta.label} and {model._meta.label} would both be the type {name}.",
                    hint="Declare one with gql_cluster.type and give it another name.",
                )
        return names

    def _make_bare(self) -> None:
        namespace: dict[str, Any] = {}
        nodes = self._nodes()
        # What is inherited from comes first.
        for model in sorted(self._names, key=lambda each: len(each._meta.all_parents)):
            if model not in self._interfaces and self._has_kinds(model):
                self._interfaces[model] = self._made(model, nodes, namespace, is_interface=True)
            if model in self._objects:
                continue
            if model in self._interfaces:
                self._objects[model] = self._own(model)
            else:
                self._objects[model] = self._made(model, nodes, namespace, is_interface=False)
        namespace.update({self._names[model]: self.type_of(model) for model in self._names})
        for model, type_ in self._interfaces.items():
            below = {self._names[k]: path_to(model, k) for k in reversed(self.kinds_of(model))}
            filter_by_kind(type_, below)
            know_kinds(model)

    def _own(self, model: type[Model]) -> type[Any]:
        name = own_name_of(self._names[model])
        other = next((each for each, taken in self._names.items() if taken == name), None)
        if other is not None:
            raise SetupError(
                "E009",
                f"The rows of {model._meta.label} alone and {other._meta.label} would both be the "
                f"type {name}.",
                hint="Declare one with gql_cluster.type and give it another name.",
            )
        return own_mirror(model, name, self._interfaces[model])

    def _has_kinds(self, model: type[Model]) -> bool:
        """Tell whether a model that has no declared type is the parent of others that have none."""
        bare = [kind for kind in kinds(model) if kind in self._names and kind not in self._objects]
        return model not in self._objects and bool(bare)

    def _made(
        self,
        model: type[Model],
        nodes: Mapping[type[Model], tuple[Cluster, str]],
        namespace: dict[str, Any],
        *,
        is_interface: bool,
    ) -> type[Any]:
        stored = model._meta.concrete_model or model
        above = [
            type_
            for parent, type_ in self._interfaces.items()
            if parent is not model and stored in (parent, *kinds(parent))
        ]
        shape = Shape(
            name=self._names[model],
            declared=tuple(each for each in above if each in self._declared),
            # Each brings those above itself.
            bases=tuple(
                each
                for each in above
                if not any(other is not each and issubclass(other, each) for other in above)
            ),
            is_interface=is_interface,
        )
        if model not in nodes:
            return plain_mirror(model, shape)
        cluster, name = nodes[model]
        node = cluster.spec.nodes[name]
        return node_mirror(cluster, node, shape, names=self._names, namespace=namespace)


def _require_classes(clusters: object) -> None:
    if isinstance(clusters, type | str) or not isinstance(clusters, Iterable):
        raise SetupError(
            "E005",
            f"Schema(clusters=…) is {clusters!r}, and no list.",
            hint="Give it a list of models, or of types of gql_cluster.type.",
        )
    for each in clusters:
        if not isinstance(each, type):
            raise SetupError(
                "E005",
                f"{each!r} is neither a model nor declared with gql_cluster.type.",
                hint="Give Schema(clusters=[…]) the classes themselves.",
            )


def _model_of(type_: Any) -> type[Model]:
    model: type[Model] = type_.__strawberry_django_definition__.model
    return model


def _interfaces_of(type_: type[Any]) -> Iterator[type[Any]]:
    """Yield the interfaces that a declared type implements and that mirror models."""
    for each in get_object_definition(type_, strict=True).interfaces:
        if has_django_definition(each.origin):
            yield each.origin


def _derived(type_: type[Any]) -> Iterator[type[Any]]:
    """Yield the types that a project has derived of an interface."""
    for each in type_.__subclasses__():
        if has_django_definition(each) and not is_bare(each):
            yield each


def _types_below(type_: type[Any]) -> Iterator[type[Any]]:
    for field in get_object_definition(type_, strict=True).fields:
        if field.resolve_type() is UNRESOLVED:
            raise SetupError(
                "E010",
                f"The type of {type_.__name__}.{field.python_name} can't be found.",
                hint="Name a type that can be imported from where the field is declared.",
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
