"""Columns as GraphQL describes them: the type of the values, and what is said of them."""

from __future__ import annotations

import datetime as dt
import inspect
from functools import cache
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
    Model,
)
from django.utils.dateparse import parse_duration
from django.utils.duration import duration_iso_string
from strawberry.scalars import Base64
from strawberry.schema.types.scalar import DEFAULT_SCALAR_REGISTRY
from strawberry_django.fields.types import field_type_map

from gql_cluster.api.choices import enum_of
from gql_cluster.orm.describe import AnyField, can_be_null


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


@cache
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
        return scalar_of(field.output_field)
    items = getattr(field, "base_field", None)
    if isinstance(items, Field):
        return list[scalar_of(items)]  # type: ignore[misc]
    known = (cls for cls in type(field).__mro__ if cls in _TYPES)
    return _TYPES[next(known, JSONField)]


def type_of(field: AnyField) -> Any:
    """Return the type of a column in the mirror: optional where a draft may lack the value."""
    scalar = scalar_of(field)
    is_null = can_be_null(field) or isinstance(field, FileField)
    if is_null or (field.blank and enum_of(field) is not None):
        return scalar | None
    return scalar


def describe_field(field: AnyField) -> str:
    """Return a field's `help_text`, or else its `verbose_name`."""
    text = str(field.help_text) or str(field.verbose_name)
    return text[:1].upper() + text[1:]


def description_of(model: type[Model]) -> str | None:
    """Return a model's docstring, None where it has but the one that Django writes."""
    fields = ", ".join(field.name for field in model._meta.fields)
    if not model.__doc__ or model.__doc__ == f"{model.__name__}({fields})":
        return None
    return inspect.cleandoc(model.__doc__)
