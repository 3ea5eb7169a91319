"""Values of Django fields as JSON, and back: exact, and the same for equal values."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import enum
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from django.db.models import (
    BinaryField,
    DecimalField,
    ForeignKey,
    JSONField,
    Model,
)
from django.db.models.fields.files import FieldFile
from django.utils import timezone
from django.utils.duration import duration_iso_string

from gql_cluster.domain.node import Json
from gql_cluster.orm.describe import AnyField, has_default, is_text, stored_fields


def encode(field: AnyField, value: Any) -> Json:
    """Return a field's value as JSON; equal values give equal JSON.

    Raises Django's `ValidationError` for a value that the field can't hold.
    """
    if isinstance(field, ForeignKey):
        return encode(_target(field), value.pk if isinstance(value, Model) else value)
    if isinstance(field, JSONField):
        return value  # type: ignore[no-any-return]
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None:
        return None
    if isinstance(field, DecimalField):
        return _decimal(field, field.to_python(value))
    if isinstance(value, str) and not is_text(field):
        value = field.to_python(value)
    return _plain(value)


def decode(field: AnyField, value: Json) -> Any:
    """Return the Python value that `encode` made JSON of."""
    if isinstance(field, ForeignKey):
        return decode(_target(field), value)
    if value is None or isinstance(field, JSONField):
        return value
    if isinstance(field, BinaryField):
        return base64.b64decode(str(value))
    return field.to_python(value)


@lru_cache(maxsize=None)
def encoder(field: AnyField) -> Callable[[Any], Json]:
    """Return `encode` for one field."""
    return lambda value: encode(field, value)


def defaults(model: type[Model]) -> Mapping[str, Json]:
    """Return what a new object holds before anybody sets anything, by field name."""
    return {
        field.name: encode(field, field.get_default())
        for field in stored_fields(model)
        if has_default(field) or (is_text(field) and not field.null)
    }


def pk_field(model: type[Model]) -> AnyField:
    """Return the field that a model's primary key values are of, past parent links."""
    return _target(model._meta.pk)


def _target(field: AnyField) -> AnyField:
    while isinstance(field, ForeignKey):
        field = field.target_field
    return field


def _decimal(field: DecimalField[Any, Any], value: decimal.Decimal) -> str:
    step = decimal.Decimal(1).scaleb(-field.decimal_places)
    return format(value.quantize(step) if value.is_finite() else value, "f")


def _plain(value: Any) -> Json:
    match value:
        case FieldFile():
            return value.name or ""
        case dt.datetime():
            if timezone.is_aware(value):
                value = value.astimezone(dt.UTC)
            return value.isoformat()
        case dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return duration_iso_string(value)
        case decimal.Decimal():
            return format(value, "f")
        case uuid.UUID():
            return str(value)
        case bytes() | memoryview() | bytearray():
            return base64.b64encode(bytes(value)).decode()
        case bool() | int() | float() | str() | list() | dict():
            return value
        case _:
            return str(value)
