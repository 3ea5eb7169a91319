"""Too few children, or too many: what a formset's `min_num` and `max_num` say of a relation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Count
from django.forms.formsets import BaseFormSet

from gql_cluster.domain.error import Problem
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.plan import Plan
from gql_cluster.domain.spec import RelationSpec
from gql_cluster.orm.codec import encoder, pk_field
from gql_cluster.orm.inheritance import pk_above
from gql_cluster.orm.instance import Family
from gql_cluster.orm.load import decode_pk
from gql_cluster.orm.problems import problems_of

_MESSAGES: Any = BaseFormSet.default_error_messages


def wrong_numbers(family: Family, plan: Plan, using: str) -> Iterator[Problem]:
    """Yield a problem for each relation that holds too few or too many children.

    Relations are counted whole, what others saved since the base included, of every node that
    a commit of the plan writes and of those above; a query a relation that has a limit.
    """
    for (type_name, relation), parents in _limited(family, plan).items():
        counts = _counts(family, plan, type_name, relation, parents, using)
        for key in parents:
            error = _error(relation, counts[key])
            if error is not None:
                yield from problems_of(family, key, error, relation.name)


def _limited(family: Family, plan: Plan) -> dict[tuple[str, RelationSpec], dict[str, Node]]:
    """Return the nodes whose relations are counted, by their type and the relation."""
    nodes = {**plan.ancestors, **{key: node for key, (_, node) in plan.updated.items()}}
    found: dict[tuple[str, RelationSpec], dict[str, Node]] = defaultdict(dict)
    for key, node in {**nodes, **plan.added}.items():
        for relation in family.cluster.spec.nodes[node.type].relations.values():
            if relation.min_num or relation.max_num is not None:
                found[node.type, relation][key] = node
    return found


def _counts(  # noqa: PLR0913, PLR0917 - one relation, said whole
    family: Family,
    plan: Plan,
    type_name: str,
    relation: RelationSpec,
    parents: dict[str, Node],
    using: str,
) -> dict[str, int]:
    """Return how many children each parent has: those saved now that stay, and the new ones."""
    counts = dict.fromkeys(parents, 0)
    for child in plan.added.values():
        if child.relation == relation.name and child.parent in counts:
            counts[child.parent] += 1
    keys: dict[Json, str] = {node.pk: key for key, node in parents.items() if node.pk is not None}
    if keys:
        parent, model = family.cluster.models[type_name], family.cluster.models[relation.child]
        types = family.cluster.spec.kinds(relation.child)
        leaving = [node.pk for node in plan.removed.values() if node.type in types]
        parent_key = pk_above(model._meta.get_field(relation.parent_field), parent)
        rows = (
            model._default_manager.using(using)
            .filter(**{f"{parent_key}__in": [decode_pk(parent, pk) for pk in keys]})
            .exclude(pk__in=[decode_pk(model, pk) for pk in leaving])
            .order_by()
            .values_list(parent_key)
            .annotate(Count("pk"))
        )
        encode = encoder(pk_field(parent))
        for pk, count in rows:
            counts[keys[encode(pk)]] += count
    return counts


def _error(relation: RelationSpec, count: int) -> ValidationError | None:
    if relation.max_num is not None and count > relation.max_num:
        code, num = "too_many_forms", relation.max_num
    elif count < relation.min_num:
        code, num = "too_few_forms", relation.min_num
    else:
        return None
    return ValidationError(_MESSAGES[code] % {"num": num}, code=code)
