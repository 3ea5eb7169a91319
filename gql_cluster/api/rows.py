"""Named lists: the rows of a relation that a manager of their model finds, or a method of it.

The manager is asked with a queryset that writes down what it is filtered and ordered by. If
that is all, the same is done to the rows of a saved object and, in memory, to those of a draft.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from django.db.models import Manager, Model, Q, QuerySet
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.fields.resolver import StrawberryResolver

from gql_cluster.api.lookups import unsupported
from gql_cluster.improper import SetupError

if TYPE_CHECKING:
    _Base = QuerySet[Any]
else:
    _Base = object


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which rows are wanted, and in which order; no order is the relation's own."""

    filters: tuple[Q, ...] = ()
    order: tuple[Any, ...] = ()


EVERY = Choice()

OF_EVERY_LIST = frozenset(
    {"filters", "order", "ordering", "pagination", "first", "last", "before", "after", "info"}
)


class Rows:
    """The rows that a manager of a model finds, or a method of its default manager."""

    def __init__(self, name: str, model: type[Model] | None = None) -> None:
        """Each type that the field is declared in says the model by `of`."""
        self.name = name
        self._model = model

    def of(self, model: type[Model], where: str) -> Rows:
        """Return the same for a model; raises `SetupError` where it has no such rows."""
        made = Rows(self.name, model)
        if made._is_manager:
            return made
        if not callable(made._method):
            raise SetupError(
                "E012",
                f"{where}: {model._meta.label} has no manager “{self.name}”, and its default "
                "manager has no such method.",
                hint="Name a manager, or a method of the default manager or its queryset.",
            )
        taken = OF_EVERY_LIST.intersection(inspect.signature(made._method).parameters)
        if taken:
            raise SetupError(
                "E012",
                f"{where}: “{self.name}” takes “{min(taken)}”, as every list does.",
                hint="Give the argument of the method another name.",
            )
        return made

    @property
    def model(self) -> type[Model]:
        """The model of the rows."""
        if self._model is None:
            raise SetupError(
                "E012",
                f"The rows “{self.name}” are in no type of gql_cluster.",
                hint="Declare the type that has them with gql_cluster.type.",
            )
        return self._model

    @property
    def _is_manager(self) -> bool:
        return self.name in self.model._meta.managers_map

    @property
    def _method(self) -> Any:
        return getattr(type(self.model._default_manager), self.name, None)

    @cached_property
    def arguments(self) -> Sequence[StrawberryArgument]:
        """What the method takes, as arguments of a field; a manager takes nothing."""
        if self._model is None or self._is_manager:
            return ()
        # Django wraps a queryset's method for its manager, and hides where its types are named.
        arguments = StrawberryResolver(inspect.unwrap(self._method)).arguments
        for each in arguments:
            each.description = each.description or f"What the model's `{self.name}` is asked for."
        return arguments

    def take(self, kwargs: dict[str, Any]) -> Mapping[str, Any]:
        """Take the method's own arguments out of those of a field."""
        names = [each.python_name for each in self.arguments]
        return {name: kwargs.pop(name) for name in names if name in kwargs}

    def narrow(self, queryset: QuerySet[Any], arguments: Mapping[str, Any]) -> QuerySet[Any]:
        """Return those of a queryset's rows that are wanted."""
        rows = self._ask(arguments)
        choice = _choice(rows)
        if choice is None:
            wanted = queryset.order_by().values("pk")
            return rows.using(queryset.db).filter(pk__in=wanted)
        return _apply(queryset, choice)

    def choose(self, arguments: Mapping[str, Any]) -> Choice:
        """Return what can be evaluated in memory; raises `GraphQLError` if that is not all."""
        choice = _choice(self._ask(arguments))
        if choice is None:
            raise unsupported(f"“{self.name}”")
        return choice

    def _ask(self, arguments: Mapping[str, Any]) -> QuerySet[Any]:
        default: Manager[Any] = self.model._default_manager
        manager: Any = copy(self.model._meta.managers_map.get(self.name, default))
        manager._queryset_class = _noting(manager._queryset_class)  # noqa: SLF001 - what it asks
        found: QuerySet[Any] = (
            manager.all() if self._is_manager else getattr(manager, self.name)(**arguments)
        )
        return found


class _Notes(_Base):
    """What a queryset with notes has more than one without."""

    noted: tuple[Q, ...] = ()

    def none(self) -> Any:
        """Say it by a filter, which can be written down."""
        return self.filter(pk__in=())

    def _filter_or_exclude_inplace(self, negate: bool, args: Any, kwargs: Any) -> None:
        super()._filter_or_exclude_inplace(negate, args, kwargs)  # type: ignore[misc]
        q = Q(*args, **kwargs)
        self.noted = (*self.noted, ~q if negate else q)

    def _clone(self) -> Any:
        clone: Any = super()._clone()  # type: ignore[misc]
        clone.noted = self.noted
        return clone


@cache
def _noting(queryset_class: type[QuerySet[Any]]) -> type[QuerySet[Any]]:
    return type(queryset_class.__name__, (_Notes, queryset_class), {})


def _choice(rows: QuerySet[Any]) -> Choice | None:
    """Return what was written down; None where the rows were narrowed in any other way, too."""
    if not isinstance(rows, _Notes):
        return None
    query = rows.query
    if (
        query.annotations
        or query.distinct
        or query.is_sliced
        or query.combinator
        or query.extra
        or query.extra_tables
        or query.extra_order_by
        or not query.standard_ordering
    ):
        return None
    choice = Choice(filters=rows.noted, order=tuple(query.order_by))
    again = _apply(rows.model._base_manager.all(), choice)
    return choice if query.where == again.query.where else None


def _apply(queryset: QuerySet[Any], choice: Choice) -> QuerySet[Any]:
    for q in choice.filters:  # one by one: each may mean another row of a relation
        queryset = queryset.filter(q)
    return queryset.order_by(*choice.order) if choice.order else queryset
