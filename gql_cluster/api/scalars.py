"""Scalars: the GraphQL type of a model field's values, and how they can be filtered."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Any

import strawberry
from django.db.models import (
    AutoField,
    BinaryField,
    DurationField,
    Field,
    FileField,
    ForeignKey,
    GeneratedField,
    JSONField,
)
from django.utils.dateparse import parse_duration
from django.utils.duration import duration_iso_string
from strawberry.scalars import Base64
from strawberry.schema.types.scalar import DEFAULT_SCALAR_REGISTRY
from strawberry_django.fields import filter_types
from strawberry_django.fields.types import field_type_map

from gql_cluster.api.choices import enum_of
from gql_cluster.orm.describe import AnyField


def _duration(value: object) -> dt.timedelta:
    parsed = parse_duration(value) if isinstance(value, str) else None
    if parsed is None:
        raise ValueError(f"not a duration as in ISO 8601, such as P1DT2H3M4S: {value!r}")
    return parsed


# Strawberry and strawberry-django know no duration; this is where both look scalars up, and
# where strawberry-django puts its own.
DEFAULT_SCALAR_REGISTRY.setdefault(
    dt.timedelta,
    strawberry.scalar(
        name="Duration",
        description="A duration as in ISO 8601, such as P0DT00H02M42S.",
        specified_by_url="https://www.iso.org/iso-8601-date-and-time-format.html",
        serialize=duration_iso_string,
        parse_value=_duration,
    ),
)

_TYPES: dict[type[Any], Any] = {
    **field_type_map,
    AutoField: strawberry.ID,
    BinaryField: Base64,
    DurationField: dt.timedelta,
}


@lru_cache(maxsize=None)
def scalar_of(field: AnyField) -> Any:
    """Return the type of a field's values: an enum, a scalar, or a file; never optional.

    A foreign key's is `ID`. A subclass of a field has the type of its superclass; a field
    that is like none of Django's has `JSON`.
    """
    if isinstance(field, ForeignKey):
        return strawberry.ID
    enum = enum_of(field)
    if enum is not None:
        return enum
    if isinstance(field, GeneratedField):
        return scalar_of(field.output_field)  # type: ignore[attr-defined]
    items = getattr(field, "base_field", None)
    if isinstance(items, Field):
        return list[scalar_of(items)]  # type: ignore[misc]
    known = (cls for cls in type(field).__mro__ if cls in _TYPES)
    return _TYPES[next(known, JSONField)]


def lookup_of(field: AnyField) -> Any:
    """Return the input that filters by a field, None where it can't be filtered by."""
    scalar = scalar_of(field)
    if isinstance(field, FileField | JSONField | BinaryField) or not isinstance(scalar, type):
        return filter_types.BaseFilterLookup[strawberry.ID] if scalar is strawberry.ID else None
    if enum_of(field) is not None:
        return filter_types.BaseFilterLookup[scalar]  # type: ignore[valid-type]
    if scalar is dt.timedelta:
        return filter_types.ComparisonFilterLookup[dt.timedelta]
    lookup: Any = filter_types.type_filter_map.get(scalar)
    if lookup is None:
        return None
    return lookup[scalar] if getattr(lookup, "__parameters__", ()) else lookup


def is_sortable(field: AnyField) -> bool:
    """Tell whether clients may order by a field."""
    return not isinstance(field, ForeignKey) and lookup_of(field) is not None
