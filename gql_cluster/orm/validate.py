"""Validating a cluster as it would be saved: in Django's words, with a place for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import ForeignKey, Model, QuerySet

from gql_cluster.domain.error import Problem
from gql_cluster.domain.merge import Clash
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.plan import Plan, differences
from gql_cluster.orm.children import wrong_numbers
from gql_cluster.orm.clashes import clash_with_others
from gql_cluster.orm.describe import AnyField, is_unique_fields
from gql_cluster.orm.expressions import alike, is_unique_expressions
from gql_cluster.orm.form_rules import empty_sets, has_dates, taken_dates
from gql_cluster.orm.instance import Family, unsaved_target
from gql_cluster.orm.problems import problem, problems_of
from gql_cluster.orm.references import dangling, references
from gql_cluster.orm.sure import surely_clean
from gql_cluster.orm.through import removed_members, wrong_rows
from gql_cluster.orm.unique import Rule, Uniqueness, by_table, not_staying
from gql_cluster.orm.within import held, wrong_references


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What is wrong with a cluster, and where others took a value that only one may have."""

    problems: Sequence[Problem]
    clashes: Sequence[Clash]


def validate(
    family: Family,
    plan: Plan,
    written: Mapping[str, Model],
    deleted: Mapping[str, set[Json]],
    using: str,
) -> Checked:
    """Return all that is wrong with the nodes that a commit will write.

    `written` are their instances by key, `deleted` the primary keys of the rows that go, by
    node type. The `clean()` of every node above a change is asked, too, with the draft's
    relations around it; what is not changed itself may be invalid otherwise. Where nothing is
    wrong so far, the `clean_cluster()` of each is asked at last.
    """
    unique = list(_uniqueness(family, plan, written, deleted, using))
    problems = [
        *(wrong := list(_models(family, plan, written))),
        *(missing := list(_references(family, plan, using))),
        *wrong_references(family, plan, written, deleted),
        *empty_sets(family, plan, written, using),
        *removed_members(family, plan, written, deleted),
        *wrong_rows(family, plan, written, missing, using),
        *(each for each in unique if isinstance(each, Problem)),
        *_constraints(family, written, deleted, wrong, using),
        *_alike(family, written, wrong, using),
        *_dates(family, plan, written, deleted, using),
        *wrong_numbers(family, plan, using),
    ]
    clashes = [each for each in unique if isinstance(each, Clash)]
    if not problems and not clashes:
        problems += _clusters(family, plan, written)
    return Checked(problems=problems, clashes=clashes)


def _models(family: Family, plan: Plan, written: Mapping[str, Model]) -> Iterator[Problem]:
    places: dict[tuple[str | None, str | None], str | None] = {}
    sure: dict[tuple[type[Model], str | None], Callable[[Model], bool]] = {}
    for key, instance in written.items():
        node = plan.added.get(key) or _node(family, key)
        place = node.parent, node.relation
        if place not in places:
            relation = family.relation_of(node)
            places[place] = None if relation is None else relation.parent_field
        kind = type(instance), places[place]
        if kind not in sure:
            sure[kind] = surely_clean(*kind)
        try:
            if key in plan.added or key in plan.updated:
                if not sure[kind](instance):
                    instance.full_clean(
                        exclude=_unchecked(family, node, instance, kind[1]),
                        validate_unique=False,
                        validate_constraints=False,
                    )
            elif key in plan.ancestors:
                instance.clean()
        except ValidationError as exc:
            yield from problems_of(family, key, exc)


def _clusters(family: Family, plan: Plan, written: Mapping[str, Model]) -> Iterator[Problem]:
    """Ask the hook for a whole cluster of each node that has one, what is below it first."""
    for key, instance in reversed(tuple(written.items())):
        clean_cluster: Callable[[], None] | None = getattr(instance, "clean_cluster", None)
        if clean_cluster is None or not _is_changed(plan, key):
            continue
        try:
            clean_cluster()
        except ValidationError as exc:
            yield from problems_of(family, key, exc)


def _is_changed(plan: Plan, key: str) -> bool:
    """Tell whether a node changed, or anything below it; its number alone does not count."""
    return key in plan.added or key in plan.updated or key in plan.ancestors


def _unchecked(family: Family, node: Node, instance: Model, parental: str | None) -> set[str]:
    """Return the fields that are checked elsewhere: references in bulk, the parent never."""
    names = {
        field.name
        for field in _foreign_keys(type(instance))
        if getattr(instance, field.attname) is not None
    }
    return names | {*held(family, node)} | ({parental} if parental else set())


@cache
def _foreign_keys(model: type[Model]) -> tuple[ForeignKey[Any, Any], ...]:
    return tuple(each for each in model._meta.concrete_fields if isinstance(each, ForeignKey))


