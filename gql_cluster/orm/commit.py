"""Committing: one transaction that locks, compares, validates, saves and writes a receipt."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.db import IntegrityError, router, transaction
from django.db.models import SET_NULL, AutoField, BigAutoField, Model, SmallAutoField

from gql_cluster.domain.error import (
    Conflict,
    ConflictError,
    ConflictPolicy,
    DatabaseUnavailableError,
    Problem,
    ValidationFailedError,
)
from gql_cluster.domain.merge import Clash, merge
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.plan import Plan
from gql_cluster.domain.positions import keeps_numbers, numbers
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import path_to
from gql_cluster.models import Receipt
from gql_cluster.orm.codec import encoder, is_coded, pk_field
from gql_cluster.orm.instance import Family, attach, is_bare, set_values
from gql_cluster.orm.merged import Merged
from gql_cluster.orm.problems import problem
from gql_cluster.orm.save import REFUSED, Saver
from gql_cluster.orm.saved import Now, read_now
from gql_cluster.orm.unique import Uniqueness, by_table
from gql_cluster.orm.validate import Checked, validate
from gql_cluster.orm.within import referring


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a commit would find now.

    `is_apart` says that only a merge of the whole cluster tells.
    """

    problems: Sequence[Problem] = ()
    conflicts: Sequence[Conflict] = ()
    clashes: Sequence[Clash] = ()
    is_apart: bool = False


class ApartError(Exception):
    """Others changed what only a merge of the whole cluster can join with the draft's changes."""


def dry_run(family: Family, plan: Plan) -> DryRun:
    """Return what a commit would refuse now. Nothing is locked and nothing written."""
    using = router.db_for_read(family.cluster.model)
    work = _Work(family, plan, using, lock=False)
    if work.conflicts:
        return DryRun(conflicts=work.conflicts)
    if work.is_apart:
        return DryRun(is_apart=True)
    checked = work.check()
    return DryRun(
        problems=() if checked.clashes else checked.problems,
        conflicts=work.conflicts_of(checked.clashes),
        clashes=checked.clashes,
    )


def commit(family: Family, plan: Plan, receipt: Receipt, *, until: Callable[[], float]) -> Receipt:
    """Save the cluster and its receipt, or nothing at all.

    A commit that is not done at `until()` (`time.monotonic()`) is given up: others may hold it
    for dead from then on.

    The receipt goes in first and is unique to the version: of two commits of one version, the
    second waits here for the first and then fails with Django's `IntegrityError`. Raises
    `ConflictError`, `ApartError`, `ValidationFailedError` and `DatabaseUnavailableError`.
    """
    using = router.db_for_write(family.cluster.model)
    is_first = False
    try:
        with transaction.atomic(using=using):
            with transaction.atomic(using=using):
                receipt.save(using=using, force_insert=True)
            is_first = True
            with transaction.atomic(using=using):
                _commit(family, plan, receipt, using)
                connection = transaction.get_connection(using)
                if connection.vendor == "postgresql":
                    # Else what it defers to the end would come up as nobody's error.
                    connection.check_constraints()
            if time.monotonic() > until():
                raise DatabaseUnavailableError.of("The commit took too long; nothing was saved.")
    except IntegrityError as exc:
        if not is_first:
            raise
        # SQLite looks at foreign keys when the transaction ends.
        raise ValidationFailedError(problem(family, None, None, REFUSED)) from exc
    return receipt


def _commit(family: Family, plan: Plan, receipt: Receipt, using: str) -> None:
    work = _Work(family, plan, using, lock=True)
    if work.conflicts:
        raise ConflictError.about(work.conflicts)
    if work.is_apart:
        raise ApartError
    checked = work.check()
    if checked.clashes:
        raise ConflictError.about(work.conflicts_of(checked.clashes))
    if checked.problems:
        raise ValidationFailedError(*checked.problems)
    if not plan.is_empty:
        work.save()
    keys = work.keys()
    receipt.keys = keys
    receipt.types = work.types()
    receipt.root_pk = str(keys[ROOT_KEY])
    receipt.save(using=using, update_fields=["keys", "types", "root_pk"])


