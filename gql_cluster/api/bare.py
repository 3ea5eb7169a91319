"""Bare mirrors: the whole type of a model that nobody has declared, made of its description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import strawberry
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import ForeignKey, Model
from modelcluster.fields import ParentalKey
from strawberry.annotation import StrawberryAnnotation

from gql_cluster.api.fields import MirrorField
from gql_cluster.api.labels import label_field, label_name, label_type
from gql_cluster.api.mirror import OWN_NAMES, interface, mirror
from gql_cluster.api.scalars import describe_field, type_of
from gql_cluster.domain.spec import NodeSpec
from gql_cluster.improper import SetupError
from gql_cluster.orm.describe import ORDER_COLUMN, AnyField, Cluster, stored_fields
from gql_cluster.orm.inheritance import kinds
from gql_cluster.orm.kinds import generic_relations

_BARE = "__gql_cluster_bare__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is made of a model: a type or an interface, and the interfaces that it implements.

    What models of `declared` ones have, these show or hide.
    """

    name: str
    bases: tuple[type[Any], ...] = ()
    declared: tuple[type[Any], ...] = ()
    is_interface: bool = False


class _Members:
    """The members of a class in the making; types that are not made yet are found by name."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.found: dict[str, Any] = {}
        self.annotations: dict[str, StrawberryAnnotation] = {}
        self._namespace = namespace

    def add(self, name: str, annotation: object, column: AnyField | None = None) -> None:
        self.annotations[name] = StrawberryAnnotation(annotation, namespace=self._namespace)
        description = None if column is None else describe_field(column)
        self.found[name] = MirrorField(django_name=name, description=description)


def node_mirror(
    cluster: Cluster,
    node: NodeSpec,
    shape: Shape,
    *,
    names: Mapping[type[Model], str],
    namespace: dict[str, Any],
) -> type[Any]:
    """Return the mirror of a cluster's node type: columns, children, sets, and the parent.

    A generic relation is a list of what is saved.

    `names` are those of all types; `namespace` is where types are found by name once the
    schema is built.
    """
    model = cluster.models[node.name]
    above = _above(shape)
    members = _Members(namespace)
    for column in _columns(model):
        if column.name in above:
            continue
        target = names.get(column.remote_field.model) if column.remote_field else None
        if target is None:
            _add_column(members, column)
        else:
            annotation = target if _is_parent(model, column) else f"{target} | None"
            members.add(column.name, annotation, column)
    children = {each.name: cluster.models[each.child] for each in node.relations.values()}
    for name, child in children.items():
        if name not in above:
            members.add(name, f"list[{names[child]}]")
    for each in node.sets.values():
        field: Any = model._meta.get_field(each.name)
        held = f"list[{names[field.related_model]}]" if each.target else list[str]
        if each.name not in above:
            members.add(each.name, held, field)
    for generic in generic_relations(model):
        if generic.name not in above:
            members.add(generic.name, f"list[{names[generic.related_model]}]")
    return _make(model, shape, members)


def plain_mirror(model: type[Model], shape: Shape) -> type[Any]:
    """Return the mirror of what a cluster refers to: its columns; of a user the key alone."""
    above = _above(shape)
    members = _Members({})
    if not issubclass(model, AbstractBaseUser):
        for column in _columns(model):
            if column.name not in above:
                _add_column(members, column)
    return _make(model, shape, members, key=None)  # it is in no draft


def own_mirror(model: type[Model], name: str, interface_: type[Any]) -> type[Any]:
    """Return the type of a model's own rows, where others inherit its table."""
    return _make(model, Shape(name=name, bases=(interface_,)), _Members({}))


def is_bare(type_: type[Any]) -> bool:
    """Tell whether a mirror is one that nobody has declared."""
    return _BARE in vars(type_)


def _above(shape: Shape) -> set[str]:
    """Return the names of what the declared interfaces of a type decide on."""
    return {
        name
        for base in shape.declared
        for field in base.__strawberry_django_definition__.model._meta.get_fields()
        for name in (field.name, getattr(field, "get_accessor_name", lambda f=field: f.name)())
    }


def _columns(model: type[Model]) -> list[Any]:
    return [
        column
        for column in stored_fields(model)
        if not (column.primary_key and column.name in OWN_NAMES) and column.name != ORDER_COLUMN
    ]


def _add_column(members: _Members, column: AnyField) -> None:
    if isinstance(column, ForeignKey):
        members.add(column.attname, strawberry.ID | None, column)
    else:
        members.add(column.name, type_of(column), column)
    name = label_name(column)
    if name is not None and not hasattr(column.model, name):
        members.annotations[name] = StrawberryAnnotation(label_type(column))
        members.found[name] = label_field(column)


def _is_parent(model: type[Model], column: AnyField) -> bool:
    """Tell whether a column is never null, in a draft neither: the key of the one parent.

    What kinds of the model have counts, too: its interface is theirs.
    """
    return not column.null and all(
        [field for field in each._meta.concrete_fields if isinstance(field, ParentalKey)]
        == [column]
        for each in (model, *kinds(model))
    )


def _make(model: type[Model], shape: Shape, members: _Members, **more: None) -> type[Any]:
    clash = [member for member in members.found if member in OWN_NAMES]
    if clash:
        raise SetupError(
            "E011",
            f"{model._meta.label} has a field “{clash[0]}”, which every mirror type has for "
            "itself.",
            hint="Declare its type with gql_cluster.type and give the field another name.",
        )
    namespace = {
        **members.found,
        **more,
        "__annotations__": members.annotations,
        "__module__": __name__,
    }
    declare = interface if shape.is_interface else mirror
    namespace[_BARE] = True
    made: type[Any] = declare(model, name=shape.name)(type(shape.name, shape.bases, namespace))
    return made
