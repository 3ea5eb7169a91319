"""What the optimizer prefetched: for which field it did, and whether another one meddled.

Two fields of one relation, `members` and `membersConnection`, ask for prefetches of the same
name. strawberry-django merges them into one that is right for neither. Each prefetch bears its
field's mark; where two marks are found, each field queries for itself.
"""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import Model, QuerySet, Value
from django.db.models.manager import BaseManager

Rows = TypeVar("Rows", bound="QuerySet[Any]")

_MARK = "_gql_cluster_for_"


def mark(queryset: Rows, field: str) -> Rows:
    """Return the queryset with a field's mark, which is not selected."""
    return queryset.alias(**{_MARK + field: Value(1)})


def own_queryset(source: Model, name: str, field: str) -> QuerySet[Any] | None:
    """Return a relation's queryset without what was prefetched, if that is not the field's own."""
    cache: dict[str, Any] = getattr(source, "_prefetched_objects_cache", {})
    if not cache:
        return None
    manager = getattr(source, name, None)
    if not isinstance(manager, BaseManager):
        return None
    found = manager.all()
    shared = next((key for key, queryset in cache.items() if queryset is found), None)
    if shared is None or not _has_other_mark(found, field):
        return None
    kept = cache.pop(shared)
    try:
        return manager.all()
    finally:
        cache[shared] = kept


def _has_other_mark(queryset: QuerySet[Any], field: str) -> bool:
    marks = {name for name in queryset.query.annotations if name.startswith(_MARK)}
    return bool(marks - {_MARK + field})
