"""Fields of the mirror: one answer for a saved object and for an instance of a draft."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any, Self, TypeVar, cast

import strawberry
import strawberry_django
from django.db.models import Model, QuerySet
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryContainer
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import UNRESOLVED
from strawberry_django.fields.field import (
    StrawberryDjangoConnectionExtension,
    StrawberryDjangoField,
)
from strawberry_django.optimizer import is_optimized_by_prefetching
from strawberry_django.ordering import ORDERING_ARG
from strawberry_django.relay import DjangoListConnection
from strawberry_django.resolvers import django_resolver
from strawberry_django.utils.typing import unwrap_type

from gql_cluster.api import drafted, prefetched
from gql_cluster.api.drafted import Ask
from gql_cluster.api.rows import Rows
from gql_cluster.orm.codec import encoder, is_coded
from gql_cluster.orm.instance import bound
from gql_cluster.orm.kinds import generic_relations, tag_names, tags_named
from gql_cluster.service.view import View

Found = TypeVar("Found", bound="QuerySet[Any]")


class MirrorField(StrawberryDjangoField):
    """A field of a mirror type.

    Of a saved object it is strawberry-django's own. Of a draft's instance, children and their
    numbers come from the draft, what is outside of the cluster from the database. `rows` is which
    of a relation's rows it has, where it has not all.
    """

    rows: Rows | None = None

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied.rows = self.rows
        return copied

    @property
    def arguments(self) -> list[StrawberryArgument]:
        """Return the arguments; `ordering` may be null, as each of the others may."""
        arguments: list[StrawberryArgument] = super().arguments
        for argument in arguments:
            if argument.python_name == ORDERING_ARG and argument.default == []:
                wanted: Any = self.get_ordering()
                argument.type_annotation = StrawberryAnnotation(list[wanted] | None)
                argument.default = strawberry.UNSET
        names = {argument.python_name for argument in arguments}
        own = () if self.rows is None else self.rows.arguments
        return [*(each for each in own if each.python_name not in names), *arguments]

    @arguments.setter
    def arguments(self, value: list[StrawberryArgument]) -> None:
        inherited: Any = StrawberryDjangoField.arguments
        inherited.fset(self, value)

    def _has_pagination(self) -> bool:
        if isinstance(self.pagination, bool):
            return self.pagination
        return bool(self.is_paginated or (self.is_list and self.django_type is not None))

    def get_queryset(self, queryset: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        """Return the rows of this field: what the type, the arguments and `rows` leave of them."""
        if self.rows is not None and not is_optimized_by_prefetching(queryset):
            arguments = self.rows.take(kwargs)
            queryset = self.rows.narrow(queryset, arguments)
        inherited: Any = super().get_queryset
        return inherited(queryset, info, **kwargs)

    def _can_run_qs_hook_inline(self, queryset: QuerySet[Any]) -> bool:
        # As strawberry-django has it for a field whose `get_queryset` is its own: ours does
        # nothing to what was prefetched.
        is_first = self.is_optional and not (self.is_connection or self.is_list)
        is_read = queryset._result_cache is not None  # noqa: SLF001
        return not is_first and is_read and is_optimized_by_prefetching(queryset)

    def apply_pagination(
        self,
        queryset: Found,
        pagination: object = None,
        *,
        related_field_id: str | None = None,
    ) -> Found:
        """Take a page; of what the optimizer prefetches, mark that it is for this field."""
        page = super().apply_pagination(queryset, pagination, related_field_id=related_field_id)
        return page if related_field_id is None else prefetched.mark(page, self.python_name)

    @cached_property
    def shown(self) -> Callable[[Any], object] | None:
        """What makes the values those that clients know; None where they know the field's own."""
        model: Any = getattr(self.origin_django_type, "model", None)
        name = self.django_name or self.python_name
        if model is not None and tags_named(model, name):
            return tag_names
        type_: object = self.type
        while isinstance(type_, StrawberryContainer):
            type_ = type_.of_type
        if isinstance(type_, StrawberryEnumDefinition):
            return _choice
        columns = model._meta.concrete_fields if model is not None and self.is_mirrored else ()
        column = next((column for column in columns if column.name == name), None)
        return encoder(column) if column is not None and is_coded(column) else None

    @cached_property
    def is_mirrored(self) -> bool:
        """Tell whether the model answers, and not a resolver of the project's own."""
        resolver = self.base_resolver
        return resolver is None or getattr(resolver.wrapped_func, "can_optimize", False)

    def get_result(
        self,
        source: Model | None,
        info: strawberry.Info | None,
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        """Return the field's value, or an awaitable of it."""
        if source is not None and self.is_mirrored and self._is_generic(type(source)):
            # Its manager looks up a content type, which may be a query, as soon as it is made.
            return django_resolver(self._result, qs_hook=None)(source, info, args, kwargs)
        return self._result(source, info, args, kwargs)

    def _is_generic(self, model: type[Model]) -> bool:
        name = self.django_name or self.python_name
        return any(each.name == name for each in generic_relations(model))

    def _result(
        self,
        source: Model | None,
        info: strawberry.Info | None,
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        if source is None or info is None or not self.is_mirrored:
            result = super().get_result(source, info, args, kwargs)
        elif (at := bound(source)) is not None:
            view, name = cast("View", at.family), self.django_name or self.python_name
            result = drafted.AS_SAVED
            if not drafted.is_as_saved(view, at.node, source, name):
                ask = Ask(view=view, node=at.node, source=source, field=self, info=info)
                result = drafted.answer(ask, kwargs)
            if result is drafted.AS_SAVED:
                result = super().get_result(source, info, args, kwargs)
        elif self.is_list or self.is_connection:
            result = self._saved_list(source, info, args, kwargs)
        else:
            result = super().get_result(source, info, args, kwargs)
        if self.shown is None:
            return result
        return _later(result, self.shown) if inspect.isawaitable(result) else self.shown(result)

    def _saved_list(
        self, source: Model, info: strawberry.Info, args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        name = self.django_name or self.python_name
        queryset = prefetched.own_queryset(source, name, self.python_name)
        if queryset is None:
            return super().get_result(source, info, args, kwargs)
        hook = self.get_queryset_hook(**{**kwargs, "info": info})
        return django_resolver(hook, **({"qs_hook": None} if self.is_connection else {}))(queryset)


class ConnectionField(MirrorField):
    """A connection to the same objects as a list field of the same type holds."""

    def __init__(self, of: MirrorField | None = None, **kwargs: Any) -> None:
        """`of` is the list field."""
        super().__init__(**kwargs)
        self.of = of

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied.of = self.of
        return copied

    def resolve_type(self, *, type_definition: Any = None) -> Any:
        """Return the connection, once the type of the list field's objects is known."""
        if self.of is not None and self.type_annotation is None:
            child: Any = unwrap_type(self.of.resolve_type(type_definition=type_definition))
            if not isinstance(child, type) or child is UNRESOLVED:
                return child
            connection: Any = DjangoListConnection
            self.type_annotation = StrawberryAnnotation(connection[child])
        return super().resolve_type(type_definition=type_definition)


def connection_of(field: MirrorField, cls: type[Any]) -> ConnectionField:
    """Return the connection that goes beside a list field of a type, `<name>_connection`."""
    made = ConnectionField(
        of=field,
        python_name=f"{field.python_name}_connection",
        django_name=field.django_name,
        description=field.description,
        filters=field.filters,
        ordering=field.ordering,
        origin=cls,
        extensions=[StrawberryDjangoConnectionExtension(max_results=None)],
        permission_classes=field.permission_classes,
    )
    made.rows = field.rows
    made.is_relation = True
    made.origin_django_type = field.origin_django_type
    return made


def rows(relation: str, name: str, **options: Any) -> Any:
    """Declare a list of those rows of a relation that a manager of their model finds.

    `name` is that of a manager, or of a method of the default manager or its queryset, whose
    arguments become the field's. Of a draft it is evaluated in memory: what does more than filter
    and order is `BAD_USER_INPUT` there. `options` are those of `strawberry_django.field`.
    """
    field: Any = strawberry_django.field(field_name=relation, field_cls=MirrorField, **options)
    field.rows = Rows(name)
    return field


def _choice(value: object) -> object:
    return None if value == "" else value


async def _later(value: Awaitable[object], shown: Callable[[Any], object]) -> object:
    return shown(await value)
