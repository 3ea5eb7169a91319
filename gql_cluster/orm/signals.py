"""Which saved clusters a transaction has saved, whatever code did it: Django's signals tell.

What sends no signal is not noticed: `update()`, `bulk_create()`, `bulk_update()`, raw SQL. Of a
child that has moved to another parent only the new one is.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary, WeakValueDictionary

from django.apps import apps
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import ManyToManyField, Model, OneToOneField
from django.db.models.signals import m2m_changed, post_delete, post_save
from modelcluster.models import get_all_child_relations

from gql_cluster.domain.node import Json
from gql_cluster.orm.codec import encoder, pk_field
from gql_cluster.orm.describe import AnyField
from gql_cluster.orm.kinds import can_be_staged, is_tags

logger = logging.getLogger(__name__)

AnyModel: TypeAlias = type[Model]
Roots: TypeAlias = set[tuple[AnyModel, Json]]
"""Saved roots: the model of each, and its primary key as nodes hold it."""
Link: TypeAlias = tuple[Any, AnyModel]
"""A parental key, and the model above it: the one that it points to, or one that inherits that."""

_CHUNK = 500
"""Values in one query: there are databases that take no more than 999."""


class Saves:
    """Tells, once for each transaction and after it has committed, which roots it has saved.

    A root counts as saved with any node below it, and with the sets of these. It costs a query a
    level, and none where the nodes above are cached, or there is but one level. A failure is
    logged, and never reaches the code that saves.
    """

    def __init__(self, roots: Iterable[AnyModel], tell: Callable[[Roots], None]) -> None:
        """Take the models whose objects are roots, and who is told."""
        self.tell = tell
        self.roots = frozenset(roots)
        self.links: dict[AnyModel, list[Link]] = {root: [] for root in self.roots}
        self._sets: dict[AnyModel, list[tuple[AnyModel, ManyToManyField[Any, Any]]]] = {}
        for root in self.roots:
            for relation in get_all_child_relations(root):
                self.links.setdefault(relation.related_model, []).append((relation.field, root))
        for model in self.links:
            for field in model._meta.many_to_many:
                if can_be_staged(field) and not is_tags(field):
                    through: Any = field.remote_field.through
                    self._sets.setdefault(through, []).append((model, field))
        self._nodes = _writers(self.links)
        self._pending: WeakKeyDictionary[
            BaseDatabaseWrapper, WeakValueDictionary[frozenset[str], Found]
        ] = WeakKeyDictionary()

    def connect(self, uid: str) -> None:
        """Listen from now on, as long as the process lives; a second time does nothing."""
        for sender in self._nodes:
            for signal in (post_save, post_delete):
                signal.connect(self._written, sender=sender, weak=False, dispatch_uid=uid)
        for through in self._sets:
            m2m_changed.connect(self._related, sender=through, weak=False, dispatch_uid=uid)

    def disconnect(self, uid: str) -> None:
        """Listen no more."""
        for sender in self._nodes:
            for signal in (post_save, post_delete):
                signal.disconnect(sender=sender, dispatch_uid=uid)
        for through in self._sets:
            m2m_changed.disconnect(sender=through, dispatch_uid=uid)

    def _written(self, sender: AnyModel, instance: Model, using: str, **_: Any) -> None:
        with _harmless(), self._noting(using) as found:
            for node in self._nodes[sender]:
                found.take(node, instance)

    def note(self, sender: AnyModel, instances: Sequence[Model], using: str) -> None:
        """Take instances that were saved together, as if a signal had told of each."""
        with _harmless(), self._noting(using) as found:
            for node in self._nodes[sender]:
                for instance in self._telling(node, instances):
                    found.take(node, instance)

    def _telling(self, node: AnyModel, instances: Sequence[Model]) -> Iterable[Model]:
        """Return instances of a node's model that tell all roots: one of each place, at most."""
        if node in self.roots:
            return instances
        links = [field.attname for field, _ in self.links[node]]
        return {tuple(map(each.__dict__.get, links)): each for each in instances}.values()

    def _related(  # noqa: PLR0913, PLR0917 - as Django calls it
        self,
        sender: AnyModel,
        instance: Model,
        action: str,
        reverse: bool,  # noqa: FBT001
        pk_set: set[Any] | None,
        using: str,
        **_: Any,
    ) -> None:
        if pk_set is None:  # all go: from the other end nobody knows later from where
            is_due = action == ("pre_clear" if reverse else "post_clear")
        else:
            is_due = bool(pk_set) and action.startswith("post_")
        if not is_due:
            return
        with _harmless(), self._noting(using) as found:
            for node, field in self._sets[sender]:
                if not reverse:
                    found.take(node, instance)
                    continue
                pks: Iterable[Any] | None = pk_set
                if pks is None:
                    holders = field.model._base_manager.using(using)
                    pks = holders.filter(**{field.name: instance}).values_list("pk", flat=True)
                found.look_for(node, field.model._meta.pk, pks)

    @contextmanager
    def _noting(self, using: str) -> Iterator[Found]:
        """Give what is found in this transaction, to be told when it commits.

        What is found within a savepoint is apart, because that may be rolled back alone. Django
        holds it, then, and alone: what it drops is gone.
        """
        connection = connections[using]
        pending = self._pending.get(connection)
        if pending is None:
            pending = self._pending[connection] = WeakValueDictionary()
        savepoints = frozenset(filter(None, connection.savepoint_ids))
        found = pending.get(savepoints)
        if found is not None:
            yield found
            return
        found = Found(self, using)
        yield found
        pending[savepoints] = found
        transaction.on_commit(found.committed, using=using, robust=True)

    def take_pending(self, using: str) -> list[Found]:
        """Return all that was found in the transaction that has just committed, and forget it."""
        return list(self._pending.pop(connections[using], {}).values())


