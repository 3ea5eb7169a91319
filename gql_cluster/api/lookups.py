"""Lookups such as `album__released__year__gt`, on instances in memory, as the database answers.

modelcluster's `FakeQuerySet` has lookups, too, but tells upper from lower case where SQLite
does not, knows neither `pk` nor the column of a foreign key, and queries for what it traverses.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter, ge, gt, le, lt
from typing import Any, TypeAlias

from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist, ValidationError
from django.db.models import DateField, DateTimeField, ForeignKey, Model, TimeField
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import BaseExpression, Combinable
from django.utils import timezone
from graphql import GraphQLError
from modelcluster.datetime_utils import (  # type: ignore[import-untyped]
    DATEFIELD_TRANSFORM_EXPRESSIONS,
    DATETIMEFIELD_TRANSFORM_EXPRESSIONS,
    TIMEFIELD_TRANSFORM_EXPRESSIONS,
    derive_from_value,
)

from gql_cluster.api.dialect import Dialect
from gql_cluster.orm.codec import pk_field
from gql_cluster.orm.describe import AnyField
from gql_cluster.orm.inheritance import kind_at
from gql_cluster.orm.instance import unsaved_target
from gql_cluster.orm.record import NeedsInstanceError, Record

Item: TypeAlias = Model | Record
"""What a list is filtered and sorted by: instances, or records where these tell enough."""

Test: TypeAlias = Callable[[Item], "bool | None"]
"""Whether an item passes; None where SQL says unknown."""

Read: TypeAlias = Callable[[Item], Any]
Convert: TypeAlias = Callable[[Any], Any]


def unsupported(what: str) -> GraphQLError:
    """Return the error for what can be asked of the database, but not of a draft."""
    message = f"{what} can't be evaluated on a draft."
    return GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """What is read of an item: a column behind single-valued relations, then transforms.

    `rest` is what the name had behind the column: transforms and a lookup.
    """

    name: str
    relations: tuple[str, ...]
    attname: str
    field: AnyField
    rest: tuple[str, ...]

    @property
    def relation(self) -> str | None:
        """The relations as Django spells them, None where there are none."""
        return LOOKUP_SEP.join(self.relations) or None

    @property
    def read(self) -> Read:
        """What reads the column's value, None where a relation on the way leads nowhere."""
        own: Read = attrgetter(self.attname)
        return self._read_behind if self.relations else own

    def _read_behind(self, item: Item) -> Any:
        at = self._behind(item)
        return None if at is None else getattr(at, self.attname)

    def is_null(self, item: Item) -> bool:
        """Tell whether the column is null; what refers to a node that is not saved is not."""
        at = self._behind(item)
        if at is None or getattr(at, self.attname) is not None:
            return at is None
        if isinstance(at, Record):
            return True
        column = next(each for each in at._meta.concrete_fields if each.attname == self.attname)
        return unsaved_target(at, column) is None

    def _behind(self, item: Item) -> Any:
        at: Any = item
        for relation in self.relations:
            try:
                at = getattr(at, relation)
            except ObjectDoesNotExist:
                return None
            if at is None:
                return None
        return at


def resolve(model: type[Model], name: str) -> Path:
    """Return what a lookup's name reads; raises `GraphQLError` where that can't be in memory."""
    parts = name.split(LOOKUP_SEP)
    relations: list[str] = []
    while True:
        field = _field(model, parts[0], name)
        rest = parts[1:]
        if not isinstance(field, ForeignKey):
            break
        target = field.remote_field.model
        if not rest or not _has_field(target, rest[0]):
            break
        if rest[0] == "pk" or rest[0] == field.target_field.name:
            rest = rest[1:]
            break
        relations.append(field.name)
        model, parts = target, rest
    column = pk_field(field.remote_field.model) if isinstance(field, ForeignKey) else field
    return Path(
        name=name,
        relations=tuple(relations),
        attname=field.attname,
        field=column,
        rest=tuple(rest),
    )


def _field(model: type[Model], part: str, name: str) -> Any:
    if part == "pk":
        return model._meta.pk
    by_column = {field.attname: field for field in model._meta.concrete_fields}
    try:
        field: Any = by_column.get(part) or model._meta.get_field(part)
    except FieldDoesNotExist:
        raise unsupported(f"“{name}”") from None
    if not getattr(field, "concrete", False) or field.many_to_many:
        raise unsupported(f"“{name}”")
    return field


def _has_field(model: type[Model], part: str) -> bool:
    names = {field.name for field in model._meta.get_fields()}
    return part == "pk" or part in names


