"""Fields of the mirror: one answer for a saved object and for an instance of a draft."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any, TypeVar, cast

import strawberry
from django.db.models import Model, QuerySet
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryContainer
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry_django.fields.field import (
    StrawberryDjangoConnectionExtension,
    StrawberryDjangoField,
)
from strawberry_django.ordering import ORDERING_ARG
from strawberry_django.relay import DjangoListConnection
from strawberry_django.resolvers import django_resolver
from strawberry_django.utils.typing import unwrap_type

from gql_cluster.api import drafted, prefetched
from gql_cluster.api.drafted import Ask
from gql_cluster.orm.codec import encoder, is_coded
from gql_cluster.orm.instance import bound
from gql_cluster.orm.kinds import tag_names, tags_named
from gql_cluster.service.view import View

Rows = TypeVar("Rows", bound="QuerySet[Any]")


class MirrorField(StrawberryDjangoField):
    """A field of a mirror type.

    Of a saved object it is strawberry-django's own. Of a draft's instance, children and their
    numbers come from the draft, what is outside of the cluster from the database.
    """

    @property
    def arguments(self) -> list[StrawberryArgument]:
        """Return the arguments; `ordering` may be null, as each of the others may."""
        arguments: list[StrawberryArgument] = super().arguments
        for argument in arguments:
            if argument.python_name == ORDERING_ARG and argument.default == []:
                wanted: Any = self.get_ordering()
                argument.type_annotation = StrawberryAnnotation(list[wanted] | None)
                argument.default = strawberry.UNSET
        return arguments

    @arguments.setter
    def arguments(self, value: list[StrawberryArgument]) -> None:
        inherited: Any = StrawberryDjangoField.arguments
        inherited.fset(self, value)

    def _has_pagination(self) -> bool:
        if isinstance(self.pagination, bool):
            return self.pagination
        return bool(self.is_paginated or (self.is_list and self.django_type is not None))

    def apply_pagination(
        self,
        queryset: Rows,
        pagination: object = None,
        *,
        related_field_id: str | None = None,
    ) -> Rows:
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
        if source is None or info is None or not self.is_mirrored:
            result = super().get_result(source, info, args, kwargs)
        elif (at := bound(source)) is not None:
            ask = Ask(
                view=cast("View", at.family), node=at.node, source=source, field=self, info=info
            )
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

    def __copy__(self) -> ConnectionField:
        copied: ConnectionField = super().__copy__()
        copied.of = self.of
        return copied

    def resolve_type(self, *, type_definition: Any = None) -> Any:
        """Return the connection, once the type of the list field's objects is known."""
        if self.of is not None and self.type_annotation is None:
            child: Any = unwrap_type(self.of.resolve_type(type_definition=type_definition))
            if not isinstance(child, type):
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
    made.is_relation = True
    made.origin_django_type = field.origin_django_type
    return made


def _choice(value: object) -> object:
    return None if value == "" else value


async def _later(value: Awaitable[object], shown: Callable[[Any], object]) -> object:
    return shown(await value)
