"""The inputs that a mirror type's lists are filtered and ordered by."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from enum import Enum
from functools import reduce
from operator import or_
from typing import Any

import strawberry
import strawberry_django
from django.db.models import ForeignKey, Model, Q
from strawberry.types.base import get_object_definition
from strawberry.types.enum import EnumValueDefinition
from strawberry_django.fields import filter_types
from strawberry_django.fields.filter_order import filter_field
from strawberry_django.fields.filter_types import BaseFilterLookup
from strawberry_django.ordering import Ordering

from gql_cluster.api.choices import enum_of
from gql_cluster.api.names import singular
from gql_cluster.api.scalars import describe_field, scalar_of
from gql_cluster.api.wire import BigInt
from gql_cluster.improper import SetupError
from gql_cluster.orm.codec import is_coded
from gql_cluster.orm.describe import AnyField

_OPERATORS = {
    "pk": "The primary key.",
    "AND": "And this holds, too.",
    "OR": "Or else this holds.",
    "NOT": "And this does not hold.",
    "DISTINCT": "Each one once.",
}


@strawberry.input(description="Filters by a text.")
class TextFilterLookup(BaseFilterLookup[str]):
    """strawberry-django's lookups of text without the regular expressions.

    A client's own pattern could hold up the process (SQLite evaluates it in Python) or the
    database for as long as it likes.
    """

    i_exact: str | None = filter_field(description="Exact match, in upper or lower case.")
    contains: str | None = filter_field(description="Has this text in it.")
    i_contains: str | None = filter_field(description="Has it in it, in upper or lower case.")
    starts_with: str | None = filter_field(description="Starts with this text.")
    i_starts_with: str | None = filter_field(
        description="Starts with this text, in upper or lower case."
    )
    ends_with: str | None = filter_field(description="Ends with this text.")
    i_ends_with: str | None = filter_field(
        description="Ends with this text, in upper or lower case."
    )


def make_filter(
    model: type[Model],
    name: str,
    fields: Mapping[str, AnyField],
    kinds: Mapping[str, str] | None = None,
) -> Any:
    """Return the filter of a type, by its primary key and these fields.

    `kinds` are the lookups that lead to the kinds of the model, by the names of their types.
    """
    annotations: dict[str, Any] = {"pk": BaseFilterLookup[strawberry.ID] | None}
    for field_name, field in fields.items():
        lookup = _lookup(field)
        if lookup is not None:
            annotations[field_name] = lookup | None
    description = f"Which {model._meta.verbose_name_plural} are asked for: all of it must hold."
    made = strawberry_django.filter_type(model, name=f"{name}Filter", description=description)
    members = {"kind": _kind_filter(name, kinds)} if kinds and "kind" not in fields else {}
    return _described(made(_class(f"{name}Filter", annotations, members)), fields)


def _kind_filter(name: str, kinds: Mapping[str, str]) -> Any:
    """Return the member of a filter by which rows of some kinds are asked for."""
    values = {
        singular(kind).upper(): EnumValueDefinition(value=path, description=f"A {kind}.")
        for kind, path in kinds.items()
    }
    if len(values) < len(kinds):
        raise SetupError(
            "E009",
            f"Two kinds of {name} would be one value of the filter by kind: {', '.join(kinds)}.",
            hint="Give one of the models another name; `db_table` keeps its table as it is.",
        )
    make: Any = Enum
    enum = strawberry.enum(
        make(f"{name}Kind", values, module=__name__), description=f"The kinds of a {name}."
    )

    def kind(self: object, value: list[Any], prefix: str) -> Q:
        del self
        asked = [Q(**{f"{prefix}{each.value}__isnull": False}) for each in value]
        return reduce(or_, asked, Q(**{f"{prefix}pk__in": []}))

    kind.__annotations__["value"] = list[enum]  # type: ignore[valid-type]
    return filter_field(resolver=kind, description="Of one of these kinds, or a kind of one.")


def make_order(model: type[Model], name: str, fields: Mapping[str, AnyField]) -> Any:
    """Return the ordering of a type, by its primary key and these fields."""
    names = ["pk", *(name for name, field in fields.items() if is_sortable(field))]
    annotations = dict.fromkeys(names, Ordering)
    description = f"What {model._meta.verbose_name_plural} are ordered by: one field."
    made = strawberry_django.order_type(model, name=f"{name}Order", description=description)
    return _described(made(_class(f"{name}Order", annotations)), fields)


def _described(input_type: Any, fields: Mapping[str, AnyField]) -> Any:
    """Describe the members of an input as the columns that they are about."""
    for member in get_object_definition(input_type, strict=True).fields:
        column = fields.get(member.python_name)
        text = _OPERATORS.get(member.python_name, member.description)
        member.description = text if column is None else describe_field(column)
    return input_type


def is_sortable(field: AnyField) -> bool:
    """Tell whether clients may order by a field."""
    return not isinstance(field, ForeignKey) and _lookup(field) is not None


def _lookup(field: AnyField) -> Any:
    """Return the input that filters by a field, None where it can't be filtered by."""
    scalar = scalar_of(field)
    if is_coded(field):
        return None
    if scalar is str:
        return TextFilterLookup
    if scalar in {strawberry.ID, uuid.UUID} or enum_of(field) is not None:
        exact: Any = BaseFilterLookup
        return exact[scalar]
    if scalar in {dt.timedelta, BigInt}:
        comparison: Any = filter_types.ComparisonFilterLookup
        return comparison[scalar]
    lookup: Any = filter_types.type_filter_map.get(scalar)
    return lookup[scalar] if getattr(lookup, "__parameters__", ()) else lookup


def _class(
    name: str, annotations: Mapping[str, Any], members: Mapping[str, Any] | None = None
) -> type:
    own = {"__annotations__": dict(annotations), "__module__": __name__}
    return type(name, (), {**own, **(members or {})})
