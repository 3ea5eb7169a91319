"""Committing: one transaction that locks, compares, validates, saves and writes a receipt."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, router, transaction
from django.db.models import Model

from gql_cluster.domain.error import (
    Conflict,
    ConflictError,
    DatabaseUnavailableError,
    ErrorCode,
    Problem,
    ValidationFailedError,
)
from gql_cluster.domain.merge import find_conflicts
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.plan import Plan
from gql_cluster.domain.positions import keeps_numbers, numbers
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import path_to
from gql_cluster.models import Receipt
from gql_cluster.orm.codec import encoder, pk_field
from gql_cluster.orm.instance import Family, attach, set_values
from gql_cluster.orm.merged import Merged
from gql_cluster.orm.save import REFUSED, Saver
from gql_cluster.orm.saved import Now, read_now
from gql_cluster.orm.unique import Uniqueness
from gql_cluster.orm.validate import by_type, problem, validate


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a commit would find now."""

    problems: Sequence[Problem]
    conflicts: Sequence[Conflict]


def dry_run(family: Family, plan: Plan) -> DryRun:
    """Return what a commit would refuse now. Nothing is locked and nothing written."""
    using = router.db_for_read(family.cluster.model)
    work = _Work(family, plan, using, lock=False)
    if work.conflicts:
        return DryRun(problems=(), conflicts=work.conflicts)
    return DryRun(problems=work.problems(), conflicts=())


def commit(family: Family, plan: Plan, receipt: Receipt, *, until: float) -> Receipt:
    """Save the cluster and its receipt, or nothing at all.

    A commit that is not done `until` then (`time.monotonic()`) is given up: others may hold
    it for dead from then on.

    The receipt goes in first and is unique to the draft: of two commits of one draft, the
    second waits here for the first and then fails with Django's `IntegrityError`. Raises
    `ConflictError`, `ValidationFailedError` and `DatabaseUnavailableError`.
    """
    using = router.db_for_write(family.cluster.model)
    with transaction.atomic(using=using):
        with transaction.atomic(using=using):
            receipt.save(using=using, force_insert=True)
        try:
            with transaction.atomic(using=using):
                _commit(family, plan, receipt, using)
                connection = transaction.get_connection(using)
                if connection.vendor == "postgresql":
                    # Else what it defers to the end would come up as nobody's error.
                    connection.check_constraints()
        except IntegrityError as exc:
            raise ValidationFailedError(problem(family, None, None, REFUSED)) from exc
        if time.monotonic() > until:
            raise DatabaseUnavailableError.of("The commit took too long; nothing was saved.")
    return receipt


def committed(draft_id: str, cluster_model: type[Model]) -> Receipt | None:
    """Return a draft's receipt, None where it was not committed and never will be unasked.

    A commit of it that is still running is waited for.
    """
    using = router.db_for_write(cluster_model)
    fence = Receipt(draft_id=draft_id, version=0)
    try:
        with transaction.atomic(using=using):
            fence.save(using=using, force_insert=True)
            transaction.set_rollback(True, using=using)
    except IntegrityError:
        return receipt_of(draft_id, cluster_model)
    return None


def receipt_of(draft_id: str, cluster_model: type[Model]) -> Receipt | None:
    """Return a draft's receipt, None where it is not committed yet; waits for nothing."""
    using = router.db_for_write(cluster_model)
    return Receipt.objects.using(using).filter(draft_id=draft_id).first()


def _commit(family: Family, plan: Plan, receipt: Receipt, using: str) -> None:
    work = _Work(family, plan, using, lock=True)
    if work.conflicts:
        raise ConflictError(
            *(
                Problem(
                    code=ErrorCode.CONFLICT,
                    message="This was changed by others since the draft began.",
                    key=conflict.key,
                    field=conflict.field,
                    path=conflict.path,
                )
                for conflict in work.conflicts
            ),
            conflicts=work.conflicts,
        )
    problems = work.problems()
    if problems:
        raise ValidationFailedError(*problems)
    if not plan.is_empty:
        work.save()
    keys = work.keys()
    receipt.keys = keys
    receipt.root_pk = str(keys[ROOT_KEY])
    receipt.save(using=using, update_fields=["keys", "root_pk"])


