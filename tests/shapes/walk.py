"""A walk over GraphQL: a draft is opened, edited step by step, followed, read and committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
)
from graphql.type import is_list_type, is_non_null_type, is_required_argument
from strawberry.utils.str_converters import to_camel_case as camel

from tests.api.schema_kit import ERRORS, Client
from tests.shapes.plan import Add, Assign, Members, Move, New, Place, Remove, Step
from tests.shapes.shape import Shape, kinds, models_below, relations, sets
from tests.shapes.values import sent

NOTICES = {"EditorsChanged", "BaseChanged", "DraftExpiring"}


@dataclass
class Walk:
    """One draft of one shape. `selection` reads all of a cluster, saved or drafted."""

    client: Client
    shape: Shape
    selection: str
    draft: str = ""
    keys: dict[str, str] = field(default_factory=lambda: {"root": "root"})
    version: int = 0

    async def open(self, **arguments: Any) -> Any:
        """Open a draft, and return its cluster."""
        name = self.shape.name
        data = await self.client.data(
            f"mutation($pk: ID, $data: {name}Input, $json: JSON)"
            f" {{ it: open{name}Draft(pk: $pk, data: $data, json: $json)"
            f" {{ draft {{ id cluster {self.selection} }} {ERRORS} }} }}",
            **arguments,
        )
        assert data["it"]["errors"] == []
        self.draft = data["it"]["draft"]["id"]
        return data["it"]["draft"]["cluster"]

    async def saved(self, pk: Any) -> Any:
        """Return the saved cluster, read by the same selection."""
        root = self.shape.name[0].lower() + self.shape.name[1:]
        query = f"query($pk: ID!) {{ it: {root}(pk: $pk) {self.selection} }}"
        return (await self.client.data(query, pk=str(pk)))["it"]

    async def read(self) -> Any:
        """Return the draft's cluster and what a commit would refuse."""
        data = await self.client.data(
            f"query($id: ID!) {{ draft(id: $id) {{ isDirty errors {{ message field key }}"
            f" ... on {self.shape.name}Draft {{ cluster {self.selection} }} }} }}",
            id=self.draft,
        )
        assert data["draft"]["errors"] == []
        return data["draft"]

    async def exported(self) -> Any:
        """Return the draft in modelcluster's own form."""
        query = "query($id: ID!) { it: exportDraft(draft: $id) }"
        return (await self.client.data(query, id=self.draft))["it"]

    async def edit(self, *changes: Any) -> Any:
        """Stage changes, and return the cluster."""
        name = self.shape.name
        data = await self.client.data(
            f"mutation($draft: ID!, $changes: [{name}Change!]!)"
            f" {{ it: edit{name}Draft(draft: $draft, changes: $changes)"
            f" {{ draft {{ version cluster {self.selection} }} {ERRORS} }} }}",
            draft=self.draft,
            changes=list(changes),
        )
        assert data["it"]["errors"] == [], changes
        self.version += 1
        assert data["it"]["draft"]["version"] == self.version
        return data["it"]["draft"]["cluster"]

    async def commit(self) -> Any:
        """Commit, and return the saved cluster."""
        name = self.shape.name
        data = await self.client.data(
            f"mutation($draft: ID!) {{ it: commit{name}Draft(draft: $draft)"
            f" {{ cluster {self.selection} keys {{ key pk }} {ERRORS} }} }}",
            draft=self.draft,
        )
        assert data["it"]["errors"] == []
        return data["it"]["cluster"]

    async def events(self) -> AsyncGenerator[Any, None]:
        """Follow the draft: yield its events, but no notices."""
        query = (
            "subscription($id: ID!) { it: draftEvents(draft: $id) { __typename version"
            " draft { version }"
            " ... on DraftEdited { changes { kind key relation parentKey"
            " fields { name before after } } } ... on DraftCommitted { keys { key pk } } } }"
        )
        async with aclosing(self.client.stream(query, id=self.draft)) as results:
            async for result in results:
                assert result.errors is None, result.errors
                if result.data["it"]["__typename"] not in NOTICES:
                    yield result.data["it"]

    # Steps

    async def do(self, step: Step, events: AsyncIterator[Any]) -> None:
        """Do a step; its event comes and tells what it was, and the draft can be read as ever."""
        for change, told in self._changes(step):
            await self.edit(change)
            event = await asyncio.wait_for(anext(events), 10)
            assert (event["__typename"], event["version"]) == ("DraftEdited", self.version)
            assert event["draft"]["version"] == self.version
            assert _only(event["changes"], told) == told

    def _changes(self, step: Step) -> Iterable[tuple[Any, list[Any]]]:
        match step:
            case Assign(place=place):
                values = _given(place, step.values)
                change = {self._own(place.model, "set"): values}
                if place.above is not None:
                    update = {"key": self.keys[place.name], "set": _wrapped(place, values)}
                    change = self._within(place.above, {camel(place.relation): {"update": update}})
                before = _told(place, step.before)
                fields = [
                    {"name": name, "before": before[name], "after": value}
                    for name, value in _told(place, step.values).items()
                    if value != before[name]
                ]
                told = {"kind": "UPDATED", "key": self.keys[place.name], "fields": fields}
                yield change, [told] if fields else []
            case Add(new=new):
                data = self.data(new)
                if step.is_second:
                    data[self._own(new.place.model, "position")] = 1
                yield self._on(new.place, {"add": [_wrapped(new.place, data)]}), [*self._added(new)]
            case Remove(place=place):
                key = self.keys[place.name]
                yield self._on(place, {"remove": [key]}), [{"kind": "REMOVED", "key": key}]
            case Move(place=place):
                key = self.keys[place.name]
                move = {"move": {"key": key, "to": "FIRST"}}
                yield self._on(place, move), [{"kind": "MOVED", "key": key}]
            case Members():
                yield from self._members(step)

    def _members(self, step: Members) -> Iterable[tuple[Any, list[Any]]]:
        name = camel(step.column.name)
        held = [str(each) for each in step.held]
        added, replaced = str(step.added), [str(each) for each in step.replaced]
        for change, now in (
            ({"add": [added, held[0]]}, [*held, added]),
            ({"remove": [held[0]]}, [*held[1:], added]),
            ({"replace": replaced}, replaced),
            ({"clear": True}, []),
            ({"add": replaced}, replaced),
        ):
            told = {
                "kind": "RELATED",
                "key": self.keys[step.place.name],
                "fields": [
                    {
                        "name": name,
                        "before": [each for each in held if each not in now],
                        "after": [each for each in now if each not in held],
                    }
                ],
            }
            yield self._within(step.place, {name: change}), [told]
            held = now

    def _added(self, new: New) -> Iterable[Any]:
        place = new.place
        values = _told(place, new.values) | _members(new)
        yield {
            "kind": "ADDED",
            "key": place.name,
            "relation": camel(place.relation),
            "parentKey": self.keys[place.above.name] if place.above else None,
            "fields": [
                {"name": name, "before": None, "after": value}
                for name, value in values.items()
                if value not in (None, "")
            ],
        }
        for children in new.children.values():
            for child in children:
                yield from self._added(child)

    def _own(self, model: Any, name: str) -> str:
        """Return what a member of the engine's is called where the model may have its name."""
        taken = {column.name for column in self.shape.fields(model, is_new=True)}
        taken |= {each.get_accessor_name() for each in relations(model)}
        return camel(f"node_{name}") if name in taken else name

    def data(self, new: New) -> dict[str, Any]:
        """Return the input of a new node with all below it."""
        self.keys[new.place.name] = new.place.name
        key = {} if new.place.above is None else {"key": new.place.name}
        below = {
            camel(name): [_wrapped(child.place, self.data(child)) for child in children]
            for name, children in new.children.items()
        }
        return {**key, **_given(new.place, new.values), **_members(new), **below}

    def _on(self, place: Place, change: Any) -> Any:
        assert place.above is not None
        return self._within(place.above, {camel(place.relation): change})

    def _within(self, place: Place, change: Any) -> Any:
        """Return a change of a node as one of the root."""
        if place.above is None:
            return change
        # As what it is, or as what it has that from.
        as_kind = place.model if self.version % 2 else _owner(place, next(iter(change)))
        edit = {"key": self.keys[place.name], "changes": [_wrapped(place, change, as_kind)]}
        return self._within(place.above, {camel(place.relation): {"edit": edit}})


