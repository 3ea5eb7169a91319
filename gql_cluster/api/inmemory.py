"""Filters, ordering and pagination of strawberry-django on the children of a draft.

The answer is the database's: its way to compare text, its nulls, its limits. What only a
database can tell is a clear error.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import strawberry
from django.db import router
from django.db.models import F, ForeignKey, Model, OrderBy, Q, QuerySet, prefetch_related_objects
from graphql import GraphQLError
from strawberry_django import pagination as offset
from strawberry_django.filters import process_filters
from strawberry_django.ordering import process_ordering

from gql_cluster.api.dialect import Dialect, dialect_of
from gql_cluster.api.lookups import Path, Test, resolve, test_of, unsupported
from gql_cluster.api.rows import EVERY, Choice

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is asked for of a relation.

    `choice` is what the field itself has of it; the rest comes from the client. Where neither
    orders it, `default` does.
    """

    choice: Choice = EVERY
    filters: Any = None
    ordering_type: Any = None
    ordering: Any = None
    default: Sequence[Any] = ()

    def __bool__(self) -> bool:
        """Tell whether there is anything to filter or to sort by."""
        choice = self.choice
        given = choice.filters or choice.order or self.ordering or self.default
        return bool(given or _is_given(self.filters))


def select(
    children: Sequence[Model],
    model: type[Model],
    selection: Selection,
    info: strawberry.Info,
) -> list[Model]:
    """Return the children that pass, sorted; they come in the relation's own order.

    Loads foreign objects that a filter reads, and asks a database whose collation is not by
    code point to sort the texts: runs in a thread. Raises `GraphQLError` for what can't be
    evaluated in memory.
    """
    dialect = dialect_of(router.db_for_read(model))
    given = model._default_manager.all()
    queryset, found = given, list(children)
    asked = Q(*selection.choice.filters)
    if _is_given(selection.filters):
        queryset, q = process_filters(selection.filters, queryset, info)
        _require_plain(queryset, given)
        asked &= q
    if asked:
        paths: list[Path] = []
        test = _test(asked, model, dialect, paths)
        _fetch(found, paths)
        found = [child for child in found if test(child)]
    orders: Collection[Any] = ()
    if selection.ordering_type is not None and selection.ordering:
        queryset, orders = process_ordering(
            selection.ordering_type, selection.ordering, info, queryset
        )
        _require_plain(queryset, given)
    orders = orders or selection.choice.order
    if orders:
        return _sorted(found, [_order(model, each, dialect) for each in orders], dialect)
    return _sorted_by_default(found, model, selection.default, dialect)


def page(children: list[T], pagination: object) -> list[T]:
    """Return one page; limits are those of strawberry-django's settings."""
    if isinstance(pagination, offset.OffsetPaginationInput) and pagination.offset < 0:
        message = "An offset can't be negative."
        raise GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})
    paginate: Callable[..., list[T]] = offset.apply  # it only slices
    return paginate(pagination, children)


def _is_given(argument: object) -> bool:
    return argument is not None and argument is not strawberry.UNSET


def _require_plain(queryset: QuerySet[Any], given: QuerySet[Any]) -> None:
    """Raise if a filter of the project's own changed the queryset instead of returning a Q."""
    query, before = queryset.query, given.query
    if (
        query.where != before.where
        or query.annotations.keys() != before.annotations.keys()
        or query.is_sliced
        or query.combinator
    ):
        raise unsupported("A filter or ordering that changes the queryset")


def _fetch(children: list[Model], paths: Sequence[Path]) -> None:
    relations = dict.fromkeys(path.relation for path in paths if path.relation)
    if relations and children:
        prefetch_related_objects(children, *relations)


# Filters


def _test(q: Q, model: type[Model], dialect: Dialect, paths: list[Path]) -> Test:
    """Return the test of a `Q`, in the three-valued logic of SQL; adds what it reads to `paths`."""
    tests: list[Test] = []
    for child in q.children:
        if isinstance(child, Q):
            if child:
                tests.append(_test(child, model, dialect, paths))
        elif isinstance(child, tuple):
            name, value = child
            path, test = test_of(model, name, value, dialect)
            paths.append(path)
            tests.append(test)
        else:
            raise unsupported("A filter by an expression")
    if q.connector == Q.XOR:
        raise unsupported("XOR")
    decisive = q.connector == Q.OR

    def combined(instance: Model) -> bool | None:
        results = [test(instance) for test in tests]
        if decisive in results:
            result: bool | None = decisive
        else:
            result = None if None in results else not decisive
        return not result if q.negated and result is not None else result

    return combined if tests else lambda _: True


# Ordering


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    path: Path
    descending: bool
    nulls_first: bool


def _order(model: type[Model], by: object, dialect: Dialect) -> _Order:
    nulls_first: bool | None = None
    descending = False
    if isinstance(by, OrderBy):
        descending = by.descending
        if by.nulls_first or by.nulls_last:
            nulls_first = bool(by.nulls_first)
        by = by.expression
    if isinstance(by, F):
        name: str = by.name  # type: ignore[attr-defined]
    elif isinstance(by, str):
        descending, name = by.startswith("-"), by.removeprefix("-")
        _require_column(model, name)
    else:
        raise unsupported("An ordering by an expression")
    path = resolve(model, name)
    if path.rest:
        raise unsupported(f"An ordering by “{name}”")
    if nulls_first is None:
        nulls_first = descending == dialect.nulls_largest
    return _Order(path=path, descending=descending, nulls_first=nulls_first)


def _require_column(model: type[Model], name: str) -> None:
    """Raise where a name in `Meta.ordering` stands for the ordering of another model."""
    by_name = {field.name: field for field in model._meta.concrete_fields}
    field = by_name.get(name)
    if isinstance(field, ForeignKey) and field.remote_field.model._meta.ordering:
        raise unsupported(f"An ordering by “{name}”")


def _sorted_by_default(
    children: list[Model], model: type[Model], ordering: Sequence[Any], dialect: Dialect
) -> list[Model]:
    try:
        orders = [_order(model, each, dialect) for each in ordering]
    except GraphQLError:
        # The order that they were loaded in is the model's own; what was added comes last.
        return children
    return _sorted(children, orders, dialect)


def _sorted(children: list[Model], orders: Sequence[_Order], dialect: Dialect) -> list[Model]:
    """Sort by the last first: each sort is stable, so that ties keep the order of before."""
    _fetch(children, [order.path for order in orders])
    for order in reversed(orders):
        values = [(order.path.read(child), child) for child in children]
        nulls = [child for value, child in values if value is None]
        others = [(value, child) for value, child in values if value is not None]
        texts = {value for value, _ in others if isinstance(value, str)}
        ranks = dialect.ranks(texts, getattr(order.path.field, "db_collation", None))
        others.sort(
            key=lambda pair: pair[0] if ranks is None else ranks[pair[0]],
            reverse=order.descending,
        )
        there = [child for _, child in others]
        children = nulls + there if order.nulls_first else there + nulls
    return children