class _Work:
    """The instances of a commit: what is saved now, with the draft's changes laid over it."""

    def __init__(self, family: Family, plan: Plan, using: str, *, lock: bool) -> None:
        self._family = family
        self._plan = plan
        self._using = using
        self._now: Now = read_now(family, plan, using, lock=lock)
        self.conflicts = find_conflicts(plan, self._now.saved, self._path)
        self._written: dict[str, Model] = {}
        if not self.conflicts:
            self._write_over()

    def problems(self) -> list[Problem]:
        return validate(self._family, self._plan, self._written, self._deleted_pks(), self._using)

    def save(self) -> None:
        for name, instances in by_type(self._family, self._written).items():
            now = self._in_the_way(name)
            Uniqueness(self._family, name, instances, self._using).park(now)
        rows = self._now.instances
        deleted = {key: rows[key] for key in self._plan.removed if key in rows}
        Saver(self._family, self._plan, self._written, deleted).save()

    def keys(self) -> dict[str, Json]:
        """Return the primary key of every node that the draft named, the root's included."""
        found: dict[str, Json] = {}
        for key, instance in {ROOT_KEY: self._root(), **self._written}.items():
            found[key] = encoder(pk_field(type(instance)))(instance.pk)
        return found

    def _root(self) -> Model:
        return self._family.instance(self._node(ROOT_KEY))

    def _node(self, key: str) -> Node:
        node = self._family.snapshot.node(key)
        if node is None:
            raise LookupError(key)
        return node

    def _path(self, key: str) -> tuple[str, ...]:
        node = self._family.snapshot.node(key)
        return () if node is None else path_to(self._family.snapshot.node, node)

    def _write_over(self) -> None:
        plan = self._plan
        merged = Merged(self._family, plan, self._written, self._using)
        counted = self._numbers()
        saved = {**plan.ancestors, **{key: mine for key, (_, mine) in plan.updated.items()}}
        for key in counted:
            node = self._node(key)
            if node.pk is not None:
                saved.setdefault(key, node)
        for key, node in sorted(saved.items(), key=lambda item: len(self._path(item[0]))):
            instance = self._now.instances[key]
            self._family.adopt(node, instance)
            attach(instance, self._family.cluster, node, self._family, merged.related)
            relation = self._family.relation_of(node)
            if relation is not None:
                setattr(instance, relation.parent_field, self._family.parent(node))
            if key in plan.updated:
                base, mine = plan.updated[key]
                changed = {n: v for n, v in mine.fields.items() if v != base.fields.get(n)}
                set_values(instance, changed)
            self._written[key] = instance
        for key, node in plan.added.items():
            self._written[key] = self._family.instance(node)
        for key, number in counted.items():
            relation = self._family.relation_of(self._node(key))
            if relation is not None and relation.order_field is not None:
                setattr(self._written[key], relation.order_field, number)

    def _numbers(self) -> dict[str, int]:
        counted: dict[str, int] = {}
        for place in self._plan.reordered:
            siblings = self._family.children(*place)
            relation = self._family.relation_of(siblings[0])
            if relation is None or relation.order_field is None:
                continue
            theirs: Mapping[Json, Json] = self._now.numbers[place]
            counted.update(
                numbers(siblings, relation.order_field, also_taken=theirs.values())
                if keeps_numbers(siblings)
                else numbers(siblings, relation.order_field)
            )
        return counted

    def _in_the_way(self, type_name: str) -> dict[str, Model]:
        """Return fresh copies of the rows of a type that are about to change or go."""
        rows: dict[str, Any] = {}
        for key, instance in self._now.instances.items():
            node = self._plan.base.get(key) or self._family.snapshot.node(key)
            if node is not None and node.type == type_name:
                rows[key] = self._as_saved(key, instance)
        return rows

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

    def _deleted_pks(self) -> dict[str, set[Json]]:
        gone: dict[str, set[Json]] = defaultdict(set)
        for key, node in self._plan.removed.items():
            gone[node.type].add(node.pk)
            for below in self._now.saved.below[key][1].values():
                gone[below.type].add(below.pk)
        return gone
