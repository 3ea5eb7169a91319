"""The rows between a node and the members of its sets: made of what is given of them, checked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import router
from django.db.models import CheckConstraint, ForeignKey, Model

from gql_cluster.domain.error import Problem
from gql_cluster.domain.node import Json, Node, Through, Values
from gql_cluster.domain.plan import Plan
from gql_cluster.orm.codec import decode, encode, encoder, pk_field
from gql_cluster.orm.describe import Cluster
from gql_cluster.orm.instance import Family
from gql_cluster.orm.kinds import is_filled, row_columns
from gql_cluster.orm.problems import problem
from gql_cluster.orm.sets import given_row
from gql_cluster.orm.within import gone


def with_rows(cluster: Cluster, nodes: Sequence[Node]) -> list[Node]:
    """Return nodes with what is saved of their members' rows, as if it had been given.

    What the nodes have of a row already stays. A query a set of a node type.
    """
    through: dict[str, dict[str, Through]] = {node.key: dict(node.through) for node in nodes}
    for type_name, spec in cluster.spec.nodes.items():
        saved: dict[Json, Node] = {
            node.pk: node for node in nodes if node.type == type_name and node.pk is not None
        }
        for name in (each.name for each in spec.sets.values() if each.fields and saved):
            for pk, rows in _saved_rows(cluster, type_name, name, list(saved)).items():
                node = saved[pk]
                given = {**rows, **node.through.get(name, {})}
                held = {each: given[each] for each in node.sets.get(name, ()) if each in given}
                through[node.key][name] = held
    return [
        replace(node, through={name: rows for name, rows in through[node.key].items() if rows})
        for node in nodes
    ]


def _saved_rows(
    cluster: Cluster, type_name: str, name: str, pks: Sequence[Json]
) -> dict[Json, dict[Json, Values]]:
    model = cluster.models[type_name]
    field: Any = model._meta.get_field(name)
    source, target = field.m2m_field_name(), field.m2m_reverse_field_name()
    columns = row_columns(field)
    owner, member = encoder(pk_field(model)), encoder(pk_field(field.related_model))
    rows = (
        field.remote_field.through._base_manager.using(router.db_for_read(cluster.model))
        .filter(**{f"{source}__pk__in": [decode(pk_field(model), pk) for pk in pks]})
        .values_list(f"{source}__pk", f"{target}__pk", *(each.attname for each in columns))
    )
    found: dict[Json, dict[Json, Values]] = defaultdict(dict)
    for one, other, *values in rows:
        found[owner(one)][member(other)] = {
            column.name: encode(column, value)
            for column, value in zip(columns, values, strict=True)
        }
    return found


def wrong_rows(
    family: Family,
    plan: Plan,
    written: Mapping[str, Model],
    missing: Sequence[Problem],
    using: str,
) -> Iterator[Problem]:
    """Yield what is wrong with the rows that a commit makes, each as the row's own model says.

    `missing` are the references that dangle; rows of a set that has one are not asked any more.
    """
    unclear = {(each.key, each.field) for each in missing}
    for key in _with_sets(family, plan):
        instance = written[key]
        for name in _sets_with_rows(family, key):
            if (key, name) not in unclear:
                field: Any = type(instance)._meta.get_field(name)
                through = plan.through(key, name)
                for pk in plan.members(key, name)[0]:
                    for column, error in _wrong(field, instance, pk, through.get(pk, {}), using):
                        below = (str(pk),) if column == NON_FIELD_ERRORS else (str(pk), column)
                        for message in error:
                            yield problem(family, key, name, message, error.code, below)


def removed_members(
    family: Family, plan: Plan, written: Mapping[str, Model], deleted: Mapping[str, set[Json]]
) -> Iterator[Problem]:
    """Yield a problem for each new member that goes, and each whose row refers to what goes.

    `deleted` are the primary keys of the rows of the cluster that the draft removes, by node type.
    """
    if not deleted:
        return
    for key in _with_sets(family, plan):
        model = type(written[key])
        for name, spec in family.cluster.spec.nodes[_node(family, key).type].sets.items():
            members, _ = plan.members(key, name)
            if spec.target is None or not members:
                continue
            field: Any = model._meta.get_field(name)
            through = plan.through(key, name)
            going = _going(family, field, deleted)
            yield from (gone(family, key, field, (name, str(pk))) for pk in members if pk in going)
            for column in row_columns(field):
                if isinstance(column, ForeignKey) and column.target_field.primary_key:
                    going = _going(family, column, deleted)
                    for pk in members:
                        if through.get(pk, {}).get(column.name) in going:
                            yield gone(family, key, column, (name, str(pk), column.name))


def _going(family: Family, field: Any, deleted: Mapping[str, set[Json]]) -> set[Json]:
    """Return the primary keys of what goes that a foreign key, or a set, can refer to."""
    target: Any = field.related_model._meta.concrete_model
    models = family.cluster.models
    return {pk for name, pks in deleted.items() if issubclass(models[name], target) for pk in pks}


def _with_sets(family: Family, plan: Plan) -> Iterator[str]:
    """Yield the keys of changed nodes that have sets."""
    nodes = family.cluster.spec.nodes
    changed = chain(plan.added.values(), (mine for _, mine in plan.updated.values()))
    yield from (node.key for node in changed if nodes[node.type].sets)


def _sets_with_rows(family: Family, key: str) -> Iterator[str]:
    sets = family.cluster.spec.nodes[_node(family, key).type].sets.values()
    yield from (each.name for each in sets if each.fields)


def _node(family: Family, key: str) -> Node:
    node = family.snapshot.node(key)
    if node is None:
        raise LookupError(key)
    return node


def _wrong(
    field: Any, instance: Model, pk: Json, values: Values, using: str
) -> Iterator[tuple[str, Any]]:
    row = _row(field, instance, pk, values)
    ends = {field.m2m_field_name(), field.m2m_reverse_field_name()}
    left_out = ends | set(_unasked(field, row, values))
    try:
        row.full_clean(exclude=left_out, validate_unique=False, validate_constraints=False)
        _check_constraints(row, left_out, using)
    except ValidationError as exc:
        for name, errors in exc.update_error_dict({}).items():
            yield from ((name, error) for error in errors)


def _row(field: Any, instance: Model, pk: Json, values: Values) -> Any:
    row = field.remote_field.through(**given_row(field, values))
    setattr(row, field.m2m_field_name(), instance)
    end = row._meta.get_field(field.m2m_reverse_field_name())
    if end.target_field.primary_key:
        setattr(row, end.attname, decode(end, pk))
    return row


def _unasked(field: Any, row: Any, values: Values) -> Iterator[str]:
    """Yield the columns that are not the client's to get right, or are looked up in bulk."""
    given: Collection[Any] = row_columns(field)
    for column in row._meta.concrete_fields:
        is_reference = isinstance(column, ForeignKey) and getattr(row, column.attname) is not None
        is_left = column.name not in values and is_filled(column)
        if column not in given or is_reference or is_left:
            yield column.name


def _check_constraints(row: Any, exclude: set[str], using: str) -> None:
    """Ask the CHECK constraints; which rows are there besides is the database's to know."""
    for model, constraints in row.get_constraints():
        for constraint in constraints:
            if isinstance(constraint, CheckConstraint):
                constraint.validate(model, row, exclude=exclude, using=using)
