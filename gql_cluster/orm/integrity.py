"""Telling which field a database's refusal is about."""

from __future__ import annotations

import re
from typing import Any

from django.db import IntegrityError
from django.db.models import Model

# SQLite names the columns of a table, or the constraint.
_FAILED = re.compile(r"constraint failed: (?:index ')?(?P<names>[\w., ]+)'?$")


def field_of(model: type[Model], error: IntegrityError) -> str | None:
    """Return the field that an integrity error names, None where it names none.

    PostgreSQL tells the constraint or the column, SQLite the columns or the constraint. Where
    there are several, the last one is taken: a parental key comes first by habit. An error of
    another table, as an overridden `save()` may meet, is about no field.
    """
    tables = {each._meta.db_table for each in (model, *model._meta.all_parents)}
    diagnostics = getattr(error.__cause__, "diag", None)
    if diagnostics is not None:
        if diagnostics.table_name not in tables:
            return None
        if diagnostics.constraint_name is None:
            return _field_at(model, diagnostics.column_name)
        return _field_in(model, diagnostics.constraint_name, diagnostics.table_name)
    failed = _FAILED.search(str(error))
    if failed is None:
        return None
    table, _, column = failed["names"].rsplit(", ", 1)[-1].rpartition(".")
    if not table:
        return _field_in(model, column, "")
    return _field_at(model, column) if table in tables else None


def _field_at(model: type[Model], column: str) -> str | None:
    return next((f.name for f in model._meta.concrete_fields if f.column == column), None)


def _field_in(model: type[Model], name: str, table: str) -> str | None:
    """Return the field that a constraint is about: the last that it has, or that its name has."""
    for each in (model, *model._meta.all_parents):
        for constraint in each._meta.constraints:
            fields: Any = getattr(constraint, "fields", ())
            if constraint.name == name and fields:
                return str(fields[-1])
    text = name.removeprefix(table)
    if text == "_pkey":  # PostgreSQL's own name
        return str(model._meta.pk.name)
    columns = {str(field.column): field.name for field in model._meta.concrete_fields}
    found = [(text.rfind(each) + len(each), len(each), each) for each in columns if each in text]
    return columns[max(found)[2]] if found else None
