"""Mirror types: the Strawberry type of a model, for a saved object and for a draft's instance."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import CellType, FunctionType, new_class
from typing import Any, TypeVar

import strawberry
import strawberry_django
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.db.models import FileField, ForeignKey, Model
from modelcluster.fields import ParentalKey
from strawberry import relay
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.base import get_object_definition
from strawberry_django.fields.field import (
    StrawberryDjangoConnectionExtension,
    StrawberryDjangoField,
)
from strawberry_django.relay import DjangoListConnection, resolve_model_id
from strawberry_django.utils.typing import get_strawberry_annotations, is_auto, unwrap_type
from typing_extensions import dataclass_transform

from gql_cluster.api.arguments import make_filter, make_order
from gql_cluster.api.choices import enum_of
from gql_cluster.api.fields import MirrorField
from gql_cluster.api.ids import draft_type, local_id
from gql_cluster.api.scalars import scalar_of
from gql_cluster.domain.spec import NodeSpec
from gql_cluster.orm.describe import AnyField, can_be_null, stored_fields
from gql_cluster.orm.instance import bound

T = TypeVar("T")

OWN_NAMES = frozenset({"id", "pk", "key"})


class Mirror:
    """What mirror types inherit: an id that a saved object and a draft of it never share."""

    @classmethod
    def resolve_id(cls, root: Any, *, info: strawberry.Info) -> Any:
        """Return what stands behind the type name in a global id."""
        at = bound(root)
        if at is None:
            return resolve_model_id(cls, root, info=info)
        return local_id(at.family.draft.id, at.node.key)

    @classmethod
    def resolve_typename(cls, root: Any, info: strawberry.Info) -> str:
        """Return the type name in a global id."""
        at = bound(root)
        name = info.path.typename if at is None else draft_type(at.family.cluster.name)
        return name or cls.__name__


def _pk(root: strawberry.Parent[Any]) -> strawberry.ID | None:
    at = bound(root)
    pk = root.pk if at is None else at.node.pk
    return None if pk is None else strawberry.ID(str(pk))


def _key(root: strawberry.Parent[Any]) -> strawberry.ID | None:
    at = bound(root)
    return None if at is None else strawberry.ID(at.node.key)


class ConnectionField(MirrorField):
    """A connection of the same objects as a list field of the same type has."""

    def __init__(self, of: MirrorField | None = None, **kwargs: Any) -> None:
        """`of` is the list field."""
        super().__init__(**kwargs)
        self.of = of

    def __copy__(self) -> ConnectionField:
        copied: ConnectionField = super().__copy__()
        copied.of = self.of
        return copied

    def resolve_type(self, *, type_definition: Any = None) -> Any:
        """Return the connection to what the list field is a list of."""
        if self.of is not None and self.type_annotation is None:
            child: Any = unwrap_type(self.of.resolve_type(type_definition=type_definition))
            if not isinstance(child, type):
                return child
            self.type_annotation = StrawberryAnnotation(DjangoListConnection[child])  # type: ignore[valid-type]
        return super().resolve_type(type_definition=type_definition)


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry_django.field,))
def mirror(
    model: type[Model],
    *,
    name: str | None = None,
    description: str | None = None,
    filters: type | None | Any = strawberry.UNSET,
    ordering: type | None | Any = strawberry.UNSET,
    **options: Any,
) -> Callable[[type[T]], type[T]]:
    """Declare the mirror of a model, as `strawberry_django.type` does, and fit for drafts.

    `id`, `pk` and `key` are added; a to-many relation gets a connection beside it. Filters and
    orderings that are not given are made of the fields that are declared without a permission;
    None is for none. `options` are those of `strawberry_django.type`.
    """

    def decorate(cls: type[T]) -> type[T]:
        made = _with_bases(cls)
        for own, resolver, text in (
            ("pk", _pk, "The database key; null until committed."),
            ("key", _key, "The node's key; null outside of a draft."),
        ):
            if own not in made.__dict__ and own not in made.__annotations__:
                setattr(made, own, strawberry.field(resolver=resolver, description=text))
        _resolve_auto(made, model)
        declared: Any = strawberry_django.type(
            model,
            name=name,
            description=description or _description(model),
            field_cls=MirrorField,
            **options,
        )(made)
        _complete(declared, model)
        definition = declared.__strawberry_django_definition__
        fields = _plain_fields(declared, model)
        type_name = get_object_definition(declared, strict=True).name
        if filters is strawberry.UNSET:
            definition.filters = make_filter(model, type_name, fields)
        else:
            definition.filters = filters
        if ordering is strawberry.UNSET:
            definition.ordering = make_order(model, type_name, fields)
        else:
            definition.ordering = ordering
        return declared  # type: ignore[no-any-return]

    return decorate


def _with_bases(cls: type[Any]) -> type[Any]:
    """Return the class anew with our bases: Python can't add bases to a class that has none."""
    bases = tuple(base for base in cls.__bases__ if base is not object)
    if not issubclass(cls, Mirror):
        bases = (Mirror, *bases)
    if not issubclass(cls, relay.Node):
        bases = (*bases, relay.Node)
    namespace = {k: v for k, v in cls.__dict__.items() if k not in {"__dict__", "__weakref__"}}
    namespace["__annotations__"] = dict(namespace.get("__annotations__", {}))
    made = new_class(cls.__name__, bases, exec_body=lambda body: body.update(namespace))
    for value in namespace.values():  # so that `super()` means the new class in its methods
        function = getattr(value, "__func__", value)
        for cell in getattr(function, "__closure__", None) or ():
            if isinstance(function, FunctionType) and _holds(cell, cls):
                cell.cell_contents = made
    return made