def _wrapped(place: Place, given: Any, kind: Any = None) -> Any:
    """Return what is given of a child, by its kind where a relation holds several."""
    name = (kind or place.model).__name__
    return {name[0].lower() + name[1:]: given} if len(_kinds_beside(place)) > 1 else given


def _kinds_beside(place: Place) -> list[Any]:
    """Return what the children of the relation that a child is in may be."""
    assert place.above is not None
    found = relations(place.above.model)
    relation = next(each for each in found if each.get_accessor_name() == place.relation)
    return kinds(relation.related_model)


def _owner(place: Place, member: str) -> Any:
    """Return the highest of the kinds of a child that has a relation or set."""
    for kind in _kinds_beside(place):
        has = {camel(each.get_accessor_name()) for each in relations(kind)}
        has |= {camel(each.name) for each in sets(kind)}
        if issubclass(place.model, kind) and member in has:
            return kind
    return place.model


def _only(found: Any, expected: Any) -> Any:
    """Return of what was told what is expected to be: changes by their keys, fields by name."""
    match expected:
        case dict():
            return {name: _only(found[name], each) for name, each in expected.items()}
        case [{**first}, *_]:
            by = "key" if "key" in first else "name"
            named = {each[by]: each for each in found}
            rest = named.keys() - {each[by] for each in expected}
            assert not rest, rest
            return [_only(named.get(each[by]), each) for each in expected]
        case _:
            return found


