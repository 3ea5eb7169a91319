"""Which of a schema's types an object has, and rows as objects of their own kind."""

from __future__ import annotations

from typing import Any

from gql_cluster.orm.inheritance import concrete


def object_type_of(obj: object, info: Any) -> type[Any] | None:
    """Return the type that mirrors an object's model, or the nearest above; None where none does.

    That is, among the types of the schema that answers.
    """
    registry = _registry(info)
    found: type[Any] | None = None if registry is None else registry.object_of(type(obj))
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
        return concrete(queryset, kinds)

    get_queryset.hides = _hides(declared)  # type: ignore[attr-defined]
    cls.get_queryset = classmethod(get_queryset)


def hides_rows(type_: Any) -> bool:
    """Tell whether a type leaves out some rows of its model by the project's `get_queryset`."""
    return _hides(getattr(getattr(type_, "get_queryset", None), "__func__", None))


def _hides(get_queryset: object) -> bool:
    return get_queryset is not None and bool(getattr(get_queryset, "hides", True))


def _registry(info: Any) -> Any:
    """Return the registry of the schema that answers, None where that is none of ours."""
    schema = getattr(info.schema, "_strawberry_schema", info.schema)
    return getattr(schema, "registry", None)
