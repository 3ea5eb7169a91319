"""Fields of the mirror: one answer for a saved object and for an instance of a draft."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from functools import cached_property, lru_cache
from typing import Any

import strawberry
from asgiref.sync import sync_to_async
from django.db.models import ForeignKey, Model, QuerySet
from django.db.models.expressions import DatabaseDefault
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryContainer
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry_django.fields.field import StrawberryDjangoField
from strawberry_django.ordering import ORDERING_ARG

from gql_cluster.api import loaders
from gql_cluster.api.inmemory import Selection, page, select
from gql_cluster.api.lookups import unsupported
from gql_cluster.domain.node import Node
from gql_cluster.domain.spec import RelationSpec
from gql_cluster.domain.tree import Want
from gql_cluster.orm.instance import bound
from gql_cluster.orm.load import decode_pk
from gql_cluster.service.view import View


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
                wanted = self.get_ordering()
                argument.type_annotation = StrawberryAnnotation(list[wanted] | None)  # type: ignore[valid-type]
                argument.default = strawberry.UNSET
        return arguments

    @arguments.setter
    def arguments(self, value: list[StrawberryArgument]) -> None:
        StrawberryDjangoField.arguments.fset(self, value)

    def _has_pagination(self) -> bool:
        if isinstance(self.pagination, bool):
            return self.pagination
        return bool(self.is_paginated or (self.is_list and self.django_type is not None))

    @cached_property
    def is_choice(self) -> bool:
        """Tell whether the values are those of an enum."""
        type_: object = self.type
        while isinstance(type_, StrawberryContainer):
            type_ = type_.of_type
        return isinstance(type_, StrawberryEnumDefinition)

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
        at = bound(source) if self.is_mirrored else None
        if at is None or source is None or info is None:
            result = super().get_result(source, info, args, kwargs)
        else:
            result = self._of_draft(at.family, at.node, source, info, args, kwargs)
        if not self.is_choice:
            return result
        return _choice_later(result) if inspect.isawaitable(result) else _choice(result)

    def _of_draft(  # noqa: PLR0911, PLR0913 - one return a kind of field; strawberry's arguments
        self,
        view: View,
        node: Node,
        source: Model,
        info: strawberry.Info,
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        spec = view.cluster.spec.nodes[node.type]
        name: str = self.django_name or self.python_name
        if name in spec.relations:
            return self._children(view, node, spec.relations[name], info, kwargs)
        if name in spec.sets:
            return self._members(view, node, name, info, kwargs)
        relation = view.relation_of(node)
        if relation is not None and name == relation.parent_field:
            return view.parent(node)
        if relation is not None and name == relation.order_field:
            return self._number(view, node, relation, source)
        field = _model_field(type(source), name)
        if isinstance(field, ForeignKey) and name != field.attname:
            return self._foreign(view, source, field, info)
        if field is None:
            return super().get_result(source, info, args, kwargs)
        if not field.concrete or field.many_to_many:
            if source.pk is None:  # Django refuses to ask what refers to an unsaved object
                return [] if self.is_list or self.is_connection else None
            return super().get_result(source, info, args, kwargs)
        # What the database is to fill in at save is not known yet.
        if isinstance(source.__dict__.get(field.attname), DatabaseDefault | None):
            return None
        return super().get_result(source, info, args, kwargs)

    async def _children(
        self,
        view: View,
        parent: Node,
        relation: RelationSpec,
        info: strawberry.Info,
        arguments: dict[str, Any],
    ) -> list[Model]:
        if self.is_paginated or arguments.get("order"):
            raise unsupported(f"“{self.name}” as it is declared")
        model = view.cluster.models[relation.child]
        await view.load_family(parent.key, relation.name)
        nodes = await self._visible(view, view.children(parent.key, relation.name), model, info)
        selection = Selection(
            filters=arguments.get("filters"),
            ordering_type=self.get_ordering(),
            ordering=arguments.get("ordering"),
            default=() if relation.order_field else model._meta.ordering,
        )
        pagination = arguments.get("pagination")
        if not selection or not nodes:
            return [_child(view, relation, node) for node in page(nodes, pagination)]
        children = [_child(view, relation, node) for node in nodes]
        return page(await sync_to_async(select)(children, model, selection, info), pagination)

    async def _visible(
        self, view: View, nodes: list[Node], model: type[Model], info: strawberry.Info
    ) -> list[Node]:
        """Leave out the saved nodes that the type's own `get_queryset` hides."""
        if getattr(self.django_type, "get_queryset", None) is None:
            return nodes
        pks = {node.key: decode_pk(model, node.pk) for node in nodes if node.pk is not None}
        loader = loaders.visible(view, model, self.django_type, info)
        seen = dict(zip(pks, await loader.load_many(pks.values()), strict=True))
        return [node for node in nodes if seen.get(node.key, True)]

    async def _members(
        self,
        view: View,
        node: Node,
        name: str,
        info: strawberry.Info,
        arguments: dict[str, Any],
    ) -> Any:
        field: Any = view.cluster.models[node.type]._meta.get_field(name)
        target: type[Model] = field.related_model
        pks = [decode_pk(target, pk) for pk in node.sets.get(name, ())]

        def fetch() -> Any:
            hook = self.get_queryset_hook(**{**arguments, "info": info})
            found = hook(target._default_manager.filter(pk__in=pks))
            return list(found) if self.is_list and isinstance(found, QuerySet) else found

        return await sync_to_async(fetch)()

    def _foreign(
        self, view: View, source: Model, field: Any, info: strawberry.Info
    ) -> Awaitable[Model | None] | None:
        key = source.__dict__.get(field.attname)
        if key is None:
            return None
        attname: str = field.target_field.attname
        model: type[Model] = field.remote_field.model
        return loaders.objects(view, model, attname, self.django_type, info).load(key)

    def _number(self, view: View, node: Node, relation: RelationSpec, source: Model) -> Any:
        place = (node.parent or "", relation.name)
        if not view.snapshot.copy.missing(Want(families=frozenset({place}))):
            return _numbered(view, relation, node, source)

        async def number() -> Any:
            await view.load_family(*place)
            return _numbered(view, relation, node, source)

        return number()


def _child(view: View, relation: RelationSpec, node: Node) -> Model:
    instance = view.instance(node)
    if relation.order_field is not None:
        _numbered(view, relation, node, instance)
    return instance


def _numbered(view: View, relation: RelationSpec, node: Node, instance: Model) -> Any:
    """Return a node's number; its instance may have been made before its siblings were known."""
    name = relation.order_field or ""
    number = view.numbers(node.parent or "", relation).get(node.key)
    if number is not None:
        setattr(instance, name, number)
    return getattr(instance, name)


@lru_cache(maxsize=None)
def _model_field(model: type[Model], name: str) -> Any:
    """Return a field by its name or its column's, a reverse one by its accessor; else None."""
    for field in model._meta.get_fields():
        accessor = getattr(field, "get_accessor_name", None)
        if name in {accessor() if accessor else field.name, getattr(field, "attname", None)}:
            return field
    return None


def _choice(value: object) -> object:
    return None if value == "" else value


async def _choice_later(value: Awaitable[object]) -> object:
    return _choice(await value)
