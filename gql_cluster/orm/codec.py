"""Values of Django fields as JSON, and back: exact, and the same for equal values."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import enum
import json
import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import NoneType
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import (
    BinaryField,
    DateField,
    DateTimeField,
    DecimalField,
    Field,
    ForeignKey,
    GeneratedField,
    JSONField,
    Model,
    UUIDField,
)
from django.db.models.fields.files import FieldFile
from django.utils import timezone
from django.utils.duration import duration_iso_string

from gql_cluster.domain.node import Json
from gql_cluster.orm.custom import custom
from gql_cluster.orm.describe import AnyField, has_default, is_text, stored_fields

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def encode(field: AnyField, value: Any) -> Json:
    """Return a field's value as JSON; equal values give equal JSON.

    Raises Django's `ValidationError` for what the field can't hold, and for what no store can:
    text with NUL or half of a surrogate pair, numbers that are not finite or need more than
    64 bits.
    """
    if isinstance(field, ForeignKey) and isinstance(value, Model):
        value = getattr(value, field.target_field.attname)
    try:
        encoded = _encode(value_field(field), value)
        _require_storable(encoded)
    except (ArithmeticError, TypeError, ValueError) as exc:
        message = f"“{field.name}” can't hold that: {exc}"
        raise ValidationError(message, code="invalid") from exc
    return encoded


def _encode(field: AnyField, value: Any) -> Json:
    if value is None:
        return None
    registered = custom(field)
    if registered is not None:
        return (registered.encode or field.get_prep_value)(value)
    if isinstance(field, JSONField):
        coded = json.loads(json.dumps(value, cls=field.encoder)) if field.encoder else value
        return cast("Json", coded)
    items = items_of(field)
    if items is not None:
        return [encode(items, each) for each in field.to_python(value)]
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(field, DecimalField):
        return _decimal(field, field.to_python(value))
    if isinstance(value, str) != is_text(field) and not isinstance(value, FieldFile):
        value = field.to_python(value)
    if isinstance(field, DateTimeField) and settings.USE_TZ and timezone.is_naive(value):
        value = timezone.make_aware(value)
    return _plain(value)


def decode(field: AnyField, value: Json) -> Any:
    """Return the Python value that `encode` made JSON of."""
    field = value_field(field)
    if value is None:
        return None
    registered = custom(field)
    if registered is not None:
        return (registered.decode or field.to_python)(value)
    if isinstance(field, JSONField):
        return json.loads(json.dumps(value), cls=field.decoder) if field.decoder else value
    items = items_of(field)
    if items is not None and isinstance(value, list):
        return [decode(items, each) for each in value]
    if isinstance(field, BinaryField):
        return base64.b64decode(str(value))
    return field.to_python(value)


@cache
def decoder(field: AnyField) -> Callable[[Json], Any]:
    """Return `decode` for one field, of what is not None."""
    of_value = value_field(field)
    is_plain = not (is_coded(field) or items_of(of_value) or isinstance(of_value, BinaryField))
    if is_plain and not isinstance(of_value, JSONField):
        return cast("Callable[[Json], Any]", of_value.to_python)
    return lambda value: decode(field, value)


def parse(field: AnyField, text: str) -> Json:
    """Return a value that a client sent as text, such as a primary key; None where it is none.

    A number has one spelling: what Python besides takes for one, " 1 " or "1_0", is none.
    """
    try:
        parsed = encode_given(field, text)
    except ValidationError:
        return None
    return None if isinstance(parsed, int) and str(parsed) != text else parsed


def encode_given(field: AnyField, given: Any) -> Json:
    """Return what a client sent for a field as nodes hold it; raises as `encode` does.

    Of most fields a client sends values; of those that `is_coded`, what `encode` makes of them.
    """
    if given is None or not is_coded(field):
        return encode(field, given)
    try:
        value = decode(field, given)
    except (ArithmeticError, TypeError, ValueError) as exc:
        message = f"“{field.name}” can't hold that: {exc}"
        raise ValidationError(message, code="invalid") from exc
    return encode(field, value)


def is_coded(field: AnyField) -> bool:
    """Tell whether clients read and send what `encode` makes of a field's values.

    So it is where GraphQL does not know the values: fields that are registered, JSON with an
    encoder or a decoder of its own, and arrays of these.
    """
    field = value_field(field)
    items = items_of(field)
    if items is not None and custom(field) is None:
        return is_coded(items)
    own_json = isinstance(field, JSONField) and bool(field.encoder or field.decoder)
    return own_json or custom(field) is not None


def items_of(field: AnyField) -> AnyField | None:
    """Return the field that the items of an array are of; None where it is no array."""
    items = getattr(field, "base_field", None)
    is_range = hasattr(field, "range_type")  # of PostgreSQL's, the bounds are of such a field
    return items if isinstance(items, Field) and not is_range else None


@cache
def encoder(field: AnyField) -> Callable[[Any], Json]:
    """Return `encode` for one field."""
    return lambda value: encode(field, value)


@cache
def column_encoder(field: AnyField) -> Callable[[Sequence[Any]], Sequence[Json]]:
    """Return `encode` for a whole column that the database gives, which mostly is JSON already."""
    one, is_as_given = encoder(field), not is_coded(field)
    fast = _fast(value_field(field)) if is_as_given else {}

    def column(values: Sequence[Any]) -> Sequence[Json]:
        types = set(map(type, values)) - {NoneType}
        if is_as_given and types <= _AS_GIVEN:
            return values
        quick = fast.get(types.pop(), one) if len(types) == 1 else one
        return [None if value is None else quick(value) for value in values]

    return column


_AS_GIVEN = {str, int, bool}


def _fast(field: AnyField) -> Mapping[type, Callable[[Any], Json]]:
    """Return what `encode` comes to for values of just these types, as most columns hold."""
    if isinstance(field, DecimalField):
        return {decimal.Decimal: _decimal_column(field)}
    if isinstance(field, DateField) and not isinstance(field, DateTimeField):
        return {dt.date: dt.date.isoformat}
    return {uuid.UUID: str} if isinstance(field, UUIDField) else {}


def _decimal_column(field: DecimalField[Any, Any]) -> Callable[[decimal.Decimal], Json]:
    """Return `encode` for a number, which is as a column holds it: with all its places."""
    places, one = field.decimal_places or 0, encoder(field)
    point, longest = -places - 1, (field.max_digits or 28) + 1

    def number(value: decimal.Decimal) -> Json:
        text = str(value)
        # Any other, as with an exponent, or -0.00, takes its time.
        is_usual = text[point:-places] == "." and text[0] != "-" and len(text) <= longest
        return text if is_usual and "E" not in text else one(value)

    return number if places else one


def defaults(model: type[Model]) -> Mapping[str, Json]:
    """Return what a new object holds before anybody sets anything, by field name."""
    return {
        field.name: encode(field, field.get_default())
        for field in stored_fields(model)
        if has_default(field) or (is_text(field) and not field.null)
    }


def pk_field(model: type[Model]) -> AnyField:
    """Return the field that a model's primary key values are of, past parent links."""
    return value_field(model._meta.pk)