def _given(place: Place, values: Mapping[str, Any]) -> dict[str, Any]:
    told = _told(place, values)
    for name, value in values.items():
        column: Any = place.model._meta.get_field(name)
        if column.primary_key:
            told["pk"] = str(told.pop(camel(name)))
        elif isinstance(value, Place) and value.pk is None:
            told[camel(f"{name}_key")] = told.pop(camel(name))["key"]
    return told


def _told(place: Place, values: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: place.model._meta.get_field(name) for name in values}
    return {camel(name): _sent(column, values[name]) for name, column in fields.items()}


def _sent(column: Any, value: Any) -> Any:
    if isinstance(value, Place):
        return {"key": value.name} if value.pk is None else str(value.pk)
    return sent(column, value)


def _members(new: New) -> dict[str, list[str]]:
    return {camel(name): [str(each) for each in held] for name, held in new.sets.items()}


# Reading


def selection_of(schema: GraphQLSchema, shape: Shape) -> str:
    """Return what reads all that a cluster's types show, three levels deep."""
    return f"{{ __typename {_selection(schema, shape, shape.model, shape.depth + 1)} }}"


def _below(schema: GraphQLSchema, shape: Shape, model: Any, depth: int) -> str:
    """Return what reads the children of a relation: what all have, and what each kind has."""
    own = _selection(schema, shape, model, depth)
    return " ".join(
        [
            f"{{ __typename {own}",
            *(
                f"... on {kind.__name__} {{ {_selection(schema, shape, kind, depth)} }}"
                for kind in kinds(model)[1:]
            ),
            "}",
        ]
    )


def _selection(schema: GraphQLSchema, shape: Shape, model: Any, depth: int) -> str:
    type_ = schema.type_map[model.__name__]
    assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
    below = {camel(each.get_accessor_name()): each.related_model for each in relations(model)}
    members = {camel(each.name) for each in model._meta.many_to_many}
    chosen = []
    for name, each in type_.fields.items():
        named = get_named_type(each.type)
        inner = each.type.of_type if is_non_null_type(each.type) else each.type
        if name == "id" or name.endswith("Connection"):
            continue
        if any(is_required_argument(argument) for argument in each.args.values()):
            continue
        if is_leaf_type(named):
            chosen.append(name)
        elif name in below:
            if depth > 1:
                chosen.append(f"{name} {_below(schema, shape, below[name], depth - 1)}")
        elif name in members or not (is_list_type(inner) or _is_node(shape, named.name)):
            chosen.append(f"{name} {{ {'pk' if 'pk' in named.fields else 'name'} }}")
        else:
            chosen.append(f"{name} {{ __typename }}")
    return " ".join(chosen)


def _is_node(shape: Shape, name: str) -> bool:
    return name in {model.__name__ for model in models_below(shape.model)}


def typename(model: type[Any]) -> str:
    """Return the type of a child: its model's, or that of what is of no kind below its model."""
    return f"Plain{model.__name__}" if len(kinds(model)) > 1 else model.__name__


def told(shape: Shape, model: Any, node: Any) -> Any:
    """Return what a draft knows of a cluster before it is saved: no keys, nothing worked out."""
    columns = {
        camel(column.name)
        for column in shape.fields(model, is_new=True)
        if not shape.is_filled(column)
    }
    order = shape.order(model)
    names = columns | {camel(each.name) for each in sets(model)} | {camel(order or "")}
    found = {name: value for name, value in node.items() if name in names}
    for name in names & node.keys():
        if isinstance(node[name], list) and name not in columns:
            found[name] = sorted(node[name], key=repr)
    for relation in relations(model):
        name, child = camel(relation.get_accessor_name()), relation.related_model
        if name in node:
            below = [told(shape, _model_of(child, each), each) for each in node[name]]
            has_order = child._meta.ordering or shape.order(child)
            found[name] = below if has_order else sorted(below, key=repr)
    return found


def _model_of(child: type[Any], node: Any) -> type[Any]:
    return next(kind for kind in kinds(child) if typename(kind) == node["__typename"])