def _holds(cell: CellType, cls: type[Any]) -> bool:
    try:
        return cell.cell_contents is cls
    except ValueError:
        return False


def _resolve_auto(cls: type[Any], model: type[Model]) -> None:
    """Give each `auto` of a column the type that a bare mirror gives it; `id` is ours."""
    columns: dict[str, Any] = {field.name: field for field in model._meta.concrete_fields}
    for name, annotation in get_strawberry_annotations(cls).items():
        if not is_auto(annotation.annotation):
            continue
        given = cls.__dict__.get(name)
        field = columns.get(getattr(given, "django_name", None) or name)
        if name == "id":
            del cls.__annotations__[name]
        elif field is not None and not isinstance(field, ForeignKey):
            cls.__annotations__[name] = type_of(field)


def _complete(cls: Any, model: type[Model]) -> None:
    """Make all fields of a type ours, describe them, and add the connections."""
    definition = get_object_definition(cls, strict=True)
    names = {field.python_name for field in definition.fields}
    columns = {field.name: field for field in model._meta.concrete_fields}
    to_many = {
        getattr(field, "get_accessor_name", lambda f=field: f.name)()
        for field in model._meta.get_fields()
        if field.one_to_many or field.many_to_many
    }
    for field in list(definition.fields):
        if type(field) is StrawberryDjangoField:
            field.__class__ = MirrorField  # made by `strawberry_django.field()`; no other state
        if not isinstance(field, MirrorField):
            continue
        column = columns.get(field.django_name or "")
        if field.description is None and column is not None:
            field.description = describe_field(column)
        connection = f"{field.python_name}_connection"
        if (
            field.django_name in to_many
            and field.base_resolver is None
            and not field.extensions
            and connection not in names
        ):
            definition.fields.append(_connection(cls, field, connection))


def _connection(cls: Any, field: MirrorField, name: str) -> ConnectionField:
    made = ConnectionField(
        of=field,
        python_name=name,
        django_name=field.django_name,
        description=field.description,
        filters=field.filters,
        ordering=field.ordering,
        origin=cls,
        extensions=[StrawberryDjangoConnectionExtension(max_results=None)],
        permission_classes=field.permission_classes,
    )
    made.is_relation = True
    made.origin_django_type = field.origin_django_type
    return made


def _plain_fields(cls: Any, model: type[Model]) -> Mapping[str, AnyField]:
    """Return the columns that a type shows to everybody, by name."""
    columns: dict[str, Any] = {}
    for column in model._meta.concrete_fields:
        columns |= {column.name: column, column.attname: column}
    return {
        field.django_name: columns[field.django_name]
        for field in get_object_definition(cls, strict=True).fields
        if isinstance(field, MirrorField)
        and field.base_resolver is None
        and not field.extensions
        and not field.permission_classes
        and field.django_name in columns
    }


# Bare models


def type_of(field: AnyField) -> Any:
    """Return the type of a column in the mirror; null where a draft may lack the value."""
    is_null = (
        can_be_null(field)
        or isinstance(field, FileField)
        or (enum_of(field) is not None and field.blank)
    )
    scalar = scalar_of(field)
    return scalar | None if is_null else scalar


def describe_field(field: AnyField) -> str:
    """Return a field's `help_text`, or else its `verbose_name`."""
    text = str(field.help_text) or str(field.verbose_name)
    return text[:1].upper() + text[1:]


def bare_mirror(
    model: type[Model],
    name: str,
    *,
    node: NodeSpec | None,
    names: Mapping[type[Model], str],
    namespace: dict[str, Any],
) -> type[Any]:
    """Return the whole mirror of a model that is not declared.

    `node` is its description if it belongs to a cluster; without one only the columns are
    mirrored, and of a user none. `names` are those of the types, `namespace` is where the types
    are found by name when the schema is built.
    """
    members: dict[str, Any] = {"__annotations__": {}, "__module__": __name__}
    columns = [] if issubclass(model, AbstractBaseUser) and node is None else stored_fields(model)
    for column in columns:
        if column.primary_key and column.name in OWN_NAMES:
            continue
        target = names.get(column.remote_field.model) if isinstance(column, ForeignKey) else None
        if target is not None and node is not None:
            is_null = column.null or not _is_only_parent(model, column)
            members[column.name] = _field(column.name, f"{target} | None" if is_null else target)
        elif isinstance(column, ForeignKey):
            members[column.attname] = _field(column.attname, strawberry.ID | None)
            members[column.attname].description = describe_field(column)
        else:
            members[column.name] = _field(column.name, type_of(column))
    if node is not None:
        children = {
            relation.name: model._meta.get_field(_query_name(model, relation.name)).related_model
            for relation in node.relations.values()
        }
        targets = {each: model._meta.get_field(each).related_model for each in node.sets}
        for each, target_model in {**children, **targets}.items():
            members[each] = _field(each, f"list[{names[target_model]}]")  # type: ignore[index]
    clash = OWN_NAMES.intersection(members)
    if clash:
        raise ImproperlyConfigured(
            f"{model._meta.label} has a field “{min(clash)}”, which every mirror type has for "
            f"itself. Declare its type with gql_cluster.type and give the field another name."
        )
    if node is None:
        members["key"] = None
    for member in members.values():
        if isinstance(member, MirrorField) and member.type_annotation is not None:
            member.type_annotation.namespace = namespace
    return mirror(model, name=name)(type(name, (), members))
