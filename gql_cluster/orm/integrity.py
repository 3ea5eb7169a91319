"""Telling which field a database's refusal is about."""

from __future__ import annotations

import re

from django.db import IntegrityError
from django.db.models import Model

_COLUMNS = re.compile(r"constraint failed: (?P<columns>[\w., ]+)$")


def field_of(model: type[Model], error: IntegrityError) -> str | None:
    """Return the field that an integrity error names, None where it names none.

    PostgreSQL tells the constraint or the column, SQLite the columns. Where there are
    several, the last one is taken: a parental key comes first by habit.
    """
    diagnostics = getattr(error.__cause__, "diag", None)
    name = getattr(diagnostics, "constraint_name", None)
    column = getattr(diagnostics, "column_name", None)
    if name is not None:
        for constraint in model._meta.total_unique_constraints:
            if constraint.name == name:
                return constraint.fields[-1]
        columns = [f.column for f in model._meta.concrete_fields if f.column in name]
        column = max(columns, key=len, default=None)
    elif column is None and (match := _COLUMNS.search(str(error))):
        column = match["columns"].rsplit(".", 1)[-1]
    return next((f.name for f in model._meta.concrete_fields if f.column == column), None)
