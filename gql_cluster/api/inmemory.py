"""Filters, ordering and pagination of strawberry-django on the children of a draft.

The answer is the database's: its way to compare text, its nulls, its limits. What only a
database can tell is a clear error.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from heapq import nlargest, nsmallest
from typing import Any, TypeVar

import strawberry
from django.db import router
from django.db.models import F, ForeignKey, Model, OrderBy, Q, QuerySet, prefetch_related_objects
from graphql import GraphQLError
from strawberry_django import pagination as offset
from strawberry_django.filters import process_filters
from strawberry_django.ordering import process_ordering

from gql_cluster.api.dialect import Dialect, dialect_of
from gql_cluster.api.lookups import Item, Path, Test, resolve, test_of, unsupported
from gql_cluster.api.rows import EVERY, Choice
from gql_cluster.orm.record import NeedsInstanceError, Record

Pages = TypeVar("Pages", bound=Sequence[Any])
AnItem = TypeVar("AnItem", Model, Record)


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
    children: Sequence[AnItem],
    model: type[Model],
    selection: Selection,
    info: strawberry.Info,
    *,
    first: int,
) -> list[AnItem]:
    """Return the children that pass, sorted; they come in the relation's own order.

    As many as are wanted are the `first` of all that pass, which may be more. Loads foreign
    objects that a filter reads, and asks a database whose collation is not by code point to sort
    the texts: runs in a thread. Raises `GraphQLError` for what can't be evaluated in memory, and
    `NeedsInstanceError` for what can't be by records.
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
        return _sorted(found, [_order(model, each, dialect) for each in orders], dialect, first)
    return _sorted_by_default(found, model, selection.default, dialect, first)


def page(children: Pages, pagination: object) -> Pages:
    """Return one page; limits are those of strawberry-django's settings."""
    if isinstance(pagination, offset.OffsetPaginationInput) and pagination.offset < 0:
        message = "An offset can't be negative."
        raise GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})
    paginate: Callable[..., Pages] = offset.apply  # it only slices
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


def _fetch(children: Sequence[Item], paths: Sequence[Path]) -> None:
    relations = dict.fromkeys(path.relation for path in paths if path.relation)
    instances = [child for child in children if isinstance(child, Model)] if relations else []
    if len(instances) < len(children) and relations:
        raise NeedsInstanceError(*relations)
    if instances:
        prefetch_related_objects(instances, *relations)


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
    if not tests:
        return lambda _: True
    test = tests[0] if len(tests) == 1 else _combined(tests, decisive=q.connector == Q.OR)
    return _negated(test) if q.negated else test


def _combined(tests: Sequence[Test], *, decisive: bool) -> Test:
    def combined(item: Item) -> bool | None:
        result: bool | None = not decisive
        for test in tests:
            one = test(item)
            if one is decisive:
                return one
            if one is None:
                result = None
        return result

    return combined


def _negated(test: Test) -> Test:
    def negated(item: Item) -> bool | None:
        result = test(item)
        return None if result is None else not result

    return negated


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
    children: list[AnItem],
    model: type[Model],
    ordering: Sequence[Any],
    dialect: Dialect,
    first: int,
) -> list[AnItem]:
    try:
        orders = [_order(model, each, dialect) for each in ordering]
    except GraphQLError:
        # The order that they were loaded in is the model's own; what was added comes last.
        return children
    return _sorted(children, orders, dialect, first)


def _sorted(
    children: list[AnItem], orders: Sequence[_Order], dialect: Dialect, first: int
) -> list[AnItem]:
    """Sort by the last first: each sort is stable, so that ties keep the order of before."""
    _fetch(children, [order.path for order in orders])
    if orders and first * _FEW < len(children):
        children = _leading(children, orders[0], dialect, first)
    for order in reversed(orders):
        nulls, keys, there = _by_key(children, order, dialect)
        places = sorted(range(len(keys)), key=keys.__getitem__, reverse=order.descending)
        others = [there[place] for place in places]
        children = nulls + others if order.nulls_first else others + nulls
    return children


_FEW = 8
"""How many times more there have to be than are wanted, for the rest to be left out first."""


def _leading(children: list[AnItem], order: _Order, dialect: Dialect, first: int) -> list[AnItem]:
    """Leave out what can't be among the first, whatever decides between equals."""
    nulls, keys, there = _by_key(children, order, dialect)
    wanted = first - len(nulls) if order.nulls_first else first
    if wanted <= 0:
        return nulls
    if wanted >= len(keys):
        return children
    lead = nulls if order.nulls_first else []
    if order.descending:
        bound = nlargest(wanted, keys)[-1]
        return lead + [child for key, child in zip(keys, there, strict=True) if key >= bound]
    bound = nsmallest(wanted, keys)[-1]
    return lead + [child for key, child in zip(keys, there, strict=True) if key <= bound]


def _by_key(
    children: list[AnItem], order: _Order, dialect: Dialect
) -> tuple[list[AnItem], list[Any], list[AnItem]]:
    """Return the children without a value, and the others behind what they are sorted by."""
    values = [*map(order.path.read, children)]
    nulls: list[AnItem] = []
    there = children
    if None in values:
        nulls = [child for value, child in zip(values, children, strict=True) if value is None]
        there = [child for value, child in zip(values, children, strict=True) if value is not None]
        values = [value for value in values if value is not None]
    texts = {value for value in values if isinstance(value, str)}
    ranks = dialect.ranks(texts, getattr(order.path.field, "db_collation", None))
    return nulls, values if ranks is None else [ranks[value] for value in values], there