def value_field(field: AnyField) -> AnyField:
    """Return the field that the values are of: behind foreign keys, and what is generated."""
    while isinstance(field, ForeignKey):
        field = field.target_field
    return cast("AnyField", field.output_field) if isinstance(field, GeneratedField) else field


def _decimal(field: DecimalField[Any, Any], value: decimal.Decimal) -> str:
    """Return a number with all the places of its field; with more, if it has more."""
    if not value.is_finite():
        raise ValueError("it is not a finite number")
    if not value:
        value = decimal.Decimal(0)  # never negative
    if value.adjusted() >= (field.max_digits or 28):
        raise ValueError("it has too many digits")
    places = field.decimal_places or 0
    exact = decimal.Context(prec=(field.max_digits or 28) + places + 1)
    padded = value.quantize(decimal.Decimal(1).scaleb(-places), context=exact)
    if padded != value:
        return format(value.normalize(decimal.Context(prec=len(value.as_tuple().digits))), "f")
    return format(padded, "f")


def _require_storable(value: Json) -> None:
    match value:
        case str() if _UNSTORABLE.search(value):
            raise ValueError("a NUL character or half of a surrogate pair is in the text")
        case float() if not math.isfinite(value):
            raise ValueError("it is not a finite number")
        case int() if not -(2**63) <= value < 2**63:
            raise ValueError("it needs more than 64 bits")
        case list():
            for each in value:
                _require_storable(each)
        case dict():
            for name, each in value.items():
                _require_storable(name)
                _require_storable(each)
        case _:
            pass


def _plain(value: Any) -> Json:  # noqa: PLR0911 - one case a type
    match value:
        case FieldFile():
            return str(value.name or "")
        case dt.datetime():
            return (value.astimezone(dt.UTC) if timezone.is_aware(value) else value).isoformat()
        case dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return duration_iso_string(value)
        case decimal.Decimal():
            return format(value, "f")
        case bytes() | memoryview() | bytearray():
            return base64.b64encode(bytes(value)).decode()
        case bool() | int() | float() | str() | list() | dict():
            return cast("Json", value)
        case _:
            return str(value)
