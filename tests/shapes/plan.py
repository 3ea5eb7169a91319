"""What is done to an example, step by step: planned once, done over GraphQL and in plain Django."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model
from django.db.models.fields.files import FieldFile

from tests.shapes.shape import Shape, concrete, is_tags, kinds, relations, sets
from tests.shapes.values import Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A node by a name that is the same in each example; `pk` of one that is saved."""

    name: str
    model: type[Model]
    above: Place | None = None
    relation: str = ""
    pk: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """A node that is made, with all below it: values by column, members by set.

    A value may be the place of another node, for a foreign key to that.
    """

    place: Place
    values: Mapping[str, Any]
    sets: Mapping[str, list[Any]]
    children: Mapping[str, list[New]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign:
    """Give every field of a node another value."""

    place: Place
    before: Mapping[str, Any]
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    """Add a child, as the second one where the relation keeps an order."""

    new: New
    is_second: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Remove a child with all below it."""

    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Make a child the first."""

    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Add a member to what a set has, take another out, and at last let it have just these two."""

    place: Place
    column: Any
    held: list[Any]
    added: Any
    replaced: list[Any]


Step = Assign | Add | Remove | Move | Members


@dataclass
class Planner:
    """Plans the steps of one shape."""

    shape: Shape
    values: Values
    count: int = 0
    removed: set[str] = field(default_factory=set)

    def steps(self, root: Model) -> Iterator[Step]:
        """Yield the steps of a saved example: fields, children, sets."""
        places = list(saved_places(self.shape, root))
        for place, instance in places:
            siblings = [each for each, _ in places if _are_siblings(each, place)]
            values = self._values(place.model, instance, siblings)
            if values:
                before = {name: _held(instance, name) for name in values}
                yield Assign(place=place, before=before, values=values)
        for place, _ in places:
            for relation in relations(place.model) if self._is_there(place) else ():
                yield from self._children(place, relation, [each for each, _ in places])
        for place, instance in places:
            for column in sets(place.model) if self._is_there(place) else ():
                yield self._members(place, column, instance)

    def new(
        self,
        model: type[Model],
        above: Place | None,
        relation: str,
        depth: int,
        siblings: Sequence[Place] = (),
    ) -> New:
        """Return a node to make."""
        self.count += 1
        name = f"new{self.count}"
        place = Place(name=name, model=model, above=above, relation=relation)
        return New(
            place=place,
            values=self._values(model, None, siblings),
            sets={each.name: self._some(each, 2) for each in sets(model)},
            children={
                each.get_accessor_name(): self._new_below(place, each, depth - 1)
                for each in relations(model, depth)
            },
        )

    def _new_below(self, place: Place, relation: Any, depth: int) -> list[New]:
        found: list[New] = []
        for _ in range(_count(self.shape, relation.related_model)):
            for kind in kinds(relation.related_model):
                siblings = [each.place for each in found]
                found.append(self.new(kind, place, relation.get_accessor_name(), depth, siblings))
        return found

    def _children(self, place: Place, relation: Any, places: list[Place]) -> Iterator[Step]:
        name = relation.get_accessor_name()
        saved = [each for each in places if each.above is place and each.relation == name]
        depth = self.shape.depth - len(_line(place)) - 1
        is_ordered = self.shape.order(relation.related_model) is not None
        for kind in kinds(relation.related_model):
            of_kind = [each for each in saved if each.model is kind]
            if of_kind:
                removed = of_kind[len(of_kind) > 1]
                self.removed.add(removed.name)
                if is_ordered:
                    yield Move(place=of_kind[-1])
                yield Remove(place=removed)
            stay = [each for each in saved if each.name not in self.removed]
            yield Add(new=self.new(kind, place, name, depth, stay), is_second=is_ordered)

    def _is_there(self, place: Place) -> bool:
        return self.removed.isdisjoint(_line(place))

    def _members(self, place: Place, column: Any, instance: Model) -> Members:
        held = members(instance, column)
        added, *replaced = self._some(column, 3, held)
        return Members(place=place, column=column, held=held, added=added, replaced=replaced)

    def _values(
        self, model: type[Model], instance: Model | None, siblings: Sequence[Place]
    ) -> dict[str, Any]:
        return {
            column.name: next(iter(siblings), None)  # which stays
            if self.shape.is_within(column)
            else self.values.fresh(
                column, None if instance is None else _held(instance, column.name)
            )
            for column in self.shape.given(model, is_new=instance is None)
        }

    def _some(self, column: Any, count: int, held: Sequence[Any] = ()) -> list[Any]:
        if is_tags(column):
            return [f"tag {next(self.values.numbers)}" for _ in range(count)]
        return self.values.pks(column.related_model, count, held)


def _held(instance: Any, name: str) -> Any:
    value = getattr(instance, instance._meta.get_field(name).attname)
    if isinstance(value, FieldFile | memoryview):
        return str(value) if isinstance(value, FieldFile) else bytes(value)
    return value


def members(instance: Any, column: Any) -> list[Any]:
    """Return what a set of a saved object has."""
    found = getattr(instance, column.name).order_by("pk")
    return [each.name if is_tags(column) else each.pk for each in found]


def saved_places(shape: Shape, root: Model) -> Iterator[tuple[Place, Any]]:
    """Yield every node of a saved cluster, each before those below it."""
    yield from _below(shape, Place(name="root", model=shape.model, pk=root.pk), root)


def _below(shape: Shape, place: Place, instance: Model) -> Iterator[tuple[Place, Any]]:
    yield place, instance
    for relation in relations(place.model):
        model: type[Model] = relation.related_model
        name = relation.get_accessor_name()
        key = {relation.field.name: getattr(instance, relation.field.target_field.attname)}
        found = model._base_manager.filter(**key).order_by(shape.order(model) or "pk")
        for number, child in enumerate(map(concrete, found)):
            below = Place(
                name=f"{place.name}.{name}{number}",
                model=type(child),
                above=place,
                relation=name,
                pk=child.pk,
            )
            yield from _below(shape, below, child)


def _line(place: Place) -> list[str]:
    return [place.name, *(_line(place.above) if place.above else [])]


def _are_siblings(one: Place, other: Place) -> bool:
    return (one.above, one.relation) == (other.above, other.relation)


def _count(shape: Shape, model: type[Model]) -> int:
    """Return how many children of each kind there are."""
    if model.__name__ in shape.single:
        return 1
    return 3 if shape.order(model) and len(kinds(model)) == 1 else 2