def followers(sender: AnyModel) -> list[Saves] | None:
    """Return who follows the saves of a model; None where others listen to them as well."""
    listening, waiting = post_save._live_receivers(sender)  # noqa: SLF001 - who, not only whether
    found = [getattr(each, "__self__", None) for each in listening]
    follow = [each for each in found if isinstance(each, Saves)]
    return follow if len(follow) == len(found) and not waiting else None


class Found:
    """What signals have told of a transaction: some roots, and where to look for others."""

    def __init__(self, saves: Saves, using: str) -> None:
        self._saves = saves
        self._using = using
        self.pks: defaultdict[AnyModel, set[Any]] = defaultdict(set)
        self.clues: defaultdict[tuple[AnyModel, AnyField], set[Any]] = defaultdict(set)

    def take(self, node: AnyModel, instance: Model) -> None:
        """Take an instance for a row of a node, and those above it that it has cached."""
        held, own = instance.__dict__, instance._meta
        mine, its = _stored(type(instance)), _stored(node)
        if not issubclass(mine, its):
            # The row of a model that the node's inherits from: perhaps it is one of a node.
            # Of a model that inherits the same as the node's does it is none.
            if issubclass(its, mine):
                self.look_for(node, own.pk, [held.get(own.pk.attname)])
            return
        pk = held.get(node._meta.pk.attname)
        if pk is None:
            return
        self._add(node, pk)
        for field, parent in self._saves.links[node]:
            if field.attname not in held:  # deferred
                self.look_for(node, node._meta.pk, [pk])
                continue
            value = held[field.attname]
            above = field.get_cached_value(instance, default=None)
            if above is not None and above.__dict__.get(field.target_field.attname) == value:
                self.take(parent, above)
            else:
                self.look_for(parent, field.target_field, [value])

    def look_for(self, node: AnyModel, field: AnyField, values: Iterable[Any]) -> None:
        """Take the rows of a node that hold one of some values in a field."""
        known = {value for value in values if value is not None}
        if _is_key(node, field):
            for value in known:
                self._add(node, value)
            if not self._saves.links[node]:
                return
        self.clues[node, field] |= known

    def committed(self) -> None:
        """Tell the roots, with all else that the same transaction has found."""
        for other in self._saves.take_pending(self._using):
            if other is not self:
                other.pour_into(self)
        roots = self._roots()
        if roots:
            self._saves.tell(roots)

    def pour_into(self, other: Found) -> None:
        """Leave all that was found to another."""
        for model, pks in self.pks.items():
            other.pks[model] |= pks
        for clue, values in self.clues.items():
            other.clues[clue] |= values
        self.pks.clear()
        self.clues.clear()

    def _add(self, node: AnyModel, pk: Any) -> None:
        if node in self._saves.roots:
            self.pks[node].add(pk)

    def _roots(self) -> Roots:
        looked_for: defaultdict[tuple[AnyModel, AnyField], set[Any]] = defaultdict(set)
        while self.clues:
            clue, values = self.clues.popitem()
            new = [*(values - looked_for[clue])]
            looked_for[clue] |= values
            for first in range(0, len(new), _CHUNK):
                self._look(*clue, new[first : first + _CHUNK])
        pks, self.pks = self.pks, defaultdict(set)
        return {(model, encoder(pk_field(model))(pk)) for model in pks for pk in pks[model]}

    def _look(self, node: AnyModel, field: AnyField, values: list[Any]) -> None:
        links = self._saves.links[node]
        rows = node._base_manager.using(self._using).filter(**{f"{field.name}__in": values})
        for pk, *above in rows.values_list("pk", *(key.attname for key, _ in links)):
            self._add(node, pk)
            for (key, parent), value in zip(links, above, strict=True):
                self.look_for(parent, key.target_field, [value])


def _writers(nodes: Iterable[AnyModel]) -> dict[AnyModel, list[AnyModel]]:
    """Return each model of the project whose instances write rows of nodes, with these.

    Its own, and what it inherits from, is inherited by, or is a proxy of.
    """

    def writes(model: AnyModel, node: AnyModel) -> bool:
        mine, its = _stored(model), _stored(node)
        return issubclass(mine, its) or issubclass(its, mine)

    nodes = list(nodes)
    found = {model: [node for node in nodes if writes(model, node)] for model in apps.get_models()}
    return {model: written for model, written in found.items() if written}


def _stored(model: AnyModel) -> AnyModel:
    """Return the model itself, or that of which it is a proxy."""
    return model._meta.concrete_model or model


@cache
def _is_key(node: AnyModel, field: AnyField) -> bool:
    """Tell whether a field, perhaps of a model that is inherited from, holds a node's own key."""
    key: AnyField = node._meta.pk
    while key is not field:
        if not isinstance(key, OneToOneField) or not key.remote_field.parent_link:
            return False
        key = key.target_field
    return True


@contextmanager
def _harmless() -> Iterator[None]:
    """Log what fails in the block, and go on: it runs in the midst of somebody's save."""
    try:
        yield
    except Exception:
        logger.exception("It can't be told which cluster was saved.")
