"""Nodes of one cluster that are alike by the expressions of a unique constraint.

Against rows Django's own `validate()` looks; it knows nothing of what is not saved yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import F, Model, UniqueConstraint
from django.db.models.sql.constants import SINGLE
from django.db.models.sql.query import Query

from gql_cluster.orm.describe import is_unique_fields
from gql_cluster.orm.instance import unsaved_target

_COLUMNS = 200


def is_unique_expressions(constraint: object) -> bool:
    """Tell whether a constraint says that expressions are unique, of all rows."""
    return (
        isinstance(constraint, UniqueConstraint)
        and not is_unique_fields(constraint)
        and constraint.condition is None
    )


def alike(
    constraint: UniqueConstraint, instances: Mapping[str, Model], using: str
) -> Iterator[str]:
    """Yield the key of each instance that equals one before it; many are worked out in a query."""
    rows = {key: _expressions(constraint, each) for key, each in instances.items()}
    values = iter(_evaluated([each for row in rows.values() for each in row], using))
    seen: set[tuple[Any, ...]] = set()
    for key, row in rows.items():
        held = tuple(next(values) for _ in row)
        if None in held and constraint.nulls_distinct is not False:
            continue
        whole = (*held, *_unsaved_targets(constraint, instances[key]))
        if whole in seen:
            yield key
        seen.add(whole)


def _expressions(constraint: Any, instance: Any) -> list[Any]:
    """Return what the constraint compares, with the instance's values in it.

    What refers to a node that is not saved has no value to compare: see `_unsaved_targets`.
    """
    fields = instance._get_field_expression_map(instance._meta)  # noqa: SLF001
    absent = _absent(instance)
    replacements = {F(name): value for name, value in fields.items()}
    found = []
    for each in constraint.expressions:
        if _name(each) in absent:
            continue
        expression = each
        if hasattr(each, "get_expression_for_validation"):
            expression = each.get_expression_for_validation()
        found.append(expression.replace_expressions(replacements))
    return found


def _unsaved_targets(constraint: Any, instance: Any) -> list[int]:
    named = {_name(each) for each in constraint.expressions}
    return [id(getattr(instance, name)) for name in sorted(_absent(instance) & named)]


def _name(expression: Any) -> str | None:
    """Return the field that is an expression by itself."""
    return getattr(expression, "name", None) if isinstance(expression, F) else None


def _absent(instance: Any) -> set[str]:
    return {
        field.name
        for field in instance._meta.concrete_fields
        if unsaved_target(instance, field) is not None
    }


def _evaluated(expressions: Sequence[Any], using: str) -> Iterator[Any]:
    """Yield the value of each expression, as the database works it out."""
    for start in range(0, len(expressions), _COLUMNS):
        query = Query(None)
        for number, each in enumerate(expressions[start : start + _COLUMNS]):
            query.add_annotation(each, f"value_{number}")
        yield from query.get_compiler(using=using).execute_sql(SINGLE) or ()
