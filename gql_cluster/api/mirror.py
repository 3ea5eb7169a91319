"""Mirror types: the Strawberry type of a model, for a saved object and for a draft's instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CellType, FunctionType, new_class
from typing import Any, TypeVar, cast

import strawberry
import strawberry_django
from django.db.models import ForeignKey, Model
from django.utils.text import capfirst
from graphql import GraphQLAbstractType, GraphQLResolveInfo, default_type_resolver, get_named_type
from strawberry import relay
from strawberry.types.base import get_object_definition
from strawberry.types.cast import get_strawberry_type_cast
from strawberry_django.fields.field import StrawberryDjangoField
from strawberry_django.optimizer import OptimizerStore
from strawberry_django.relay.utils import resolve_model_id
from strawberry_django.utils.typing import get_strawberry_annotations, is_auto
from typing_extensions import dataclass_transform

from gql_cluster.api.arguments import make_filter, make_order
from gql_cluster.api.children import Children, checked_limits, declare_limits
from gql_cluster.api.fields import MirrorField, connection_of
from gql_cluster.api.ids import draft_type, local_id
from gql_cluster.api.kinds import give_every_kind, object_type_of
from gql_cluster.api.labels import label_field, label_name, label_type
from gql_cluster.api.scalars import describe_field, description_of, type_of
from gql_cluster.improper import SetupError
from gql_cluster.orm.describe import AnyField
from gql_cluster.orm.instance import bound
from gql_cluster.orm.kinds import tags_named
from gql_cluster.service.view import View

T = TypeVar("T")

OWN_NAMES = frozenset({"id", "pk", "key"})


class Mirror:
    """What mirror types inherit.

    An id that a saved object and a draft of it never share, and the type that an object has
    where a field may give several: that of its own model, or of the nearest above.
    """

    @classmethod
    def is_type_of(cls, obj: Any, info: GraphQLResolveInfo[Any]) -> bool:
        """Tell whether an object is of this type; the model is for the caller to compare."""
        if get_named_type(info.return_type).name == get_object_definition(cls, strict=True).name:
            return True  # the field gives no other
        mine: object = object_type_of(obj, info)
        return mine is None or mine is cls

    @classmethod
    def resolve_type(
        cls, obj: Any, info: GraphQLResolveInfo[Any], abstract: GraphQLAbstractType
    ) -> Any:
        """Return the name of the type of what a field of an interface gives."""
        found = object_type_of(obj, info)
        if found is None or get_strawberry_type_cast(obj) is not None:
            return default_type_resolver(obj, info, abstract)
        return get_object_definition(found, strict=True).name

    @classmethod
    def resolve_id(cls, root: Any, *, info: strawberry.Info) -> Any:
        """Return what stands behind the type name in a global id."""
        at = bound(root)
        if at is None:
            type_: Any = cls
            return resolve_model_id(type_, root, info=info)
        return local_id(cast("View", at.family).draft.id, at.node.key)

    @classmethod
    def resolve_typename(cls, root: Any, info: strawberry.Info) -> str:
        """Return the type name in a global id."""
        at = bound(root)
        name = info.path.typename if at is None else draft_type(at.family.cluster.title)
        return name or cls.__name__


def _pk(root: strawberry.Parent[Any]) -> strawberry.ID | None:
    at = bound(root)
    pk = root.pk if at is None else at.node.pk
    return None if pk is None else strawberry.ID(str(pk))


def _key(root: strawberry.Parent[Any]) -> strawberry.ID | None:
    at = bound(root)
    return None if at is None else strawberry.ID(at.node.key)


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry_django.field,))
def mirror(  # noqa: PLR0913 - all by name, as in strawberry_django.type
    model: type[Model],
    *,
    name: str | None = None,
    description: str | None = None,
    filters: type | Any | None = strawberry.UNSET,
    ordering: type | Any | None = strawberry.UNSET,
    children: Mapping[str, Children] | None = None,
    **options: Any,
) -> Callable[[type[T]], type[T]]:
    """Declare the mirror of a model, as `strawberry_django.type` does, and fit for drafts.

    `id`, `pk` and `key` are added; a to-many relation gets a connection beside it. Filters and
    orderings that are not given are made of the fields that are declared without a permission;
    None is for none. `children` says by a relation's name how many children a commit takes in
    it. `options` are those of `strawberry_django.type`.
    """
    return _decorator(
        model, strawberry_django.type, name, description, filters, ordering, children, options
    )


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry_django.field,))
def interface(  # noqa: PLR0913 - all by name, as in strawberry_django.interface
    model: type[Model],
    *,
    name: str | None = None,
    description: str | None = None,
    filters: type | Any | None = strawberry.UNSET,
    ordering: type | Any | None = strawberry.UNSET,
    children: Mapping[str, Children] | None = None,
    **options: Any,
) -> Callable[[type[T]], type[T]]:
    """Declare what the mirrors of a model and of those that inherit its table have in common.

    It is an interface: declare the others' types as subclasses of it. A list of it gives each
    row as what it is. Rows of the model alone are of a type of their own, `Plain…`, unless one is
    declared for the model. All else is as in `type`.
    """
    return _decorator(
        model, strawberry_django.interface, name, description, filters, ordering, children, options
    )


def _decorator(  # noqa: PLR0913, PLR0917 - what both decorators take
    model: type[Model],
    declare: Callable[..., Any],
    name: str | None,
    description: str | None,
    filters: Any,
    ordering: Any,
    children: Mapping[str, Children] | None,
    options: Mapping[str, Any],
) -> Callable[[type[T]], type[T]]:
    limits = checked_limits(model, children or {})

    def decorate(cls: type[T]) -> type[T]:
        made = _with_bases(cls)
        if declare is strawberry_django.interface:
            give_every_kind(made)
        for own, resolver, text in (
            ("pk", _pk, "The database key; null until committed."),
            ("key", _key, "The node's key; null outside of a draft."),
        ):
            if own not in made.__dict__ and own not in made.__annotations__:
                setattr(made, own, strawberry.field(resolver=resolver, description=text))
        _resolve_auto(made, model)
        declared: Any = declare(
            model,
            name=name,
            description=description or description_of(model),
            field_cls=MirrorField,
            **options,
        )(made)
        _complete(declared, model)
        declare_limits(declared, limits)
        definition = declared.__strawberry_django_definition__
        fields = _plain_fields(declared, model)
        type_name = get_object_definition(declared, strict=True).name
        if filters is strawberry.UNSET:
            definition.filters = make_filter(model, type_name, fields)
            declared.__gql_cluster_filtered__ = fields
        else:
            definition.filters = filters
        if ordering is strawberry.UNSET:
            definition.ordering = make_order(model, type_name, fields)
        else:
            definition.ordering = ordering
        return declared  # type: ignore[no-any-return]

    return decorate


def filter_by_kind(interface_: Any, kinds: Mapping[str, str]) -> None:
    """Let lists of an interface be filtered by kind, unless their filter is the project's own.

    `kinds` are the lookups that lead to them, by the names of their types.
    """
    fields = vars(interface_).get("__gql_cluster_filtered__")
    if fields is not None and kinds:
        definition = interface_.__strawberry_django_definition__
        name = get_object_definition(interface_, strict=True).name
        definition.filters = make_filter(definition.model, name, fields, kinds)


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
    """Give each `auto` of a column or a label what a bare mirror gives it; `id` is ours."""
    columns: dict[str, Any] = {field.name: field for field in model._meta.concrete_fields}
    labelled = {label_name(field): field for field in columns.values()}
    for name, annotation in get_strawberry_annotations(cls).items():
        if not is_auto(annotation.annotation):
            continue
        given = cls.__dict__.get(name)
        field = columns.get(getattr(given, "django_name", None) or name)
        if name == "id":
            del cls.__annotations__[name]
        elif tags_named(model, getattr(given, "django_name", None) or name):
            cls.__annotations__[name] = list[str]
        elif field is not None and not isinstance(field, ForeignKey):
            cls.__annotations__[name] = type_of(field)
        elif name in labelled and given is None and not hasattr(model, name):
            cls.__annotations__[name] = label_type(labelled[name])
            setattr(cls, name, label_field(labelled[name]))


def _complete(cls: Any, model: type[Model]) -> None:
    """Make all fields of a type ours, describe them, and add the connections."""
    definition = get_object_definition(cls, strict=True)
    definition.fields.sort(key=lambda field: field.python_name not in {"_id", *OWN_NAMES})
    names = {field.python_name for field in definition.fields}
    columns = {field.name: field for field in model._meta.concrete_fields}
    to_many: dict[str, Any] = {
        getattr(field, "get_accessor_name", lambda f=field: f.name)(): field.related_model
        for field in model._meta.get_fields()
        if field.one_to_many or field.many_to_many
    }
    for field in list(definition.fields):
        if type(field) is StrawberryDjangoField:
            field.__class__ = MirrorField  # made by `strawberry_django.field()`; no other state
        if not isinstance(field, MirrorField):
            continue
        name = field.django_name or ""
        if field.rows is not None:
            where = f"{cls.__name__}.{field.python_name}"
            if name not in to_many:
                raise SetupError(
                    "E012",
                    f"{where}: “{name}” is no list of {model._meta.label}.",
                    hint="Name a relation to many rows, and then a manager of its model.",
                )
            field.rows = field.rows.of(to_many[name], where)
        if tags_named(model, name):
            field.store |= OptimizerStore.with_hints(prefetch_related=[name])
        column = columns.get(field.django_name or "")
        if field.description is None and column is not None:
            field.description = describe_field(column)
        elif field.description is None and field.django_name in to_many:
            field.description = capfirst(str(to_many[field.django_name]._meta.verbose_name_plural))
        connection = f"{field.python_name}_connection"
        if (
            field.django_name in to_many
            and not tags_named(model, name)
            and field.base_resolver is None
            and not field.extensions
            and connection not in names
        ):
            definition.fields.append(connection_of(field, cls))


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
