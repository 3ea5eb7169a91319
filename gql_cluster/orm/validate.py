"""Validating a cluster as it would be saved: in Django's words, with a place for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import ForeignKey, Model

from gql_cluster.domain.error import ErrorCode, Problem
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.plan import Plan, differences
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import path_to
from gql_cluster.orm.describe import is_plain_unique
from gql_cluster.orm.instance import Family
from gql_cluster.orm.references import dangling, references
from gql_cluster.orm.unique import Uniqueness


def validate(
    family: Family,
    plan: Plan,
    written: Mapping[str, Model],
    deleted: Mapping[str, set[Json]],
    using: str,
) -> list[Problem]:
    """Return all that is wrong with the nodes that a commit will write.

    `written` are their instances by key, `deleted` the primary keys of the rows that go, by
    node type. The root's `clean()` is always asked, with the draft's relations around it.
    """
    return [
        *_models(family, plan, written),
        *_references(family, plan),
        *_uniqueness(family, written, deleted, using),
        *_constraints(family, written, using),
    ]


def problems_of(family: Family, key: str, error: ValidationError) -> Iterator[Problem]:
    """Yield a node's validation error as problems, one a message."""
    if hasattr(error, "error_dict"):
        for name, messages in error.message_dict.items():
            field = None if name == NON_FIELD_ERRORS else name
            for message in messages:
                yield problem(family, key, field, message)
    else:
        for message in error.messages:
            yield problem(family, key, None, message)


def problem(family: Family, key: str | None, field: str | None, message: str) -> Problem:
    """Return one problem of a node, with its path."""
    node = family.snapshot.node(key) if key is not None else None
    path = path_to(family.snapshot.node, node) if node is not None else ()
    return Problem(
        code=ErrorCode.VALIDATION_FAILED,
        message=message,
        key=key,
        field=field,
        path=(*path, field) if field else path,
    )


def _models(family: Family, plan: Plan, written: Mapping[str, Model]) -> Iterator[Problem]:
    for key, instance in written.items():
        node = _node(family, key)
        try:
            if key in plan.added or key in plan.updated:
                instance.full_clean(
                    exclude=_unchecked(family, node, instance),
                    validate_unique=False,
                    validate_constraints=False,
                )
            elif key == ROOT_KEY:
                instance.clean()
        except ValidationError as exc:
            yield from problems_of(family, key, exc)


def _unchecked(family: Family, node: Node, instance: Model) -> set[str]:
    """Return the fields that are checked elsewhere: references in bulk, the parent never."""
    relation = family.relation_of(node)
    names = {
        field.name
        for field in instance._meta.concrete_fields
        if isinstance(field, ForeignKey) and getattr(instance, field.attname) is not None
    }
    return names | ({relation.parent_field} if relation else set())


def _references(family: Family, plan: Plan) -> Iterator[Problem]:
    for missing in dangling(references(family.cluster, differences(plan))):
        name = missing.target._meta.verbose_name
        message = f"{name} instance with primary key {missing.pk!r} does not exist."
        yield problem(family, missing.key, missing.field, message)


def _uniqueness(
    family: Family,
    written: Mapping[str, Model],
    deleted: Mapping[str, set[Json]],
    using: str,
) -> Iterator[Problem]:
    for name, instances in by_type(family, written).items():
        checks = Uniqueness(family, name, instances, using)
        for clash in checks.clashes(deleted.get(name, set())):
            instance: Any = instances[clash.node.key]
            error = instance.unique_error_message(type(instance), clash.fields)
            relation = family.relation_of(clash.node)
            parental = relation.parent_field if relation else None
            field = next((each for each in clash.fields if each != parental), None)
            yield problem(family, clash.node.key, field, " ".join(error.messages))


def _constraints(family: Family, written: Mapping[str, Model], using: str) -> Iterator[Problem]:
    """Check what can't be checked in bulk: conditions, expressions, CHECK constraints."""
    for key, instance in written.items():
        node = _node(family, key)
        exclude = _unchecked(family, node, instance)
        for model, constraints in instance.get_constraints():
            for constraint in constraints:
                if is_plain_unique(constraint):
                    continue
                try:
                    constraint.validate(model, instance, exclude=exclude, using=using)
                except ValidationError as exc:
                    yield from problems_of(family, key, exc)


def by_type(family: Family, written: Mapping[str, Model]) -> dict[str, dict[str, Model]]:
    """Return instances by node type, then by key."""
    found: dict[str, dict[str, Model]] = defaultdict(dict)
    for key, instance in written.items():
        found[_node(family, key).type][key] = instance
    return found


def _node(family: Family, key: str) -> Node:
    node = family.snapshot.node(key)
    if node is None:
        raise LookupError(key)
    return node
