"""New valid values of columns, as plain Django takes them and as a client sends them."""

from __future__ import annotations

import base64
import datetime as dt
import itertools
import uuid
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.duration import duration_iso_string
from modelcluster.fields import ParentalKey

from gql_cluster.api.choices import enum_of
from tests.clusters.specimens import Point, PointField, TicketField, VectorField

AnyField = Any
Give = Mapping[str, Callable[[int], Any]]
"""By `Model.field`: the values of what can't be guessed, by a number that is always another."""

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
DAY = dt.date(2030, 1, 1)
OUTSIDE = 12
"""How many there are of each model that a cluster refers to."""


def settable(column: AnyField, order: str | None) -> bool:
    """Tell whether a person may set a column of a node, perhaps only while the node is new."""
    return (
        column.editable
        and not column.generated
        and column.name != order
        and not isinstance(column, ParentalKey)
        and not getattr(column.remote_field, "parent_link", False)
        and not (column.primary_key and isinstance(column, models.AutoField))
    )


def sent(column: AnyField, value: Any) -> Any:  # noqa: C901, PLR0911, PLR0912 - one case a type
    """Return a value as a client sends it, and as an event tells it."""
    if value is None:
        return None
    if column.is_relation:
        return str(value)
    enum = enum_of(column)
    if enum is not None:
        return next(each.name for each in enum if each.value == value)
    match value:
        case Enum():
            return value.name
        case Point():
            return f"{value.x},{value.y}"
        case tuple():
            return list(value)
        case int() if isinstance(column, TicketField):
            return f"#{value}"
        case Decimal():
            return f"{value:.{column.decimal_places}f}"
        case dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return duration_iso_string(value)
        case uuid.UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case _:
            return value


@dataclass
class Values:
    """Makes values, each time others; the same in the same order whenever it starts anew."""

    give: Give = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    taken: dict[Any, set[Any]] = field(default_factory=dict)

    def fresh(self, column: AnyField, current: Any = None) -> Any:
        """Return a valid value that is not the current one."""
        for name in (f"{column.model.__name__}.{column.name}", f"*.{column.name}"):
            if name in self.give:
                return self.give[name](next(self.numbers))
        if column.is_relation:
            return self._other(column, current)
        for number in itertools.islice(self.numbers, 100):
            # Some validators take no more than a few.
            for value in (_value(column, number), _value(column, number % 5)):
                if value != current and _is_valid(column, value):
                    return value
        raise LookupError(f"no value for {column}")

    def pks(self, target: type[models.Model], count: int, held: Container[Any] = ()) -> list[Any]:
        """Return primary keys of objects outside, others each time as long as there are any."""
        outside(target)
        found = target._base_manager.order_by("pk").values_list("pk", flat=True)[:OUTSIDE]
        others = [each for each in found if each not in held]
        return self._rarest(("members", target), others, count)

    def _other(self, column: AnyField, current: Any) -> Any:
        target: Any = column.remote_field.model
        outside(target)
        choices = target._default_manager.complex_filter(column.get_limit_choices_to())
        attname = column.target_field.attname
        found = choices.order_by("pk").values_list(attname, flat=True)[:OUTSIDE]
        return self._rarest(column, [each for each in found if each != current], 1)[0]

    def _rarest(self, of: Any, found: list[Any], count: int) -> list[Any]:
        used = self.taken.setdefault(of, set())
        chosen = sorted(found, key=lambda each: each in used)[:count]
        used.update(chosen)
        return chosen


def outside(model: type[models.Model]) -> None:
    """See that there are enough objects of a model to refer to; they have the first keys."""
    if model._base_manager.count() >= OUTSIDE:
        return
    values = Values(numbers=itertools.count(10_000))
    for number in range(OUTSIDE):
        made = model()
        name_by_number(made, number)
        for column in model._meta.concrete_fields:
            if isinstance(column, ParentalKey) and not column.null:
                above = column.remote_field.model
                outside(above)
                setattr(made, column.attname, above._base_manager.earliest("pk").pk)
            elif settable(column, None) and not (column.is_relation and column.null):
                setattr(made, column.attname, values.fresh(column))
        made.save()


def name_by_number(instance: models.Model, number: int) -> None:
    """Give an object that names itself at random a primary key that is the same each time."""
    if isinstance(instance._meta.pk, models.UUIDField) and not instance._meta.pk.editable:
        instance.pk = uuid.UUID(int=number)


def _is_valid(column: AnyField, value: Any) -> bool:
    try:
        column.run_validators(value)
    except ValidationError:
        return False
    return True


def _value(column: AnyField, number: int) -> Any:  # noqa: C901, PLR0911, PLR0912 - one case a type
    if column.choices:
        values = [value for value, _ in column.flatchoices if value not in {"", None}]
        value = values[number % len(values)]
        return value.value if isinstance(value, Enum) else value
    match column:
        case PointField():
            return Point(number, -number)
        case VectorField():
            return (number, 0, 1)
        case models.EmailField():
            return f"n{number}@example.org"
        case models.URLField():
            return f"https://example.org/{number}"
        case models.FileField():
            return f"files/{number} ü.png"
        case models.CharField() | models.TextField() | models.FilePathField():
            length = column.max_length or 99
            return _digits(number)[-length:] if length < 6 else f"n{number}"
        case models.BooleanField():
            return number % 2 == 1
        case models.IntegerField():
            return number
        case models.DecimalField():
            return Decimal(number % 9) + Decimal("0.5")
        case models.FloatField():
            return number + 0.25
        case models.DateTimeField():
            return dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC) + dt.timedelta(days=number)
        case models.DateField():
            return DAY + dt.timedelta(days=number)
        case models.TimeField():
            return dt.time(number % 24, 30)
        case models.DurationField():
            return dt.timedelta(minutes=number)
        case models.UUIDField():
            return uuid.UUID(int=number)
        case models.GenericIPAddressField():
            return f"10.0.{number // 250}.{number % 250}"
        case models.BinaryField():
            return bytes([0, number % 256, 255])
        case models.JSONField():
            return {"n": number, "list": [None, "ü"]}
        case _:
            raise LookupError(f"no value for {column!r}")


def _digits(number: int) -> str:
    text = ""
    while number:
        number, rest = divmod(number, len(DIGITS))
        text = DIGITS[rest] + text
    return text
