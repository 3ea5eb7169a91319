"""What forms check besides `full_clean()`: sets that hold something, values unique for a date."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model, Q
from django.utils import timezone

from gql_cluster.domain.error import Problem
from gql_cluster.domain.node import Json
from gql_cluster.domain.plan import Plan
from gql_cluster.orm.codec import encode, encoder, pk_field
from gql_cluster.orm.instance import Family
from gql_cluster.orm.problems import problems_of
from gql_cluster.orm.sets import members_of

_Held: TypeAlias = tuple[str, tuple[int, ...]]
"""A value, and the period that it is held for."""

_PERIODS: Mapping[str, Callable[[dt.date], tuple[int, ...]]] = {
    "date": lambda date: (date.year, date.month, date.day),
    "month": lambda date: (date.month,),  # of any year, as Django has it
    "year": lambda date: (date.year,),
}


def empty_sets(
    family: Family, plan: Plan, written: Mapping[str, Model], using: str
) -> Iterator[Problem]:
    """Yield a problem for each many-to-many, or tags, that has to hold something and will not.

    Nodes that are not changed themselves may be invalid otherwise.
    """
    nodes = {**plan.added, **{key: mine for key, (_, mine) in plan.updated.items()}}
    for key, node in nodes.items():
        instance = written[key]
        for name, held in node.sets.items():
            field: Any = instance._meta.get_field(name)
            if held or field.blank or not field.editable:
                continue
            is_saved = not instance._state.adding
            live = members_of(type(instance), name).live(instance, using) if is_saved else {}
            if live.keys() <= set(plan.members(key, name)[1]):
                message = forms.Field.default_error_messages["required"]
                error = ValidationError(message, code="required")
                yield from problems_of(family, key, error, name)


def has_dates(model: type[Model]) -> bool:
    """Tell whether a model has values that are unique for a date, a month or a year."""
    fields: list[Any] = list(model._meta.fields)
    return any(getattr(field, f"unique_for_{period}") for field in fields for period in _PERIODS)


def taken_dates(  # noqa: PLR0913 - one table of a commit, said whole
    family: Family,
    plan: Plan,
    model: type[Model],
    instances: Mapping[str, Model],
    *,
    going: Collection[Any],
    using: str,
) -> Iterator[Problem]:
    """Yield a problem for each value that another has for the same date, month or year.

    `instances` are those with a row in the model's table that will be written, by key, and
    `going` the primary keys there that won't stay as they are. A query a rule. Nodes that are not
    changed themselves may be invalid otherwise.
    """
    some: Any = next(iter(instances.values()))
    encode_pk = encoder(pk_field(model))
    gone = {encode_pk(pk) for pk in going}
    for owner, period, name, date in some._get_unique_checks()[1]:  # noqa: SLF001 - as forms do
        if owner is not model:
            continue  # it is looked at with that table
        rule = _Rule(model=owner, period=period, name=name, date=date)
        here: dict[_Held, list[str]] = defaultdict(list)
        for key, instance in instances.items():
            held = rule.held_by(instance)
            if held is not None:
                here[held].append(key)
        values = [rule.value_of(instances[key]) for keys in here.values() for key in keys]
        there = rule.held_elsewhere(here, values, gone, using)
        for held, keys in here.items():
            told = [key for key in keys if key in plan.added or key in plan.updated]
            if held not in there and len(told) == len(keys):
                told = told[1:]
            for key in told:
                error = some.date_error_message(period, name, date)
                yield from problems_of(family, key, error, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """That no two rows of a model hold the same in a field for a date, a month or a year."""

    model: type[Model]
    period: str
    name: str
    date: str

    @property
    def field(self) -> Any:
        return self.model._meta.get_field(self.name)

    def value_of(self, instance: Model) -> Any:
        return getattr(instance, self.field.attname)

    def held_by(self, instance: Model) -> _Held | None:
        return self._held(self.value_of(instance), getattr(instance, self.date))

    def _held(self, value: object, date: object) -> _Held | None:
        if isinstance(date, dt.datetime) and timezone.is_aware(date):
            date = timezone.localtime(date)
        if not isinstance(date, dt.date):
            return None
        return repr(encode(self.field, value)), _PERIODS[self.period](date)

    def held_elsewhere(
        self, wanted: Collection[_Held], values: list[Any], gone: Collection[Json], using: str
    ) -> set[_Held]:
        """Return what rows that stay hold of some values; `wanted` says when."""
        if not wanted:
            return set()
        name = self.field.attname
        is_value = Q(**{f"{name}__in": [value for value in values if value is not None]})
        if None in values:
            is_value |= Q(**{f"{name}__isnull": True})
        part = "month" if self.period == "month" else "year"
        is_then = Q(**{f"{self.date}__{part}__in": {period[0] for _, period in wanted}})
        rows = self.model._default_manager.using(using).filter(is_value, is_then)
        encode_pk = encoder(pk_field(self.model))
        return {
            held
            for pk, value, date in rows.values_list("pk", name, self.date)
            if encode_pk(pk) not in gone and (held := self._held(value, date)) is not None
        }
