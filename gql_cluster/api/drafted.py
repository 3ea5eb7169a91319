"""What a field answers of a draft's instance."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import strawberry
from asgiref.sync import sync_to_async
from django.db.models import ForeignKey, ManyToManyField, Model, QuerySet
from django.db.models.expressions import DatabaseDefault

from gql_cluster.api import loaders
from gql_cluster.api.inmemory import Selection, page, select
from gql_cluster.api.kinds import hides_rows
from gql_cluster.api.lookups import unsupported
from gql_cluster.api.rows import EVERY, Choice
from gql_cluster.domain.node import Node
from gql_cluster.domain.reference import key_in
from gql_cluster.domain.spec import RelationSpec
from gql_cluster.domain.tree import Want
from gql_cluster.orm.codec import decode
from gql_cluster.orm.load import decode_pk
from gql_cluster.orm.record import NeedsInstanceError
from gql_cluster.service.records import records_of
from gql_cluster.service.view import View

if TYPE_CHECKING:
    from gql_cluster.api.fields import MirrorField

AS_SAVED: Any = object()
"""The answer is the one that a saved object gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Which field is asked for, of which node."""

    view: View
    node: Node
    source: Model
    field: MirrorField
    info: strawberry.Info


def answer(ask: Ask, arguments: dict[str, Any]) -> Any:  # noqa: PLR0911 - one a kind of field
    """Return the value of a field, or an awaitable of it, or `AS_SAVED`."""
    spec = ask.view.cluster.spec.nodes[ask.node.type]
    name: str = ask.field.django_name or ask.field.python_name
    if name in spec.relations:
        return _children(ask, spec.relations[name], arguments)
    if name in spec.sets:
        is_tags = spec.sets[name].target is None
        return list(ask.node.sets.get(name, ())) if is_tags else _members(ask, name, arguments)
    relation = ask.view.relation_of(ask.node)
    if relation is not None and name == relation.parent_field:
        return ask.view.parent(ask.node)
    if relation is not None and name == relation.order_field:
        return _number(ask, relation)
    column = _column(type(ask.source), name)
    if column is None:
        by_children = _by_children(ask, name)
        if by_children is not None:
            return _members_of_children(ask, *by_children, arguments)
        return _of_the_database(ask, name)
    if isinstance(column, ForeignKey) and name == column.name:
        is_within = name in spec.fields and bool(spec.fields[name].nodes)
        return _within(ask, column) if is_within else _foreign(ask, column)
    # A value may be missing here that the database is to fill in at save.
    is_missing = isinstance(ask.source.__dict__.get(column.attname), DatabaseDefault | None)
    return None if is_missing else AS_SAVED


# Within the cluster


async def _children(ask: Ask, relation: RelationSpec, arguments: dict[str, Any]) -> list[Model]:
    if ask.field.is_paginated or arguments.get("order"):
        raise unsupported(f"“{ask.field.name}” as it is declared")
    view, model = ask.view, ask.view.cluster.models[relation.child]
    await view.load_list(ask.node.key, relation)
    nodes = await _visible(ask, view.listed(ask.node.key, relation), model)
    selection = Selection(
        choice=await _choice(ask, arguments),
        filters=arguments.get("filters"),
        ordering_type=ask.field.get_ordering(),
        ordering=arguments.get("ordering"),
        default=() if relation.order_field else model._meta.ordering or (),
    )
    pagination = arguments.get("pagination")
    if selection and nodes:
        first = page(range(len(nodes)), pagination).stop
        nodes = await _selected(ask, relation, nodes, selection, first)
    return [_child(view, node) for node in page(nodes, pagination)]


async def _selected(
    ask: Ask, relation: RelationSpec, nodes: Sequence[Node], selection: Selection, first: int
) -> Sequence[Node]:
    """Return the nodes that pass, sorted: at least the first so many."""
    view, model = ask.view, ask.view.cluster.models[relation.child]
    await view.targets.load(nodes)
    choose = sync_to_async(partial(select, first=first))
    records = records_of(view, ask.node.key, relation, nodes)
    if records is not None:
        with suppress(NeedsInstanceError):
            found = await choose(records, model, selection, ask.info)
            return [record.node_ for record in found]
    children = [_child(view, node) for node in nodes]
    node_of = {id(child): node for child, node in zip(children, nodes, strict=True)}
    return [node_of[id(child)] for child in await choose(children, model, selection, ask.info)]


async def _choice(ask: Ask, arguments: dict[str, Any]) -> Choice:
    rows = ask.field.rows
    # A method of the project's own may query for what it filters by.
    return EVERY if rows is None else await sync_to_async(rows.choose)(rows.take(arguments))


async def _visible(ask: Ask, nodes: Sequence[Node], model: type[Model]) -> Sequence[Node]:
    """Leave out the saved nodes that the type's own `get_queryset` hides."""
    type_ = ask.field.django_type
    if not hides_rows(type_, ask.info):
        return nodes
    pks = {node.key: decode_pk(model, node.pk) for node in nodes if node.pk is not None}
    loader = loaders.visible(ask.view, model, type_, ask.info)
    seen = dict(zip(pks, await loader.load_many(pks.values()), strict=True))
    return [node for node in nodes if seen.get(node.key, True)]


