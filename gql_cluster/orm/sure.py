"""Instances that `full_clean()` would take as they are, told without asking it.

It costs more than all else that is done to a new row. What is not told here, it is asked.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from django.core.validators import (
    DecimalValidator,
    MaxLengthValidator,
    MaxValueValidator,
    MinValueValidator,
)
from django.db import models
from django.db.models import Field, ForeignKey, Model
from django.db.models.fields import AutoFieldMixin

Check: TypeAlias = Callable[[Any], bool]

_CLEANING = ("full_clean", "clean_fields", "clean", "__setattr__")
_OWN_VALIDATE = {Field.validate, AutoFieldMixin.validate}
# What comes out of `to_python()` as it went in.
_TYPES: Mapping[Any, type] = {
    models.CharField.to_python: str,
    models.TextField.to_python: str,
    models.IntegerField.to_python: int,
    models.BooleanField.to_python: bool,
    models.DecimalField.to_python: Decimal,
    models.DateField.to_python: dt.date,
    models.DateTimeField.to_python: dt.datetime,
    models.UUIDField.to_python: UUID,
}


def surely_clean(model: type[Model], exclude: str | None) -> Callable[[Model], bool]:
    """Return what tells of a model's instances that `full_clean()` would do nothing to them.

    False says nothing. The field to `exclude` is not looked at, nor what foreign keys hold.
    """
    checks = _checks(model, exclude)
    if checks is None:
        return lambda _: False

    def is_clean(instance: Model) -> bool:
        held = instance.__dict__
        for name, check in checks:  # a generator would take as long as the checks
            if name not in held or not check(held[name]):
                return False
        return True

    return is_clean


def _checks(model: type[Model], exclude: str | None) -> Sequence[tuple[str, Check]] | None:
    """Return what tells of the value in each field; None where a model has its own say."""
    if any(getattr(model, name) is not getattr(Model, name) for name in _CLEANING):
        return None
    found: list[tuple[str, Check]] = []
    for field in model._meta.fields:
        if field.name != exclude and not field.generated:
            check = _check(field)
            if check is None:
                return None
            found.append((field.attname, check))
    return found


def _check(field: Any) -> Check | None:
    kind, blank = type(field), field.blank
    if isinstance(field, ForeignKey):
        return lambda value: blank or value is not None
    if (
        field.choices is not None
        or kind.validate not in _OWN_VALIDATE
        or (kind.clean, kind.run_validators) != (Field.clean, Field.run_validators)
        or kind.to_python not in _TYPES
    ):
        return None
    of, fits = _TYPES[kind.to_python], _fits(field.validators)
    if fits is None:
        return None
    if of is str:
        return lambda value: (
            fits(value) if type(value) is str and value else blank and value in ("", None)
        )
    if of is Decimal:
        return lambda value: (
            value.is_finite() and fits(value) if type(value) is of else blank and value is None
        )
    return lambda value: fits(value) if type(value) is of else blank and value is None


def _fits(validators: Sequence[Any]) -> Check | None:
    """Return what tells that some validators take a value of their field's type."""
    found = [_fit(each) for each in validators]
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return None
    match known:
        case []:
            return lambda _: True
        case [one]:
            return one
        case [one, other]:
            return lambda value: one(value) and other(value)
        case _:
            return lambda value: all(each(value) for each in known)


def _fit(validator: Any) -> Check | None:
    limit: Any = getattr(validator, "limit_value", None)
    is_number = type(limit) in {int, Decimal}
    match validator:
        case MaxLengthValidator() if type(validator) is MaxLengthValidator and type(limit) is int:
            return lambda value: len(value) <= limit
        case MinValueValidator() if type(validator) is MinValueValidator and is_number:
            return lambda value: value >= limit
        case MaxValueValidator() if type(validator) is MaxValueValidator and is_number:
            return lambda value: value <= limit
        case DecimalValidator() if type(validator) is DecimalValidator:
            return _decimal(validator)
        case _:
            return None


def _decimal(validator: DecimalValidator) -> Check:
    digits = math.inf if validator.max_digits is None else validator.max_digits
    places = math.inf if validator.decimal_places is None else validator.decimal_places

    def fits(value: Decimal) -> bool:
        _, figures, exponent = value.as_tuple()
        if not isinstance(exponent, int) or exponent > 0:
            return False
        count = max(len(figures), -exponent)
        return count <= digits and -exponent <= places and count + exponent <= digits - places

    return fits