def test_of(model: type[Model], name: str, value: object, dialect: Dialect) -> tuple[Path, Test]:
    """Return what a leaf of a `Q` reads, and its test."""
    if isinstance(value, BaseExpression | Combinable):
        raise unsupported(f"“{name}” with an expression")
    kind = kind_at(model, name.removesuffix("__isnull")) if name.endswith("__isnull") else None
    if kind is not None:
        return resolve(model, "pk"), lambda item: _is_kind(item, kind) != value
    path = resolve(model, name)
    read = path.read
    is_derived = False
    convert: Convert = path.field.to_python
    rest = list(path.rest)
    while rest and rest[0] in _transforms(path.field):
        read, convert = _derived(read, rest.pop(0))
        is_derived = True
    lookup = rest.pop(0) if rest else "exact"
    if value is None and lookup in {"exact", "iexact"}:
        lookup, value = "isnull", True
    if lookup == "isnull":
        if is_derived:
            return path, lambda item: (read(item) is None) == value
        return path, lambda item: path.is_null(item) == value
    make = _OPERATIONS.get(lookup)
    if rest or make is None:
        raise unsupported(f"“{name}”")
    try:
        compare = make(convert, value, dialect)
    except (ValidationError, ValueError, TypeError) as exc:
        message = f"{value!r} is no value for “{name}”."
        raise GraphQLError(message, extensions={"code": "BAD_USER_INPUT"}) from exc

    def test(item: Item) -> bool | None:
        found = read(item)
        return False if found is None else compare(found)

    return path, test


def _is_kind(item: Item, kind: type[Model]) -> bool:
    if isinstance(item, Record):
        raise NeedsInstanceError(kind.__name__)
    return isinstance(item, kind)


def _transforms(field: AnyField) -> frozenset[str]:
    match field:
        case DateTimeField():
            return frozenset(DATETIMEFIELD_TRANSFORM_EXPRESSIONS)
        case DateField():
            return frozenset(DATEFIELD_TRANSFORM_EXPRESSIONS)
        case TimeField():
            return frozenset(TIMEFIELD_TRANSFORM_EXPRESSIONS)
        case _:
            return frozenset()


def _derived(read: Read, part: str) -> tuple[Read, Convert]:
    def derive(item: Item) -> Any:
        value = read(item)
        if isinstance(value, dt.datetime) and timezone.is_aware(value):
            value = timezone.localtime(value)
        return None if value is None else derive_from_value(value, part)

    def convert(value: Any) -> Any:
        return value if part in {"date", "time"} else int(value)

    return derive, convert


Compare: TypeAlias = Callable[[Any], "bool | None"]
Operation: TypeAlias = Callable[[Convert, Any, Dialect], Compare]


def _exact(convert: Convert, value: Any, _: Dialect) -> Compare:
    wanted = convert(value.pk if isinstance(value, Model) else value)
    return lambda found: bool(found == wanted)


def _in(convert: Convert, values: Any, _: Dialect) -> Compare:
    wanted = {convert(v.pk if isinstance(v, Model) else v) for v in values if v is not None}
    return lambda found: found in wanted


def _ordered(compare: Callable[[Any, Any], Any]) -> Operation:
    def make(convert: Convert, value: Any, _: Dialect) -> Compare:
        wanted = convert(value)
        return lambda found: bool(compare(found, wanted))

    return make


def _range(convert: Convert, bounds: Any, _: Dialect) -> Compare:
    low, high = (None if bound is None else convert(bound) for bound in bounds)

    def compare(found: Any) -> bool | None:
        if (low is not None and found < low) or (high is not None and found > high):
            return False
        # BETWEEN with a null says unknown.
        return None if low is None or high is None else True

    return compare


def _text(compare: Callable[[str, str], bool], *, folds: bool) -> Operation:
    def make(_: Convert, value: Any, dialect: Dialect) -> Compare:
        as_compared = dialect.fold if folds else dialect.like
        wanted = as_compared(str(value))
        return lambda found: compare(as_compared(str(found)), wanted)

    return make


# No regular expressions: a client's own could hold up the event loop for as long as it likes.
_OPERATIONS: Mapping[str, Operation] = {
    "exact": _exact,
    "in": _in,
    "gt": _ordered(gt),
    "gte": _ordered(ge),
    "lt": _ordered(lt),
    "lte": _ordered(le),
    "range": _range,
    "iexact": _text(lambda found, wanted: found == wanted, folds=True),
    "contains": _text(lambda found, wanted: wanted in found, folds=False),
    "icontains": _text(lambda found, wanted: wanted in found, folds=True),
    "startswith": _text(str.startswith, folds=False),
    "istartswith": _text(str.startswith, folds=True),
    "endswith": _text(str.endswith, folds=False),
    "iendswith": _text(str.endswith, folds=True),
}
