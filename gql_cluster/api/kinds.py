"""Which of a schema's types an object has, and rows as objects of their own kind."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from django.db.models import Model, QuerySet
from graphql import GraphQLResolveInfo, get_named_type
from strawberry_django.queryset import run_type_get_queryset

from gql_cluster.orm.inheritance import concrete

if TYPE_CHECKING:
    _Base = QuerySet[Any]
else:
    _Base = QuerySet


def object_type_of(obj: object, info: GraphQLResolveInfo[Any]) -> type[Any] | None:
    """Return the type that a field gives of an object; None where the schema has none.

    It is that of the object's model, or of the nearest above: of those that implement the field's
    interface, if that is one of ours.
    """
    registry = _registry(info)
    if registry is None:
        return None
    found: type[Any] | None = registry.object_of(
        type(obj), registry.interface_named(get_named_type(info.return_type).name)
    )
    return found


def give_every_kind(cls: type[Any]) -> None:
    """Let the `get_queryset` of an interface, and of its types, give each row as what it is.

    As strawberry-django has it, so that whatever asks for rows asks it: lists, connections,
    foreign keys, `node`.
    """
    declared: Any = getattr(getattr(cls, "get_queryset", None), "__func__", None)

    def get_queryset(type_: type[Any], /, queryset: Any, info: Any, **kwargs: Any) -> Any:
        if declared is not None:
            queryset = declared(type_, queryset, info, **kwargs)
        registry = _registry(info)
        kinds = () if registry is None else registry.kinds_of(queryset.model)
        for kind in kinds:
            seen_as = registry.object_of(kind)
            if hides_besides(seen_as, registry.type_of(queryset.model)):
                queryset = _without_hidden(queryset, kind, seen_as, info)
        is_selecting = hasattr(queryset, "select_subclasses")
        return _settled(concrete(queryset, kinds)) if kinds or is_selecting else queryset

    get_queryset.hides = _hides(declared)  # type: ignore[attr-defined]
    get_queryset.is_own = "get_queryset" in vars(cls)  # type: ignore[attr-defined]
    cls.get_queryset = classmethod(get_queryset)


class _Settled(_Base):
    """A queryset that gives rows of the kinds it was told of, whatever the optimizer thinks.

    strawberry-django's takes proxies for kinds; and it asks for the key by which a kind's table
    leads to its parent's as if it were the parent's column, where places are below hours which
    are below places.
    """

    def select_subclasses(self, *_: object) -> Any:
        """Do what is done already."""
        return self

    def only(self, *names: str) -> Any:
        """Leave out what is no column."""
        known = {each.attname for each in self.model._meta.concrete_fields}
        known |= {each.name for each in self.model._meta.get_fields()}
        return super().only(*(name for name in names if name.partition("__")[0] in known))


def _settled(queryset: QuerySet[Any]) -> QuerySet[Any]:
    if isinstance(queryset, _Settled):
        return queryset
    made = object.__new__(_settling(type(queryset)))
    made.__dict__.update(queryset.__dict__)
    return made


@cache
def _settling(queryset_class: type[QuerySet[Any]]) -> type[QuerySet[Any]]:
    return type(queryset_class.__name__, (_Settled, queryset_class), {})


def hides_rows(type_: Any, info: Any) -> bool:
    """Tell whether a type leaves out rows by a `get_queryset`, or that of one of its kinds does."""
    registry = _registry(info)
    return hides(type_) or (registry is not None and registry.hides_kinds(type_))


def hides(type_: Any) -> bool:
    """Tell whether a type leaves out some rows of its model by the project's `get_queryset`."""
    return _hides(getattr(getattr(type_, "get_queryset", None), "__func__", None))


def hides_besides(type_: type[Any], above: type[Any]) -> bool:
    """Tell whether a type leaves out rows that one above it does not."""
    own: list[Any] = [
        vars(each)["get_queryset"].__func__
        for each in type_.__mro__
        if "get_queryset" in vars(each) and not issubclass(above, each)
    ]
    return any(getattr(each, "is_own", True) for each in own)


def _without_hidden(queryset: Any, kind: type[Model], type_: type[Any], info: Any) -> Any:
    """Leave out the rows of a kind that its own type hides."""
    seen = run_type_get_queryset(kind._default_manager.all(), type_, info)
    hidden = kind._base_manager.exclude(pk__in=seen.order_by().values("pk"))
    return queryset.exclude(pk__in=hidden.order_by().values("pk"))


def _hides(get_queryset: object) -> bool:
    return get_queryset is not None and bool(getattr(get_queryset, "hides", True))


def _registry(info: Any) -> Any:
    """Return the registry of the schema that answers, None where that is none of ours."""
    schema = getattr(info.schema, "_strawberry_schema", info.schema)
    return getattr(schema, "registry", None)
