"""Saving a cluster: each node by its model's own `save()`, in modelcluster's order.

A row, then the children that left its relations, then those that came or changed, then its
many-to-many sets: all of it within the row's own `save()`, as `ClusterableModel.save()` does,
so that an overridden `save()` finds the draft's relations before and the saved ones after.

A foreign key may refer to a node that is new itself. Siblings are saved behind those that they
refer to. Where that is not enough, a key that may be null is null at first, and saved by itself
once what it refers to is; a node whose key may not be null is put aside until then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError
from django.db.models import Model, ProtectedError, RestrictedError

from gql_cluster.domain.error import ValidationFailedError
from gql_cluster.domain.node import Node
from gql_cluster.domain.plan import Plan
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.orm.bulk import insert
from gql_cluster.orm.describe import ORDER_COLUMN
from gql_cluster.orm.instance import Family, detach
from gql_cluster.orm.integrity import field_of
from gql_cluster.orm.load import in_model_order
from gql_cluster.orm.problems import problem, problems_of
from gql_cluster.orm.sets import members_of
from gql_cluster.orm.within import held, nothing, referred_first, value_of

REFUSED = "The database refused this: one of its constraints does not hold."
# Fewer rows are as fast one by one.
_SOME = 4
_REFUSALS = (ValidationError, IntegrityError, DataError)


class Saver:
    """Saves the nodes of one plan, once, within the caller's transaction.

    Raises `ValidationFailedError` naming the node when the database or an overridden
    `save()` or `delete()` refuses; the caller's transaction is then to be rolled back.
    """

    def __init__(
        self,
        family: Family,
        plan: Plan,
        written: Mapping[str, Model],
        deleted: Mapping[str, Model],
    ) -> None:
        """`written` are the instances to save, by key, ancestors included; `deleted` go."""
        self._family = family
        self._plan = plan
        self._written = written
        self._children: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._leaving: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._deleted = deleted
        self._done: set[str] = set()
        # What refers to nodes that are not saved as yet: a foreign key by node and name, with the
        # node that it refers to; and whole nodes, with the place that they are to get.
        self._late: dict[tuple[str, str], str] = {}
        self._aside: dict[str, int | None] = {}
        self._nodes = {key: _node(family, plan, key) for key in written}
        for key, node in self._nodes.items():
            self._children[node.parent or "", node.relation or ""].append(key)
        for place, children in self._children.items():
            self._sort(children)
            self._children[place] = referred_first(family, children)
        self._above = {parent for parent, _ in self._children}
        for key in deleted:
            node = plan.removed[key]
            self._leaving[node.parent or "", node.relation or ""].append(key)
        for leaving in self._leaving.values():
            leaving.sort(key=lambda key: plan.removed[key].rank)

    def save(self) -> None:
        """Save the root, and with it all that changed."""
        self._save_or_wait(ROOT_KEY)

    def _node(self, key: str) -> Node:
        return self._nodes[key]

    def _sort(self, keys: list[str]) -> None:
        """Put written siblings in the order in which the relation gives them."""
        keys.sort(key=lambda key: self._node(key).rank)
        relation = self._family.relation_of(self._node(keys[0]))
        if relation is not None and relation.order_field is None:
            places = {id(self._written[key]): key for key in keys}
            instances = [self._written[key] for key in keys]
            in_model_order(self._family.cluster.models[relation.child], instances)
            keys[:] = [places[id(instance)] for instance in instances]

    def _save_or_wait(self, key: str) -> None:
        """Save a node, or put it aside until what it needs is saved."""
        if not self._refer(key):
            self._aside[key] = None
            return
        self._save_and_catch_up(key)
        while (each := next((k for k in self._aside if self._refer(k)), None)) is not None:
            place = self._aside.pop(each)
            self._save_and_catch_up(each)
            if place is not None:
                self._number({each: place})

    def _save_and_catch_up(self, key: str) -> None:
        """Save a node, and what may refer to it since."""
        self._save(key)
        self._done.add(key)
        for (of, name), named in list(self._late.items()):
            if of in self._done and named in self._done:
                del self._late[of, name]
                self._save_late(of, name, named)

    def _refer(self, key: str) -> bool:
        """Give a node's foreign keys what they refer to; False where one can't wait for that."""
        node, instance = self._node(key), self._written[key]
        late: dict[tuple[str, str], str] = {}
        for name, named in held(self._family, node).items():
            target = self._target(key, name, named)
            if value_of(target, instance, name) is not None:
                setattr(instance, name, target)
                continue
            if named in self._done:
                raise ValidationFailedError(nothing(self._family, key, name, named))
            field: Any = instance._meta.get_field(name)
            if not field.null:
                return False
            setattr(instance, name, None)
            late[key, name] = named
        self._late.update(late)
        return True

    def _target(self, key: str, name: str, named: str) -> Any:
        return self._written.get(named) or self._family.referred(self._node(key), name)

    def _save_late(self, key: str, name: str, named: str) -> None:
        instance, target = self._written[key], self._target(key, name, named)
        if value_of(target, instance, name) is None:
            raise ValidationFailedError(nothing(self._family, key, name, named))
        setattr(instance, name, target)
        try:
            instance.save(update_fields=[name])
        except _REFUSALS as exc:
            raise self._refusal(key, instance, exc) from exc

    def _save(self, key: str) -> None:
        instance = self._written[key]
        save_row = instance.save_base

        def save_base(*args: Any, **kwargs: Any) -> None:
            if key in self._plan.added and not kwargs.get("update_fields"):
                # Else one with a primary key of its own would take over a row that has it.
                kwargs["force_insert"] = kwargs.get("force_insert") or True
            save_row(*args, **kwargs)
            instance.__dict__.pop("save_base", None)
            self._save_below(key, instance)
            # Whatever comes later in an overridden save() reads and commits the database.
            detach(instance)

        instance.__dict__["save_base"] = save_base
        try:
            instance.save()
        except _REFUSALS as exc:
            raise self._refusal(key, instance, exc) from exc
        finally:
            instance.__dict__.pop("save_base", None)

    def _save_below(self, key: str, instance: Model) -> None:
        spec = self._family.cluster.spec.nodes[self._node(key).type]
        for relation in spec.relations:
            for gone in self._leaving.get((key, relation), ()):
                self._delete(gone)
            children = self._children.get((key, relation), ())
            if spec.relations[relation].order_field == ORDER_COLUMN:
                self._save_in_order(children)
                continue
            for are_new, together in groupby(children, self._new_kind):
                keys = [*together]
                if are_new is None or not self._insert(keys):
                    for child in keys:
                        self._save_or_wait(child)
        for name in spec.sets:
            self._save_set(key, instance, name)

    def _new_kind(self, key: str) -> type[Model] | None:
        """Return the model of a new node that nothing depends on, None for any other node."""
        node = self._plan.added.get(key)
        if node is None or key in self._above or any(node.sets.values()):
            return None
        return None if held(self._family, node) else type(self._written[key])

    def _insert(self, keys: Sequence[str]) -> bool:
        """Insert new siblings of one model together; False where they are to be saved one by one.

        So it is, too, where the database refuses them: then it tells which.
        """
        instances = [self._written[key] for key in keys]
        if len(keys) < _SOME or self._late or self._aside:
            return False
        try:
            if not insert(instances):
                return False
        except (IntegrityError, DataError):
            return False
        self._done.update(keys)
        for instance in instances:
            detach(instance)
        return True

    def _save_in_order(self, keys: Sequence[str]) -> None:
        """Save siblings to which Django itself gives numbers when it inserts them."""
        places = {key: getattr(self._written[key], ORDER_COLUMN) for key in keys}
        for key in keys:
            self._save_or_wait(key)
        self._aside.update((key, place) for key, place in places.items() if key in self._aside)
        self._number({key: place for key, place in places.items() if key not in self._aside})

    def _number(self, places: Mapping[str, int]) -> None:
        """Give saved nodes their numbers, where Django gave them others."""
        moved = []
        for key, place in places.items():
            instance = self._written[key]
            if getattr(instance, ORDER_COLUMN) != place:
                setattr(instance, ORDER_COLUMN, place)
                moved.append(instance)
        if moved:
            model: Any = moved[0]._meta.get_field(ORDER_COLUMN).model
            model._base_manager.bulk_update(moved, [ORDER_COLUMN])

    def _delete(self, key: str) -> None:
        instance = self._deleted[key]
        detach(instance)
        try:
            instance.delete()
        except _REFUSALS as exc:
            raise self._refusal(key, instance, exc) from exc

    def _save_set(self, key: str, instance: Model, name: str) -> None:
        added, removed = self._plan.members(key, name)
        if not added and not removed:
            return
        through = self._plan.through(key, name)
        try:
            members_of(type(instance), name).save(instance, added, removed, through)
        except (IntegrityError, DataError) as exc:
            raise self._refusal(key, instance, exc, name) from exc

    def _refusal(
        self,
        key: str,
        instance: Model,
        error: ValidationError | IntegrityError | DataError,
        field: str | None = None,
    ) -> ValidationFailedError:
        match error:
            case ValidationError():
                return ValidationFailedError(*problems_of(self._family, key, error))
            case ProtectedError() | RestrictedError():
                message = "It can't be deleted: others refer to it."
            case DataError():
                message = "The database refused this: a value does not fit its field."
            case _:
                field = field or field_of(type(instance), error)
                message = REFUSED
        return ValidationFailedError(problem(self._family, key, field, message))


def _node(family: Family, plan: Plan, key: str) -> Node:
    node = plan.added.get(key) or family.snapshot.node(key)
    if node is None:
        raise LookupError(key)
    return node
