"""Columns as GraphQL describes them: the type of the values, and what is said of them."""

from __future__ import annotations

import datetime as dt
import inspect
from collections import ChainMap
from collections.abc import Mapping
from typing import Any

import strawberry
from django.db.models import (
    AutoField,
    BigAutoField,
    BigIntegerField,
    BinaryField,
    DurationField,
    FileField,
    ForeignKey,
    GeneratedField,
    ImageField,
    JSONField,
    Model,
    PositiveBigIntegerField,
    SmallAutoField,
)
from strawberry_django.fields.types import field_type_map

from gql_cluster.api.choices import enum_of
from gql_cluster.api.files import StoredFile, StoredImage
from gql_cluster.api.wire import BigInt, Bytes
from gql_cluster.orm.codec import items_of, value_field
from gql_cluster.orm.custom import custom
from gql_cluster.orm.describe import AnyField, can_be_null

_OWN: dict[type[Any], Any] = {
    AutoField: strawberry.ID,
    BigAutoField: strawberry.ID,
    BigIntegerField: BigInt,
    BinaryField: Bytes,
    DurationField: dt.timedelta,
    FileField: StoredFile,
    ImageField: StoredImage,
    PositiveBigIntegerField: BigInt,
    SmallAutoField: strawberry.ID,
}
# What a project has added to strawberry-django's is among it.
_TYPES: Mapping[Any, Any] = ChainMap(_OWN, field_type_map)


def scalar_of(field: AnyField) -> Any:
    """Return the type of a field's values: an enum, a scalar, or a file; never optional.

    A foreign key's is `ID`, that of a registered field what it was registered with. A subclass
    of a field has the type of its superclass; a field that `is_known` not, has `JSON`.
    """
    if isinstance(field, ForeignKey):
        return strawberry.ID
    registered = custom(field)
    if registered is not None:
        return registered.type
    enum = enum_of(field)
    if enum is not None:
        return enum
    if isinstance(field, GeneratedField):
        return scalar_of(value_field(field))
    items = items_of(field)
    if items is not None:
        each = scalar_of(items)
        return list[each | None] if items.null else list[each]  # type: ignore[valid-type]
    return _TYPES[_known(field) or JSONField]


def is_known(field: AnyField) -> bool:
    """Tell whether the values of a field have a type in GraphQL."""
    field = value_field(field)
    items = items_of(field)
    if items is not None and custom(field) is None:
        return is_known(items)
    return custom(field) is not None or _known(field) is not None


def _known(field: AnyField) -> type[Any] | None:
    return next((cls for cls in type(field).__mro__ if cls in _TYPES), None)


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