def _child(view: View, node: Node) -> Model:
    instance, relation = view.instance(node), view.relation_of(node)
    if relation is not None and relation.order_field is not None:
        _numbered(view, relation, node, instance)
    return instance


async def _within(ask: Ask, column: Any) -> Model | None:
    """Return the node of the draft that a foreign key refers to, else what is saved."""
    view = ask.view
    await view.targets.load([ask.node])
    target = view.targets.of(ask.node, column.name)
    if target is None:
        saved = _foreign(ask, column)
        return None if saved is None else await saved
    seen = await _visible(ask, [target], view.cluster.models[target.type])
    return view.instance(target) if seen else None


def _number(ask: Ask, relation: RelationSpec) -> Any:
    view, node = ask.view, ask.node
    place = (node.parent or "", relation.name)
    if not view.snapshot.copy.missing(Want(families=frozenset({place}))):
        return _numbered(view, relation, node, ask.source)

    async def number() -> Any:
        await view.load_family(*place)
        return _numbered(view, relation, node, ask.source)

    return number()


def _numbered(view: View, relation: RelationSpec, node: Node, instance: Model) -> Any:
    """Return a node's number; its instance may have been made before its siblings were known."""
    name = relation.order_field or ""
    number = view.numbers(node.parent or "", relation).get(node.key)
    if number is not None:
        setattr(instance, name, number)
    return getattr(instance, name)


# Outside of the cluster


async def _members(ask: Ask, name: str, arguments: dict[str, Any]) -> Any:
    """Return the objects of a set: the database's answer, as it is for a saved one."""
    field: Any = ask.view.cluster.models[ask.node.type]._meta.get_field(name)
    target: type[Model] = field.related_model
    pks = [decode_pk(target, pk) for pk in ask.node.sets.get(name, ())]
    return await _saved_rows(ask, target._default_manager.filter(pk__in=pks), arguments)


def _by_children(ask: Ask, name: str) -> tuple[RelationSpec, Any] | None:
    """Return the relation whose children are the rows of a many-to-many, and their other key."""
    field = _relation(type(ask.source), name)
    if not isinstance(field, ManyToManyField):
        return None
    cluster, through = ask.view.cluster, field.remote_field.through
    for relation in cluster.spec.nodes[ask.node.type].relations.values():
        is_end = relation.parent_field == field.m2m_field_name()
        if is_end and cluster.models[relation.child] is through:
            other: str = field.m2m_reverse_field_name()
            return relation, through._meta.get_field(other)
    return None


async def _members_of_children(
    ask: Ask, relation: RelationSpec, key: Any, arguments: dict[str, Any]
) -> Any:
    """Return the objects that the children of a relation point to."""
    await ask.view.load_family(ask.node.key, relation.name)
    children = ask.view.children(ask.node.key, relation.name)
    held = [child.fields.get(key.name) for child in children]
    # What is not saved is in no list of the database.
    values = [decode(key, value) for value in held if value is not None and key_in(value) is None]
    target: type[Model] = key.related_model
    lookup = {f"{key.target_field.attname}__in": values}
    return await _saved_rows(ask, target._default_manager.filter(**lookup), arguments)


async def _saved_rows(ask: Ask, queryset: QuerySet[Any], arguments: dict[str, Any]) -> Any:
    def fetch() -> Any:
        hook = ask.field.get_queryset_hook(**{**arguments, "info": ask.info})
        found = hook(queryset)
        return list(found) if ask.field.is_list and isinstance(found, QuerySet) else found

    return await sync_to_async(fetch)()


def _foreign(ask: Ask, column: Any) -> Awaitable[Model | None] | None:
    key = ask.source.__dict__.get(column.attname)
    if key is None:
        return None
    model: type[Model] = column.remote_field.model
    attname: str = column.target_field.attname
    loader = loaders.objects(ask.view, model, attname, ask.field.django_type, ask.info)
    return loader.load(key)


def _of_the_database(ask: Ask, name: str) -> Any:
    """Leave to the database what is no column; what refers to an unsaved object is not there."""
    relation = _relation(type(ask.source), name)
    if relation is None or ask.source.pk is not None:
        return AS_SAVED
    return [] if ask.field.is_list or ask.field.is_connection else None


@cache
def _column(model: type[Model], name: str) -> Any:
    columns = model._meta.concrete_fields
    return next((each for each in columns if name in {each.name, each.attname}), None)


@cache
def _relation(model: type[Model], name: str) -> Any:
    for field in model._meta.get_fields():
        accessor = getattr(field, "get_accessor_name", None)
        if field.is_relation and name == (accessor() if accessor else field.name):
            return field
    return None