def _references(family: Family, plan: Plan, using: str) -> Iterator[Problem]:
    refer = {
        name
        for name, spec in family.cluster.spec.nodes.items()
        if spec.sets or any(field.target is not None for field in spec.fields.values())
    }
    brought = references(family.cluster, differences(plan, refer))
    for missing in dangling(brought, using=using):
        name = missing.target._meta.verbose_name
        message = f"{name} instance with primary key {missing.value!r} does not exist."
        name, *below = missing.place
        yield problem(family, missing.key, name, message, "invalid", tuple(below))


def _uniqueness(
    family: Family,
    plan: Plan,
    written: Mapping[str, Model],
    deleted: Mapping[str, set[Json]],
    using: str,
) -> Iterator[Problem | Clash]:
    for model, instances in by_table(written).items():
        checks = Uniqueness(family, model, instances, using)
        for clash in checks.clashes(deleted):
            others = clash_with_others(family, plan, clash, using)
            if others is not None:
                yield others
                continue
            relation = family.relation_of(clash.node)
            parental = relation.parent_field if relation else None
            field = next((each for each in clash.rule.names if each != parental), None)
            error = _unique_error(instances[clash.node.key], clash.rule)
            message = " ".join(error.messages)
            yield problem(family, clash.node.key, field, message, error.code)


def _dates(
    family: Family,
    plan: Plan,
    written: Mapping[str, Model],
    deleted: Mapping[str, set[Json]],
    using: str,
) -> Iterator[Problem]:
    for model, instances in by_table(written).items():
        if not has_dates(model):
            continue
        going = not_staying(family.cluster, model, instances, deleted, using)
        yield from taken_dates(family, plan, model, instances, going=going, using=using)


def _unique_error(instance: Any, rule: Rule) -> ValidationError:
    """Return Django's error for it; a constraint's own, where it has one."""
    constraint = rule.constraint
    if constraint is not None and (
        constraint.condition is not None
        or constraint.violation_error_message != constraint.default_violation_error_message
    ):
        message = str(constraint.get_violation_error_message())
        return ValidationError(message, code=constraint.violation_error_code)
    is_own = rule.model._meta.concrete_model is instance._meta.concrete_model
    model = type(instance) if is_own else rule.model
    error: ValidationError = instance.unique_error_message(model, rule.names)
    return error


def _constraints(
    family: Family,
    written: Mapping[str, Model],
    deleted: Mapping[str, set[Json]],
    problems: Sequence[Problem],
    using: str,
) -> Iterator[Problem]:
    """Check what can't be checked in bulk: expressions that are unique, CHECK constraints."""
    wrong = {(each.key, each.field) for each in problems}
    for model, instances in by_table(written).items():
        constraints = [each for each in model._meta.constraints if not is_unique_fields(each)]
        if not constraints:
            continue
        pks = not_staying(family.cluster, model, instances, deleted, using)
        others: Any = _Others(model, pks)
        for key, instance in instances.items():
            exclude = {field.name for field in _absent(instance)}
            exclude |= {field for each, field in wrong if each == key and field}
            for constraint in constraints:
                try:
                    constraint.validate(others, instance, exclude=exclude, using=using)
                except ValidationError as exc:
                    yield from problems_of(family, key, exc)


def _alike(
    family: Family, written: Mapping[str, Model], problems: Sequence[Problem], using: str
) -> Iterator[Problem]:
    """Check among the nodes themselves that expressions are unique."""
    wrong = {each.key for each in problems}
    right = {key: each for key, each in written.items() if key not in wrong}
    for model, instances in by_table(right).items():
        unique: list[Any] = [c for c in model._meta.constraints if is_unique_expressions(c)]
        for constraint in unique:
            message = str(constraint.get_violation_error_message())
            for key in alike(constraint, instances, using):
                yield problem(family, key, None, message, constraint.violation_error_code)


def _absent(instance: Model) -> Iterator[AnyField]:
    """Yield the foreign keys that refer to what is not saved yet, parental keys among them."""
    for field in instance._meta.concrete_fields:
        if unsaved_target(instance, field) is not None:
            yield field


class _Others:
    """A model as constraints look at it, without the rows that the commit writes or deletes."""

    def __init__(self, model: type[Model], pks: set[Any]) -> None:
        self._model = model
        self._pks = pks
        self._meta = model._meta
        self._default_manager = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def using(self, alias: str) -> QuerySet[Model]:
        """Return the other rows."""
        return self._model._base_manager.using(alias).exclude(pk__in=self._pks)


def _node(family: Family, key: str) -> Node:
    node = family.snapshot.node(key)
    if node is None:
        raise LookupError(key)
    return node