class _Work:
    """The instances of a commit: what is saved now, with the draft's changes laid over it."""

    def __init__(self, family: Family, plan: Plan, using: str, *, lock: bool) -> None:
        self._family = family
        self._plan = plan
        self._using = using
        self._now: Now = read_now(family, plan, using, lock=lock)
        self.conflicts = self.conflicts_of(())
        self._written: dict[str, Model] = {}
        if not self.conflicts and not self.is_apart:
            self._write_over()

    @property
    def is_apart(self) -> bool:
        """Tell whether a merge of the whole cluster is needed.

        So it is where the siblings in a relation to reorder are not those of the base, where a
        node that comes back has come back already, and where a row is of another kind by now.
        """
        saved = self._now.saved
        are_others = any(list(base) != list(now) for base, now in saved.orders.values())
        is_turned = any(self._is_turned(key, now) for key, now in saved.nodes.items())
        return are_others or is_turned or not saved.nodes.keys().isdisjoint(self._plan.added)

    def _is_turned(self, key: str, now: Node) -> bool:
        mine = self._plan.removed.get(key) or self._node(key)
        return mine.type != now.type

    def conflicts_of(self, clashes: Sequence[Clash]) -> Sequence[Conflict]:
        if not (clashes or self._now.saved.nodes or self._plan.names_saved):
            return ()  # all of it is new
        return merge(
            self._family.cluster.spec,
            self._plan,
            self._now.saved,
            ConflictPolicy.FAIL,
            tree=self._family.snapshot,
            living=lambda _: (),
            clashes=clashes,
        ).conflicts

    def check(self) -> Checked:
        return validate(self._family, self._plan, self._written, self._deleted_pks, self._using)

    def save(self) -> None:
        for model, instances in by_table(self._written).items():
            now = self._in_the_way(model)
            Uniqueness(self._family, model, instances, self._using).park(now)
        rows = self._now.instances
        deleted = {key: rows[key] for key in self._plan.removed if key in rows}
        Saver(self._family, self._plan, self._written, deleted).save()

    def keys(self) -> dict[str, Json]:
        """Return the primary key of every node that the draft named, the root's included."""
        named = {ROOT_KEY: self._root(), **self._written}
        encode = {model: _pk_encoder(model) for model in {type(each) for each in named.values()}}
        return {key: encode[type(instance)](instance.pk) for key, instance in named.items()}

    def types(self) -> dict[str, str]:
        """Return the node type of each of these nodes."""
        return {key: self._node(key).type for key in (ROOT_KEY, *self._written)}

    def _root(self) -> Model:
        return self._family.instance(self._node(ROOT_KEY))

    def _node(self, key: str) -> Node:
        node = self._plan.added.get(key) or self._family.snapshot.node(key)
        if node is None:
            raise LookupError(key)
        return node

    def _depth(self, key: str) -> int:
        return len(path_to(self._family.snapshot.node, self._node(key)))

    def _write_over(self) -> None:
        plan, cluster = self._plan, self._family.cluster
        merged = Merged(self._family, plan, self._written, self._using)
        counted = self._numbers()
        saved = {**plan.ancestors, **{key: mine for key, (_, mine) in plan.updated.items()}}
        for key in counted:
            node = self._node(key)
            # One that was deleted and comes back has its primary key, and is added all the same.
            if node.pk is not None and key not in plan.added:
                saved.setdefault(key, node)
        for key, node in sorted(saved.items(), key=lambda item: self._depth(item[0])):
            instance = self._now.instances[key]
            relation = self._family.relation_of(node)
            if relation is not None:
                setattr(instance, relation.parent_field, self._family.parent(node))
            if key in plan.updated:
                base, mine = plan.updated[key]
                changed = {n: v for n, v in mine.fields.items() if v != base.fields.get(n)}
                set_values(instance, changed)
            self._let_go(key, instance)
            self._family.adopt(node, instance)
            attach(instance, cluster, node, self._family, merged)
            self._written[key] = instance
        bare = {name for name in cluster.spec.nodes if is_bare(cluster, name)}
        for key, node in plan.added.items():
            instance = self._written[key] = self._family.instance(node)
            if node.type not in bare:
                attach(instance, cluster, node, self._family, merged)
        for key, number in counted.items():
            relation = self._family.relation_of(self._node(key))
            if relation is not None and relation.order_field is not None:
                setattr(self._written[key], relation.order_field, number)

    def _let_go(self, key: str, instance: Model) -> None:
        """Let a saved row refer no more to rows that go, as the database will have it.

        Else saving it would have it refer to them again. What the draft itself lets it refer to
        stays: that is for validation to tell.
        """
        base, mine = self._plan.updated.get(key, (None, None))
        for field in referring(self._family, key, instance, self._deleted_pks):
            is_given = (
                mine is not None
                and base is not None
                and (mine.fields.get(field.name) != base.fields.get(field.name))
            )
            if field.remote_field.on_delete is SET_NULL and not is_given:
                setattr(instance, field.attname, None)

    def _numbers(self) -> dict[str, int]:
        counted: dict[str, int] = {}
        for place in self._plan.rearranged:
            siblings = self._family.children(*place)
            relation = self._family.relation_of(siblings[0])
            if relation is None or relation.order_field is None:
                continue
            name, theirs = relation.order_field, self._now.numbers[place]
            # Others may have given them other numbers in the same order.
            now = [
                _with(node, name, theirs[node.pk]) if node.pk in theirs else node
                for node in siblings
            ]
            gone = {n.pk for n in self._plan.removed.values() if (n.parent, n.relation) == place}
            taken = [number for pk, number in theirs.items() if pk not in gone]
            also_taken = taken if keeps_numbers(siblings) else ()
            counted.update(numbers(now, relation, also_taken=also_taken))
        for place, keys in self._plan.appended.items():
            relation = self._family.relation_of(self._node(keys[0]))
            if relation is not None:
                highest = self._now.highest[place]
                first = relation.first_number if highest is None else highest + 1
                counted.update((key, number) for number, key in enumerate(keys, start=first))
        return counted

    def _in_the_way(self, model: type[Model]) -> dict[str, Model]:
        """Return fresh copies of a table's rows, of every kind, that are about to change or go."""
        return {
            key: self._as_saved(key, instance)
            for key, instance in self._now.instances.items()
            if isinstance(instance, model)
        }

    def _as_saved(self, key: str, instance: Model) -> Model:
        node = self._now.saved.nodes[key]
        row = type(instance)(pk=instance.pk)
        row._state.adding = False
        relation = self._family.relation_of(node)
        if relation is not None:
            field: Any = row._meta.get_field(relation.parent_field)
            setattr(row, field.attname, getattr(instance, field.attname))
        set_values(row, node.fields)
        return row

    @cached_property
    def _deleted_pks(self) -> Mapping[str, set[Json]]:
        gone: dict[str, set[Json]] = defaultdict(set)
        nodes = self._family.cluster.spec.nodes
        for key, node in self._plan.removed.items():
            # What others have deleted, too, has nothing below it any more.
            _, is_below = self._now.saved.below.get(key, ({}, {}))
            for each in (node, *is_below.values()):
                for name in (each.type, *nodes[each.type].bases):
                    gone[name].add(each.pk)
        return gone


def _pk_encoder(model: type[Model]) -> Callable[[Any], Json]:
    """Return what encodes a primary key; one that the database has counted is JSON already."""
    field: Any = pk_field(model)
    encode = encoder(field)
    if is_coded(field) or not isinstance(field, AutoField | BigAutoField | SmallAutoField):
        return encode
    return lambda pk: pk if type(pk) is int else encode(pk)


def _with(node: Node, name: str, value: Json) -> Node:
    return replace(node, fields={**node.fields, name: value})
