"""The same in plain Django and modelcluster: examples are made, edited and read back."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db.models import F, Model
from django.db.models.fields.files import FieldFile
from modelcluster.fields import ParentalKey, ParentalManyToManyField

from tests.shapes.plan import (
    Add,
    Assign,
    Members,
    Move,
    New,
    Place,
    Planner,
    Remove,
    Step,
    saved_places,
)
from tests.shapes.shape import Shape, concrete, first_number, is_tags, relations, sets
from tests.shapes.values import name_by_number

SHIFT = 1000
"""Numbers are moved out of the way by this, where no two may be alike."""


def made(shape: Shape) -> Model:
    """Save an example: two or three children in each relation, something in each set."""
    planner = Planner(shape, shape.values())
    return saved(shape, planner.new(shape.model, None, "", shape.depth))


def saved(shape: Shape, new: New) -> Model:
    """Save a new cluster."""
    twin = Twin(shape)
    return twin.saved(twin.build(new))


def wiped(shape: Shape, root: Model) -> None:
    """Delete an example, whatever its `delete()` would do."""
    shape.model._base_manager.filter(pk=root.pk).delete()


def edited(shape: Shape, root: Model, steps: Iterable[Step]) -> Model:
    """Do the steps to a saved example."""
    instance = shape.model._base_manager.get(pk=root.pk)
    twin = Twin(shape)
    twin.take(instance)
    for step in steps:
        twin.do(step)
    return twin.saved(instance)


class Twin:
    """A cluster in memory, as modelcluster holds it."""

    def __init__(self, shape: Shape) -> None:
        """Hold nothing."""
        self._shape = shape
        self._nodes: dict[str, Any] = {}
        self._orders: dict[tuple[str, str], list[str]] = {}
        self._sets: list[tuple[Any, Any, list[Any]]] = []

    def take(self, root: Any) -> None:
        """Hold a saved cluster."""
        held = {(type(root), root.pk): root}
        for place, _ in saved_places(self._shape, root):
            instance = held[place.model, place.pk]
            self._nodes[place.name] = instance
            if place.above is not None:
                self._order(place.above.name, place.relation).append(place.name)
            for relation in relations(place.model):
                objects = _objects(instance, relation.get_accessor_name())
                objects[:] = [concrete(child) for child in objects]
                held |= {(type(child), child.pk): child for child in objects}

    def do(self, step: Step) -> None:
        """Do one step."""
        match step:
            case Assign():
                self._assign(self._nodes[step.place.name], step.values)
            case Add(new=new):
                assert new.place.above is not None
                above = self._nodes[new.place.above.name]
                self._append(above, new.place.relation, self.build(new))
                order = self._order(new.place.above.name, new.place.relation)
                order.insert(1 if step.is_second else len(order), new.place.name)
            case Remove(place=place):
                assert place.above is not None
                objects = _objects(self._nodes[place.above.name], place.relation)
                objects.remove(self._nodes[place.name])
                self._order(place.above.name, place.relation).remove(place.name)
            case Move(place=place):
                assert place.above is not None
                order = self._order(place.above.name, place.relation)
                order.insert(0, order.pop(order.index(place.name)))
            case Members():
                self._set(self._nodes[step.place.name], step.column, step.replaced)

    def build(self, new: New) -> Any:
        """Return a new node in memory with all below it."""
        instance: Any = new.place.model()
        name_by_number(instance, SHIFT + len(self._nodes))
        self._nodes[new.place.name] = instance
        self._assign(instance, new.values)
        for name, children in new.children.items():
            for child in children:
                self._append(instance, name, self.build(child))
                self._order(new.place.name, name).append(child.place.name)
        for column in sets(new.place.model):
            self._set(instance, column, new.sets[column.name])
        return instance

    def saved(self, root: Any) -> Model:
        """Save all, with the numbers of the order, and return what is saved."""
        self._number()
        root.save()
        for instance, column, held in self._sets:
            if instance.pk is not None:
                getattr(instance, column.name).set(held)
        for (above, relation), names in self._orders.items():
            child = self._relation(above, relation)
            if self._shape.order(child.related_model) == "_order" and self._nodes[above].pk:
                setter = f"set_{child.related_model._meta.model_name}_order"
                getattr(self._nodes[above], setter)([self._nodes[each].pk for each in names])
        found: Model = self._shape.model._base_manager.get(pk=root.pk)
        return found

    def _number(self) -> None:
        for (above, relation), names in self._orders.items():
            model = self._relation(above, relation).related_model
            order = self._shape.order(model)
            if order in {None, "_order"}:
                continue
            pks = [self._nodes[each].pk for each in names if self._nodes[each].pk is not None]
            model._base_manager.filter(pk__in=pks).update(**{str(order): F(str(order)) + SHIFT})
            for number, name in enumerate(names, start=first_number(str(order))):
                setattr(self._nodes[name], str(order), number)

    def _relation(self, above: str, name: str) -> Any:
        model = type(self._nodes[above])
        return next(each for each in relations(model) if each.get_accessor_name() == name)

    def _order(self, above: str, relation: str) -> list[str]:
        return self._orders.setdefault((above, relation), [])

    def _append(self, above: Any, relation: str, child: Any) -> None:
        # `add()` of modelcluster sorts, which it can't by an expression.
        _objects(above, relation).append(child)
        found = next(
            each for each in relations(type(above)) if each.get_accessor_name() == relation
        )
        setattr(child, found.field.name, above)

    def _assign(self, instance: Any, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, Place):
                setattr(instance, name, self._nodes[value.name])
            else:
                setattr(instance, instance._meta.get_field(name).attname, value)

    def _set(self, instance: Any, column: Any, held: list[Any]) -> None:
        if is_tags(column):
            getattr(instance, column.name).set(held)
        elif isinstance(column, ParentalManyToManyField):
            getattr(instance, column.name).set(_objects_of(column, held))
        else:
            self._sets.append((instance, column, held))


def _objects_of(column: Any, pks: list[Any]) -> list[Model]:
    return list(column.related_model._base_manager.filter(pk__in=pks))


def _objects(above: Any, relation: str) -> list[Any]:
    objects: list[Any] = getattr(above, relation).get_object_list()
    return objects


def state(shape: Shape, root: Model) -> Any:
    """Return all that is saved of a cluster; what differs each time is told by its kind alone."""
    instance = shape.model._base_manager.get(pk=root.pk)
    return _state(shape, shape.model, instance)


def _state(shape: Shape, model: type[Model], instance: Any) -> Any:
    below = {}
    for relation in relations(model):
        key = {relation.field.name: getattr(instance, relation.field.target_field.attname)}
        children = relation.related_model._base_manager.filter(**key)
        found = [_state(shape, type(child), child) for child in map(concrete, children)]
        below[relation.get_accessor_name()] = sorted(found, key=repr)
    held = {
        column.name: sorted(
            each.name if is_tags(column) else each.pk
            for each in getattr(instance, column.name).all()
        )
        for column in sets(model)
    }
    return model.__name__, dict(_columns(shape, model, instance)), held, below


def _columns(shape: Shape, model: type[Model], instance: Any) -> Iterator[tuple[str, Any]]:
    settable = {column.name for column in shape.fields(model, is_new=True)}
    for column in model._meta.concrete_fields:
        value = getattr(instance, column.attname)
        is_link = isinstance(column, ParentalKey) or getattr(
            column.remote_field, "parent_link", False
        )
        is_made = column.name not in settable and (
            column.primary_key or isinstance(value, dt.datetime | uuid.UUID)
        )
        if shape.is_within(column):
            # Primary keys are others each time, the rest of what it refers to is not.
            above = getattr(instance, column.name)
            free = [each for each in shape.given(model, is_new=True) if not shape.is_within(each)]
            value = above and [getattr(above, each.attname) for each in free]
        elif is_link or is_made or shape.is_filled(column):
            value = type(value).__name__
        elif isinstance(value, FieldFile | memoryview):
            value = str(value) if isinstance(value, FieldFile) else bytes(value)
        yield column.name, value
